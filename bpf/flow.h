/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * From a parsed packet to its flow: the key, who opened it, and what the packet adds to it. One source for both sides:
 * the kernel's table (src/sensors/flows) and that of user space (src/flows).
 *
 * In the kernel several CPUs may update one flow at a time: counters and bits are changed atomically there. Sequence
 * numbers and times are plain stores; a side of a flow is normally seen by one CPU at a time.
 */
#ifndef SONDE_BPF_FLOW_H
#define SONDE_BPF_FLOW_H

#include <sonde/abi/flow.h>
#include <sonde/abi/packet.h>
#include "parse.h"

/* NOLINTBEGIN: this is C */

enum {
	SONDE_TCP_FIN = 0x01,
	SONDE_TCP_SYN = 0x02,
	SONDE_TCP_RST = 0x04,
	SONDE_TCP_ACK = 0x10,
};

/* Bits of sonde_flow_packet.flags. */
enum {
	SONDE_FLOW_PACKET_TCP = 1,    /* the TCP header was read: sequence and tcp_flags are valid */
	SONDE_FLOW_PACKET_VLAN = 2,   /* vlan is valid */
	SONDE_FLOW_PACKET_REPLY = 4,  /* an ICMP echo reply: its receiver opened the flow */
	SONDE_FLOW_PACKET_SENT = 8,   /* went out by the interface; else it came in */
	SONDE_FLOW_PACKET_PORTS = 16, /* it has ports */
	SONDE_FLOW_PACKET_PART = 32,  /* an IP fragment */
};

/* What a flow takes of a packet. */
struct sonde_flow_packet {
	__u32 size;         /* bytes, as packet_size of its event */
	__u32 payload_size; /* bytes after the transport header */
	__u32 sequence;     /* host byte order */
	__u32 segments;     /* wire packets, at least 1 */
	__u16 vlan;         /* outer VLAN id */
	__u8 side;          /* of the flow, that sent it */
	__u8 flags;
	__u8 tcp_flags;
	__u8 hop_limit;
	__u8 reserved[2];
};

#ifdef __bpf__
typedef __u64 __attribute__((may_alias)) sonde_flow_word_t;
#define sonde_flow_word(bytes, i) (((const sonde_flow_word_t *)(bytes))[i])
#define sonde_flow_put_word(bytes, i, value) (((sonde_flow_word_t *)(bytes))[i] = (value))
#define sonde_flow_add(to, value) ((void)__sync_fetch_and_add(&(to), value))
#else
SONDE_INLINE __u64 sonde_flow_word(const void *bytes, int i)
{
	__u64 word;
	__builtin_memcpy(&word, (const __u8 *)bytes + i * 8, sizeof(word));
	return word;
}
SONDE_INLINE void sonde_flow_put_word(void *bytes, int i, __u64 value)
{
	__builtin_memcpy((__u8 *)bytes + i * 8, &value, sizeof(value));
}
#define sonde_flow_add(to, value) ((void)((to) += (value)))
#endif
#define sonde_big64(value) (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(value) : (value))

/* 1: the packet is of a flow. What has no IP header (ARP, LLDP ...) is not, nor is an IP header that cannot be read. */
SONDE_INLINE int sonde_flow_has_key(const struct sonde_packet_event *event)
{
	return (event->flags & (SONDE_PACKET_IPV4 | SONDE_PACKET_IPV6)) != 0;
}

/*
 * Side of the sender in a flow between these endpoints: 1 when it is the higher of the two. Of two equal ones both are
 * side 0.
 */
SONDE_INLINE __u32 sonde_flow_side(const __u8 *source, const __u8 *destination, __u16 source_port,
				   __u16 destination_port)
{
	__u64 high_a = sonde_flow_word(source, 0), high_b = sonde_flow_word(destination, 0);
	__u64 low_a = sonde_flow_word(source, 1), low_b = sonde_flow_word(destination, 1);

	if (high_a != high_b)
		return sonde_big64(high_a) > sonde_big64(high_b);
	if (low_a != low_b)
		return sonde_big64(low_a) > sonde_big64(low_b);
	return source_port > destination_port;
}

/*
 * What stands behind the addresses. Whole words, because the key is read by words right after: a load over several
 * smaller stores waits for all of them to reach the cache.
 */
SONDE_INLINE void sonde_flow_put_ports(struct sonde_flow_key *key, __u16 first, __u16 second, __u8 protocol,
				       __u32 group)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	sonde_flow_put_word(key, 4, first | (__u32)second << 16 | (__u64)group << 32);
	sonde_store32((__u8 *)&key->protocol, protocol);
#else
	sonde_flow_put_word(key, 4, (__u64)first << 48 | (__u64)second << 32 | group);
	sonde_store32((__u8 *)&key->protocol, (__u32)protocol << 24);
#endif
}

/* Puts the endpoints into a key, all of whose bytes are written, and gives the side of the source. */
SONDE_INLINE __u32 sonde_flow_fill_key(struct sonde_flow_key *key, const __u8 *source, const __u8 *destination,
				       __u16 source_port, __u16 destination_port, __u8 protocol, __u32 group)
{
	__u32 side = sonde_flow_side(source, destination, source_port, destination_port);
	__u64 high_a = sonde_flow_word(source, 0), high_b = sonde_flow_word(destination, 0);
	__u64 low_a = sonde_flow_word(source, 1), low_b = sonde_flow_word(destination, 1);

	sonde_flow_put_word(key, 0, side ? high_b : high_a);
	sonde_flow_put_word(key, 1, side ? low_b : low_a);
	sonde_flow_put_word(key, 2, side ? high_a : high_b);
	sonde_flow_put_word(key, 3, side ? low_a : low_b);
	sonde_flow_put_ports(key, side ? destination_port : source_port, side ? source_port : destination_port,
			     protocol, group);
	return side;
}

SONDE_INLINE __u8 sonde_flow_packet_flags(const struct sonde_packet_event *event)
{
	__u8 flags = 0;

	if (event->protocol == SONDE_IP_TCP && event->flags & SONDE_PACKET_PORTS &&
	    (event->status == SONDE_PARSE_OK || event->status == SONDE_PARSE_TRUNCATED_PAYLOAD))
		flags |= SONDE_FLOW_PACKET_TCP;
	if (event->flags & SONDE_PACKET_VLAN)
		flags |= SONDE_FLOW_PACKET_VLAN;
	if (event->flags & SONDE_PACKET_PORTS)
		flags |= SONDE_FLOW_PACKET_PORTS;
	if (event->flags & SONDE_PACKET_FRAGMENT)
		flags |= SONDE_FLOW_PACKET_PART;
	if (event->direction == SONDE_DIRECTION_OUT)
		flags |= SONDE_FLOW_PACKET_SENT;
	/* Type 0 is also what an ICMP header says that could not be read. RFC 792, RFC 4443. */
	if (event->status == SONDE_PARSE_OK && !(event->flags & SONDE_PACKET_LATER_FRAGMENT) &&
	    ((event->protocol == SONDE_IP_ICMP && event->icmp_type == 0) ||
	     (event->protocol == SONDE_IP_ICMPV6 && event->icmp_type == 129)))
		flags |= SONDE_FLOW_PACKET_REPLY;
	return flags;
}

/* Key and packet of an event for which sonde_flow_has_key() holds. Writes every byte of both. */
SONDE_INLINE void sonde_flow_take(const struct sonde_packet_event *event, __u32 group, struct sonde_flow_key *key,
				  struct sonde_flow_packet *packet)
{
	packet->side = sonde_flow_fill_key(key, event->source_address, event->destination_address, event->source_port,
					   event->destination_port, event->protocol, group);
	packet->size = event->packet_size;
	packet->payload_size = event->payload_size;
	packet->sequence = event->tcp_sequence;
	packet->segments = event->segments > 1 ? event->segments : 1;
	packet->vlan = event->vlan_outer & 0xfff;
	packet->flags = sonde_flow_packet_flags(event);
	packet->tcp_flags = event->tcp_flags;
	packet->hop_limit = event->hop_limit;
	packet->reserved[0] = packet->reserved[1] = 0;
}

/*
 * Spreads keys whose bits differ anywhere over the upper and the lower 32 bits. `seed` keeps others from choosing keys
 * that fall together. The key must be aligned to 8 bytes in the kernel.
 */
SONDE_INLINE __u64 sonde_flow_hash(const struct sonde_flow_key *key, __u64 seed)
{
	__u64 low_a = sonde_flow_word(key, 1), low_b = sonde_flow_word(key, 3);
	__u64 a, b, c;

	/* The halves are swapped because the last bytes of an address, which differ most, are the top bits. */
	a = ((sonde_flow_word(key, 0) ^ seed) * 0x9e3779b97f4a7c15ULL + (low_a >> 32 | low_a << 32)) *
	    0xd6e8feb86659fd93ULL;
	b = (sonde_flow_word(key, 2) * 0xff51afd7ed558ccdULL + (low_b >> 32 | low_b << 32)) * 0xc4ceb9fe1a85ec53ULL;
	c = (sonde_flow_word(key, 4) + key->protocol) * 0x94d049bb133111ebULL;
	a ^= a >> 32;
	b ^= b >> 29;
	a = (a + b + (c ^ c >> 32) + seed) * 0xbf58476d1ce4e5b9ULL;
	return a ^ a >> 32;
}

SONDE_INLINE int sonde_flow_same_key(const struct sonde_flow_key *a, const struct sonde_flow_key *b)
{
#ifdef __bpf__
	return sonde_flow_word(a, 1) == sonde_flow_word(b, 1) && sonde_flow_word(a, 3) == sonde_flow_word(b, 3) &&
	       sonde_flow_word(a, 4) == sonde_flow_word(b, 4) && a->protocol == b->protocol &&
	       sonde_flow_word(a, 0) == sonde_flow_word(b, 0) && sonde_flow_word(a, 2) == sonde_flow_word(b, 2);
#else
	return __builtin_memcmp(a, b, sizeof(*a)) == 0;
#endif
}

/* Adds bits that are not there yet. */
SONDE_INLINE void sonde_flow_set_flags(struct sonde_flow *flow, __u16 bits)
{
	if ((flow->flags & bits) == bits)
		return;
#ifdef __bpf__
	/* The kernel's atomics take whole words: that of vlan and flags. */
	__sync_fetch_and_or((__u32 *)&flow->vlan,
			    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? (__u32)bits << 16 : (__u32)bits);
#else
	flow->flags |= bits;
#endif
}

SONDE_INLINE void sonde_flow_set_opener(struct sonde_flow *flow, __u16 bit)
{
	if (bit)
		sonde_flow_set_flags(flow, SONDE_FLOW_OPENER_1);
#ifdef __bpf__
	else if (flow->flags & SONDE_FLOW_OPENER_1)
		__sync_fetch_and_and((__u32 *)&flow->vlan,
				     ~(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? (__u32)SONDE_FLOW_OPENER_1 << 16
										 : (__u32)SONDE_FLOW_OPENER_1));
#else
	else
		flow->flags &= (__u16)~SONDE_FLOW_OPENER_1;
#endif
}

SONDE_INLINE void sonde_flow_set_tcp_flags(struct sonde_flow *flow, __u32 side, __u8 bits)
{
	side &= 1;
	if ((flow->tcp_flags[side] & bits) == bits)
		return;
#ifdef __bpf__
	/* The word of tcp_flags and hop_limit. */
	__sync_fetch_and_or((__u32 *)flow->tcp_flags,
			    (__u32)bits << (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 8 * side : 24 - 8 * side));
#else
	flow->tcp_flags[side] |= bits;
#endif
}

SONDE_INLINE __u32 sonde_flow_opener(const struct sonde_flow *flow)
{
	return flow->flags & SONDE_FLOW_OPENER_1 ? 1 : 0;
}

SONDE_INLINE __u16 sonde_flow_opener_bit(const struct sonde_flow_packet *packet)
{
	int answers = packet->flags & SONDE_FLOW_PACKET_REPLY ||
		      (packet->flags & SONDE_FLOW_PACKET_TCP &&
		       (packet->tcp_flags & (SONDE_TCP_SYN | SONDE_TCP_ACK)) == (SONDE_TCP_SYN | SONDE_TCP_ACK));

	return (answers ? !packet->side : packet->side) ? SONDE_FLOW_OPENER_1 : 0;
}

/* A flow begins with this packet: writes all but key and state. The packet itself is added by sonde_flow_update(). */
SONDE_INLINE void sonde_flow_start(struct sonde_flow *flow, const struct sonde_flow_packet *packet, __u64 now_ns)
{
	int i;

	for (i = 0; i < 2; i++) {
		flow->packets[i] = 0;
		flow->bytes[i] = 0;
		flow->sequence_end[i] = 0;
		flow->handshake_us[i] = 0;
		flow->retransmissions[i] = 0;
		flow->tcp_flags[i] = 0;
		flow->hop_limit[i] = 0;
	}
	flow->first_ns = flow->last_ns = now_ns;
	flow->vlan = packet->flags & SONDE_FLOW_PACKET_VLAN ? packet->vlan : 0;
	flow->flags = (packet->flags & SONDE_FLOW_PACKET_VLAN ? SONDE_FLOW_VLAN : 0) | sonde_flow_opener_bit(packet);
}

SONDE_INLINE __u32 sonde_flow_age_us(const struct sonde_flow *flow, __u64 now_ns)
{
	return now_ns > flow->first_ns ? (__u32)((now_ns - flow->first_ns) / 1000) : 0;
}

/* Does the packet need the exact time? All others may be up to a timer tick early. */
SONDE_INLINE int sonde_flow_wants_exact_time(const struct sonde_flow *flow, const struct sonde_flow_packet *packet)
{
	return (packet->flags & SONDE_FLOW_PACKET_TCP) &&
	       (packet->tcp_flags & SONDE_TCP_SYN ||
		(flow->flags & (SONDE_FLOW_SYN_ACK | SONDE_FLOW_HANDSHAKE)) == SONDE_FLOW_SYN_ACK);
}

/*
 * The times of the handshake. Until they are valid, handshake_us[0] is when the last SYN was sent and handshake_us[1]
 * when the last SYN-ACK was, since first_ns: repeated ones are measured from the last.
 */
SONDE_INLINE void sonde_flow_handshake(struct sonde_flow *flow, const struct sonde_flow_packet *packet, __u64 now_ns)
{
	__u32 opener = sonde_flow_opener(flow), now_us = sonde_flow_age_us(flow, now_ns);
	__u8 kind = packet->tcp_flags & (SONDE_TCP_SYN | SONDE_TCP_ACK | SONDE_TCP_RST);

	if (flow->flags & SONDE_FLOW_HANDSHAKE)
		return;
	if (kind == SONDE_TCP_SYN && packet->side == opener && !(flow->flags & SONDE_FLOW_SYN_ACK)) {
		flow->handshake_us[0] = now_us;
	} else if (kind == (SONDE_TCP_SYN | SONDE_TCP_ACK) && packet->side != opener &&
		   flow->tcp_flags[opener & 1] & SONDE_TCP_SYN) {
		flow->handshake_us[1] = now_us;
		if (!(flow->flags & SONDE_FLOW_SYN_ACK)) {
			flow->handshake_us[0] = now_us - flow->handshake_us[0];
			sonde_flow_set_flags(flow, SONDE_FLOW_SYN_ACK);
		}
	} else if (kind == SONDE_TCP_ACK && packet->side == opener && flow->flags & SONDE_FLOW_SYN_ACK) {
		flow->handshake_us[1] = now_us - flow->handshake_us[1];
		sonde_flow_set_flags(flow, SONDE_FLOW_HANDSHAKE);
	}
}

/*
 * Sequence numbers are compared as RFC 9293 3.4 says, modulo 2^32. What takes up room in the sequence (payload, SYN,
 * FIN) and brings nothing behind the end so far was sent before, or is late. A keepalive or window probe is a byte or
 * none before the end, without SYN and FIN (RFC 9293 3.8.4).
 */
SONDE_INLINE void sonde_flow_sequence(struct sonde_flow *flow, const struct sonde_flow_packet *packet)
{
	__u16 known = packet->side ? SONDE_FLOW_SEQUENCE_1 : SONDE_FLOW_SEQUENCE_0;
	__u32 side = packet->side & 1, length = packet->payload_size, end, last = flow->sequence_end[side];
	int marked = packet->tcp_flags & (SONDE_TCP_SYN | SONDE_TCP_FIN);

	if (packet->tcp_flags & SONDE_TCP_SYN)
		length++;
	if (packet->tcp_flags & SONDE_TCP_FIN)
		length++;
	end = packet->sequence + length;
	if (!(flow->flags & known)) {
		flow->sequence_end[side] = end;
		sonde_flow_set_flags(flow, known);
	} else if ((__s32)(end - last) > 0) {
		flow->sequence_end[side] = end;
	} else if (length && !(length == 1 && !marked && packet->sequence == last - 1)) {
#ifdef __bpf__
		__sync_fetch_and_add(&flow->retransmissions[side], packet->segments);
#else
		flow->retransmissions[side] += packet->segments;
#endif
	}
}

SONDE_INLINE void sonde_flow_tcp(struct sonde_flow *flow, const struct sonde_flow_packet *packet, __u64 now_ns)
{
	if (packet->tcp_flags & SONDE_TCP_SYN && !(flow->flags & SONDE_FLOW_START_SEEN)) {
		/* Seen in the middle before: a SYN says more than who came first. */
		sonde_flow_set_opener(flow, sonde_flow_opener_bit(packet));
		sonde_flow_set_flags(flow, SONDE_FLOW_START_SEEN);
	}
	if (!(flow->flags & SONDE_FLOW_HANDSHAKE))
		sonde_flow_handshake(flow, packet, now_ns);
	if (!(packet->tcp_flags & SONDE_TCP_RST)) /* a reset's number is what the other side asked for, often 0 */
		sonde_flow_sequence(flow, packet);
	sonde_flow_set_tcp_flags(flow, packet->side, packet->tcp_flags);
}

/* Adds a packet to its flow. */
SONDE_INLINE void sonde_flow_update(struct sonde_flow *flow, const struct sonde_flow_packet *packet, __u64 now_ns)
{
	__u32 side = packet->side & 1;

	sonde_flow_add(flow->packets[side], packet->segments);
	sonde_flow_add(flow->bytes[side], packet->size);
	if (now_ns > flow->last_ns)
		flow->last_ns = now_ns;
	flow->hop_limit[side] = packet->hop_limit;
	sonde_flow_set_flags(flow, (packet->flags & SONDE_FLOW_PACKET_SENT ? SONDE_FLOW_SENT_0 : SONDE_FLOW_RECEIVED_0)
					   << side);
	if (packet->flags & SONDE_FLOW_PACKET_TCP)
		sonde_flow_tcp(flow, packet, now_ns);
}

SONDE_INLINE int sonde_flow_is_reset(const struct sonde_flow *flow)
{
	return ((flow->tcp_flags[0] | flow->tcp_flags[1]) & SONDE_TCP_RST) != 0;
}

/* TCP: both sides have said that they send no more. */
SONDE_INLINE int sonde_flow_is_closed(const struct sonde_flow *flow)
{
	return (flow->tcp_flags[0] & flow->tcp_flags[1] & SONDE_TCP_FIN) != 0;
}

/*
 * Does the packet begin another flow with the key of this one? A SYN after FIN or RST does. Tries that were refused are
 * one flow however often they are repeated: else whoever sends SYNs could fill a table by a single tuple.
 */
SONDE_INLINE int sonde_flow_is_reused(const struct sonde_flow *flow, const struct sonde_flow_packet *packet)
{
	int refused = flow->flags & SONDE_FLOW_START_SEEN && !(flow->flags & SONDE_FLOW_SYN_ACK);

	if (!(packet->flags & SONDE_FLOW_PACKET_TCP) ||
	    (packet->tcp_flags & (SONDE_TCP_SYN | SONDE_TCP_ACK | SONDE_TCP_RST)) != SONDE_TCP_SYN)
		return 0;
	return (sonde_flow_is_closed(flow) || sonde_flow_is_reset(flow)) && !refused;
}

/*
 * 1: an ICMP error that says its packet did not get where it was to go: unreachable or time exceeded. That a packet is
 * too big for the path (RFC 1191, RFC 4443 3.2) is none, it is sent again in parts.
 */
SONDE_INLINE int sonde_flow_is_icmp_error(const struct sonde_packet_event *event)
{
	if (event->flags & SONDE_PACKET_LATER_FRAGMENT || event->status == SONDE_PARSE_TRUNCATED_TRANSPORT)
		return 0;
	if (event->protocol == SONDE_IP_ICMP)
		return (event->icmp_type == 3 && event->icmp_code != 4) || event->icmp_type == 11;
	return event->protocol == SONDE_IP_ICMPV6 && (event->icmp_type == 1 || event->icmp_type == 3);
}

enum { SONDE_FLOW_QUOTE = 48 }; /* bytes of the quoted packet that tell its flow: an IP header and the ports */

/*
 * The flow of the packet that an ICMP error quotes: `size` bytes of it, of which SONDE_FLOW_QUOTE are readable (zeros
 * behind the size). Its addresses must be in `scratch`, 32 bytes. 0: cannot be told (IPv4 options, IPv6 extension
 * headers, too short).
 */
SONDE_INLINE int sonde_flow_quoted_key(const __u8 *quote, __u32 size, __u32 group, __u8 *scratch,
				       struct sonde_flow_key *key)
{
	__u32 header = quote[0] == 0x45 ? 20 : 40;
	__u16 source_port = 0, destination_port = 0;
	__u8 protocol;

	if (size < header || (header == 40 && quote[0] >> 4 != 6))
		return 0;
	__builtin_memset(scratch, 0, 32);
	if (header == 20) {
		protocol = quote[9];
		if (sonde_load16(quote + 6) & 0x1fff)
			return 0;
		sonde_store32(scratch + 8, sonde_big32(0xffff));
		sonde_store32(scratch + 12, sonde_raw32(quote + 12));
		sonde_store32(scratch + 24, sonde_big32(0xffff));
		sonde_store32(scratch + 28, sonde_raw32(quote + 16));
	} else {
		protocol = quote[6];
		if (sonde_extension_size(protocol, 0))
			return 0;
		__builtin_memcpy(scratch, quote + 8, 32);
	}
	if (protocol == SONDE_IP_TCP || protocol == SONDE_IP_UDP || protocol == SONDE_IP_SCTP) {
		if (size < header + 4)
			return 0;
		source_port = header == 20 ? sonde_load16(quote + 20) : sonde_load16(quote + 40);
		destination_port = header == 20 ? sonde_load16(quote + 22) : sonde_load16(quote + 42);
	}
	(void)sonde_flow_fill_key(key, scratch, scratch + 16, source_port, destination_port, protocol, group);
	return 1;
}

/* NOLINTEND */

#endif
