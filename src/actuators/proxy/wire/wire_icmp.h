/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * ICMP errors. A router that cannot pass on a packet which forward_packet rewrote tells this host, because the packet
 * has its address: the peer that sent it is told instead, as of the packet that it sent. And a packet that is too long
 * for the way it would leave by is answered so.
 *
 * Both messages are made anew, with the headers of the packet and nothing behind them: its ports and sequence number
 * are what a receiver asks (RFC 5927 4). They come from the address of this host that the peer is connected to, not
 * from the router's: networks that check source addresses let them pass, IPv4 routers can be heard of by IPv6 peers,
 * and peers learn nothing of the network behind.
 */
#ifndef SONDE_PROXY_WIRE_ICMP_H
#define SONDE_PROXY_WIRE_ICMP_H

#include "wire_control.h"

enum {
	ICMP_HEADER = 8,
	ICMP_HOPS = 64,
	TCP_PART = 8, /* of the TCP header, at least, in an ICMP error (RFC 792) */
	IPV6_MTU_AT_LEAST = 1280,

	/* IPv4: type << 8 | code (RFC 792, RFC 1191, RFC 1812) */
	ICMP4_UNREACHABLE = 3 << 8,
	ICMP4_NO_HOST = 3 << 8 | 1,
	ICMP4_NO_PROTOCOL = 3 << 8 | 2,
	ICMP4_NO_PORT = 3 << 8 | 3,
	ICMP4_TOO_BIG = 3 << 8 | 4,
	ICMP4_NETWORK_PROHIBITED = 3 << 8 | 9,
	ICMP4_HOST_PROHIBITED = 3 << 8 | 10,
	ICMP4_PROHIBITED = 3 << 8 | 13,
	ICMP4_PRECEDENCE_VIOLATED = 3 << 8 | 14,
	ICMP4_PRECEDENCE_TOO_LOW = 3 << 8 | 15,
	ICMP4_EXPIRED = 11 << 8,
	ICMP4_PARAMETER = 12 << 8,

	/* IPv6 (RFC 4443) */
	ICMP6_NO_ROUTE = 1 << 8,
	ICMP6_PROHIBITED = 1 << 8 | 1,
	ICMP6_NO_PORT = 1 << 8 | 4,
	ICMP6_TOO_BIG = 2 << 8,
	ICMP6_EXPIRED = 3 << 8,
	ICMP6_PARAMETER = 4 << 8,
	ICMP6_NEXT_HEADER = 4 << 8 | 1,

	/* Offset of the next header in an IPv6 header: what ICMP6_NEXT_HEADER points at. */
	IPV6_NEXT_HEADER = 6,
	NO_ERROR = -1,
};

/* An error as it arrived, with what there was of the packet that caused it: one that this host sent. */
struct wire_error {
	__u32 outer[10]; /* IP header */
	__u32 message;   /* offset of the ICMP header */
	__u32 bytes;     /* of the message */
	__u8 icmp[ICMP_HEADER];
	__u32 inner[10];
	__u32 tcp[5]; /* its ports and sequence number, then zeros or more */
	__u32 tcp_bytes;
	struct sonde_wire_flow flow; /* of packets that its receiver sends */
};

/* What leaves: IP, ICMP, IP, TCP. */
struct wire_error_ipv4 {
	__u32 ip[5];
	__u32 icmp[2];
	__u32 inner[5];
	__u32 tcp[5];
};
struct wire_error_ipv6 {
	__u32 ip[10];
	__u32 icmp[2];
	__u32 inner[10];
	__u32 tcp[5];
};

/* Too much for the stack. No program interrupts this one on its CPU. */
struct wire_error_scratch {
	struct wire_error error;
	union {
		struct wire_error_ipv4 ipv4;
		struct wire_error_ipv6 ipv6;
	} message;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wire_error_scratch);
} ERROR_SCRATCH SEC(".maps");

static __always_inline struct wire_error_scratch *clear_error_scratch(void)
{
	__u32 zero = 0;
	struct wire_error_scratch *scratch = bpf_map_lookup_elem(&ERROR_SCRATCH, &zero);

	if (scratch)
		__builtin_memset(scratch, 0, sizeof(*scratch));
	return scratch;
}

/* Sum of 1 to 1536 bytes of the packet; of others it is wrong. */
static __noinline __u32 sum_bytes(struct __sk_buff *skb, __u32 offset, __u32 length, __u32 sum)
{
	__u32 words[16];

	for (int turn = 0; turn < 23 && length > sizeof(words); turn++) {
		if (bpf_skb_load_bytes(skb, offset, words, sizeof(words)))
			return 0;
		sum = bpf_csum_diff(0, 0, words, sizeof(words), sum);
		offset += sizeof(words);
		length -= sizeof(words);
	}
	/* In words of the verifier of Linux 6.1: 1 to 64. */
	length = (length - 1) & (sizeof(words) - 1);
	asm volatile("" : "+r"(length));
	__builtin_memset(words, 0, sizeof(words));
	if (bpf_skb_load_bytes(skb, offset, words, length + 1))
		return 0;
	return bpf_csum_diff(0, 0, words, sizeof(words), sum);
}

static __always_inline __u16 checksum_of(void *bytes, __u32 size, __u64 more)
{
	return ~fold_checksum(more + (__u32)bpf_csum_diff(0, 0, bytes, size, 0));
}

static __always_inline void set_ipv4_header(__u32 *ip, __u32 length, __u32 source, __u32 destination, __u32 protocol)
{
	__u8 *bytes = (__u8 *)ip;

	ip[0] = bpf_htonl(0x45000000 | length);
	ip[1] = bpf_htonl(0x4000);
	ip[2] = 0;
	bytes[8] = ICMP_HOPS;
	bytes[9] = protocol;
	ip[3] = source;
	ip[4] = destination;
	*(__u16 *)(bytes + 10) = checksum_of(ip, IPV4_HEADER, 0);
}

static __always_inline void set_ipv6_header(__u32 *ip, __u32 length, const __u32 *source, const __u32 *destination,
					    __u32 protocol)
{
	ip[0] = bpf_htonl(0x60000000);
	ip[1] = bpf_htonl(length << 16 | protocol << 8 | ICMP_HOPS);
	__builtin_memcpy(ip + 2, source, 16);
	__builtin_memcpy(ip + 6, destination, 16);
}

/* Of the pseudo-header of ICMPv6 (RFC 8200 8.1). */
static __always_inline __u64 icmp6_pseudo_sum(__u32 *ip, __u32 length)
{
	return (__u64)(__u32)bpf_csum_diff(0, 0, ip + 2, 32, 0) + bpf_htonl(length) + bpf_htonl(IP_ICMPV6);
}

static __always_inline int send_error(struct __sk_buff *skb, __u32 link, __u32 ifindex)
{
	if (!ifindex) {
		count_wire(dropped_no_route, 1);
		return VERDICT_DROP;
	}
	if (!link && bpf_skb_change_head(skb, ETHERNET_HEADER, 0))
		return VERDICT_DROP;
	return bpf_redirect_neigh(ifindex, 0, 0, 0);
}

/* Type and code of an error that is passed on, or NO_ERROR. */
static __always_inline int error_kind(const __u8 *icmp, int is_ipv6)
{
	__u32 type = icmp[0];

	if (is_ipv6 ? type >= 1 && type <= 4 : type == 3 || type == 11 || type == 12)
		return type << 8 | icmp[1];
	return NO_ERROR;
}

/* As IPv6 has it (RFC 7915 4.2). `rest`: the second word of the ICMP header, host byte order. */
static __always_inline int kind_to_ipv6(int kind, __u32 *rest)
{
	__u32 mtu = (*rest & 0xffff) + FAMILY_DIFFERENCE;

	*rest = 0;
	if (kind >> 8 == ICMP4_EXPIRED >> 8)
		return ICMP6_EXPIRED | (kind & 0xff);
	switch (kind) {
	case ICMP4_TOO_BIG: /* of 0, from before RFC 1191, too */
		*rest = mtu < IPV6_MTU_AT_LEAST ? IPV6_MTU_AT_LEAST : mtu;
		return ICMP6_TOO_BIG;
	case ICMP4_NO_PROTOCOL:
		*rest = IPV6_NEXT_HEADER;
		return ICMP6_NEXT_HEADER;
	case ICMP4_NO_PORT:
		return ICMP6_NO_PORT;
	case ICMP4_NETWORK_PROHIBITED:
	case ICMP4_HOST_PROHIBITED:
	case ICMP4_PROHIBITED:
	case ICMP4_PRECEDENCE_TOO_LOW:
		return ICMP6_PROHIBITED;
	case ICMP4_PRECEDENCE_VIOLATED:
		return NO_ERROR;
	}
	/* A parameter problem is of the header that this host made. */
	return kind >> 8 == ICMP4_UNREACHABLE >> 8 ? ICMP6_NO_ROUTE : NO_ERROR;
}

/* As IPv4 has it (RFC 7915 5.2). */
static __always_inline int kind_to_ipv4(int kind, __u32 *rest)
{
	__u32 mtu = *rest < FAMILY_DIFFERENCE ? 0 : *rest - FAMILY_DIFFERENCE;

	*rest = 0;
	switch (kind >> 8) {
	case ICMP6_NO_ROUTE >> 8:
		return kind == ICMP6_PROHIBITED ? ICMP4_HOST_PROHIBITED
		       : kind == ICMP6_NO_PORT  ? ICMP4_NO_PORT
						: ICMP4_NO_HOST;
	case ICMP6_TOO_BIG >> 8:
		*rest = mtu > 0xffff ? 0xffff : mtu;
		return ICMP4_TOO_BIG;
	case ICMP6_EXPIRED >> 8:
		return ICMP4_EXPIRED | (kind & 0xff);
	}
	return kind == ICMP6_NEXT_HEADER ? ICMP4_NO_PROTOCOL : NO_ERROR;
}

/* Loads the packet that caused it. False: it is not one of TCP, or too little of it is there. */
static __always_inline int parse_inner(struct __sk_buff *skb, struct wire_error *error, int is_ipv6)
{
	__u32 offset = error->message + ICMP_HEADER, header = IPV6_HEADER, left;
	__u8 *inner = (__u8 *)error->inner;
	__u16 *ports = (__u16 *)error->tcp;

	if (is_ipv6) {
		if (bpf_skb_load_bytes(skb, offset, inner, IPV6_HEADER) || inner[6] != IP_TCP)
			return 0;
		__builtin_memcpy(error->flow.source, inner + 24, 16);
		__builtin_memcpy(error->flow.destination, inner + 8, 16);
	} else {
		if (bpf_skb_load_bytes(skb, offset, inner, IPV4_HEADER) || inner[9] != IP_TCP ||
		    *(__u16 *)(inner + 6) & bpf_htons(0x1fff))
			return 0;
		header = (inner[0] & 15) * 4;
		set_ipv4(error->flow.source, error->inner[4]);
		set_ipv4(error->flow.destination, error->inner[3]);
	}
	if (inner[0] >> 4 != (is_ipv6 ? 6 : 4) || header < IPV4_HEADER ||
	    error->bytes < ICMP_HEADER + header + TCP_PART)
		return 0;
	left = error->bytes - ICMP_HEADER - header;
	error->tcp_bytes = left < TCP_HEADER ? TCP_PART : TCP_HEADER;
	if (bpf_skb_load_bytes(skb, offset + header, error->tcp, TCP_PART) ||
	    (error->tcp_bytes == TCP_HEADER && bpf_skb_load_bytes(skb, offset + header, error->tcp, TCP_HEADER)))
		return 0;
	error->flow.source_port = ports[1];
	error->flow.destination_port = ports[0];
	return 1;
}

/* Whether it is an ICMP error to this host, of a TCP packet. Its checksum is not looked at. */
static __always_inline int parse_error(struct __sk_buff *skb, __u32 link, struct wire_error *error, int is_ipv6)
{
	__u8 *ip = (__u8 *)error->outer;
	__u32 header = IPV6_HEADER;

	if (is_ipv6) {
		if (bpf_skb_load_bytes(skb, link, ip, IPV6_HEADER) || ip[0] >> 4 != 6 || ip[6] != IP_ICMPV6)
			return 0;
		error->bytes = bpf_ntohs(*(__u16 *)(ip + 4));
	} else {
		if (bpf_skb_load_bytes(skb, link, ip, IPV4_HEADER) || ip[0] >> 4 != 4 || ip[9] != IP_ICMP ||
		    *(__u16 *)(ip + 6) & bpf_htons(0x3fff)) /* in pieces */
			return 0;
		header = (ip[0] & 15) * 4;
		error->bytes = bpf_ntohs(*(__u16 *)(ip + 2)) - header;
	}
	error->message = link + header;
	if (header < IPV4_HEADER || error->bytes > 1500 || error->message + error->bytes > skb->len ||
	    bpf_skb_load_bytes(skb, error->message, error->icmp, ICMP_HEADER) ||
	    error_kind(error->icmp, is_ipv6) == NO_ERROR)
		return 0;
	return parse_inner(skb, error, is_ipv6);
}

static __always_inline int is_checksum_right(struct __sk_buff *skb, struct wire_error *error, int is_ipv6)
{
	__u64 sum = is_ipv6 ? icmp6_pseudo_sum(error->outer, error->bytes) : 0;

	return fold_checksum(sum_bytes(skb, error->message, error->bytes, fold_checksum(sum))) == 0xffff;
}

/* Makes it of `length` bytes and of the other family if need be; all of them are to be written. False: no room. */
static __always_inline int resize_error(struct __sk_buff *skb, __u32 link, int from_ipv6, int to_ipv6, __u32 length)
{
	if (from_ipv6 != to_ipv6 &&
	    bpf_skb_change_proto(skb, bpf_htons(to_ipv6 ? ETHER_TYPE_IPV6 : ETHER_TYPE_IPV4), 0))
		return 0;
	return skb->len == link + length || !bpf_skb_change_tail(skb, link + length, 0);
}

/* `side`: of packets that leave towards who is told. `kind`, `rest`: as IPv4 has them. */
static __noinline int tell_ipv4(struct __sk_buff *skb, __u32 link, struct wire_error_scratch *scratch,
				const struct sonde_wire_side_state *side, __u64 kind_rest)
{
	const struct wire_error *error = &scratch->error;
	__u32 length = sizeof(struct wire_error_ipv4) - TCP_HEADER + error->tcp_bytes;
	struct wire_error_ipv4 *message = &scratch->message.ipv4;
	__u32 kind = kind_rest >> 32;
	int from_ipv6 = !!(side->flags & SONDE_WIRE_FROM_IPV6);

	set_ipv4_header(message->ip, length, side->source[3], side->destination[3], IP_ICMP);
	/* Of this header, who sent the packet looks at the ends and the protocol only. */
	if (from_ipv6)
		set_ipv4_header(message->inner, (bpf_ntohl(error->inner[1]) >> 16) + IPV4_HEADER, side->destination[3],
				side->source[3], IP_TCP);
	else
		set_ipv4_header(message->inner, bpf_ntohl(error->inner[0]) & 0xffff, side->destination[3],
				side->source[3], IP_TCP);
	__builtin_memcpy(message->tcp, error->tcp, TCP_HEADER);
	message->icmp[0] = bpf_htonl(kind << 16);
	message->icmp[1] = bpf_htonl((__u32)kind_rest);
	message->icmp[0] |= (__u32)checksum_of(message->icmp, sizeof(*message) - IPV4_HEADER, 0) << 16;
	if (!resize_error(skb, link, from_ipv6, 0, length))
		return VERDICT_DROP;
	if (bpf_skb_store_bytes(skb, link, message, sizeof(*message) - TCP_HEADER + TCP_PART, BPF_F_RECOMPUTE_CSUM) ||
	    (length == sizeof(*message) &&
	     bpf_skb_store_bytes(skb, link, message, sizeof(*message), BPF_F_RECOMPUTE_CSUM)))
		return VERDICT_DROP;
	return 0;
}

static __noinline int tell_ipv6(struct __sk_buff *skb, __u32 link, struct wire_error_scratch *scratch,
				const struct sonde_wire_side_state *side, __u64 kind_rest)
{
	const struct wire_error *error = &scratch->error;
	__u32 length = sizeof(struct wire_error_ipv6) - TCP_HEADER + error->tcp_bytes;
	struct wire_error_ipv6 *message = &scratch->message.ipv6;
	__u32 kind = kind_rest >> 32, payload;
	int from_ipv6 = !!(side->flags & SONDE_WIRE_FROM_IPV6);

	payload = from_ipv6 ? bpf_ntohl(error->inner[1]) >> 16 : (bpf_ntohl(error->inner[0]) & 0xffff) - IPV4_HEADER;
	set_ipv6_header(message->ip, length - IPV6_HEADER, side->source, side->destination, IP_ICMPV6);
	set_ipv6_header(message->inner, payload & 0xffff, side->destination, side->source, IP_TCP);
	__builtin_memcpy(message->tcp, error->tcp, TCP_HEADER);
	message->icmp[0] = bpf_htonl(kind << 16);
	message->icmp[1] = bpf_htonl((__u32)kind_rest);
	message->icmp[0] |= (__u32)checksum_of(message->icmp, sizeof(*message) - IPV6_HEADER,
					       icmp6_pseudo_sum(message->ip, length - IPV6_HEADER))
			    << 16;
	if (!resize_error(skb, link, from_ipv6, 1, length))
		return VERDICT_DROP;
	if (bpf_skb_store_bytes(skb, link, message, sizeof(*message) - TCP_HEADER + TCP_PART, BPF_F_RECOMPUTE_CSUM) ||
	    (length == sizeof(*message) &&
	     bpf_skb_store_bytes(skb, link, message, sizeof(*message), BPF_F_RECOMPUTE_CSUM)))
		return VERDICT_DROP;
	return 0;
}

/*
 * Finds who sent the packet that the error is about, and tells it. While sockets are joining the error is the stack's:
 * the packet may be one of theirs, and if it is not, it is sent again and causes another. Nothing is learned from "too
 * big" here: the peer sends less then, and the route's own MTU is the route's.
 */
static __noinline int forward_error(struct __sk_buff *skb, __u32 link, int is_ipv6)
{
	struct sonde_wire_side_state *side, *causing;
	struct sonde_wire_connection *connection;
	struct wire_error_scratch *scratch = clear_error_scratch();
	struct wire_error *error;
	struct sonde_wire_place *place;
	int kind, verdict;
	__u32 rest;

	if (!scratch)
		return VERDICT_NEXT;
	error = &scratch->error;
	if (!parse_error(skb, link, error, is_ipv6))
		return VERDICT_NEXT;
	place = bpf_map_lookup_elem(&FLOWS, &error->flow);
	if (!place)
		return VERDICT_NEXT;
	connection = bpf_map_lookup_elem(&CONNECTIONS, &place->connection);
	if (!connection || connection->phase != SONDE_WIRE_SPLICED || !is_checksum_right(skb, error, is_ipv6))
		return VERDICT_NEXT;
	side = &connection->sides[place->side & 1];
	causing = &connection->sides[1 - (place->side & 1)];
	kind = error_kind(error->icmp, is_ipv6);
	rest = bpf_ntohl(*(__u32 *)(error->icmp + 4));
	if (!is_ipv6 && side->flags & SONDE_WIRE_TO_IPV6)
		kind = kind_to_ipv6(kind, &rest);
	if (is_ipv6 && !(side->flags & SONDE_WIRE_TO_IPV6))
		kind = kind_to_ipv4(kind, &rest);
	if (kind == NO_ERROR)
		return VERDICT_NEXT;
	error->tcp[0] = side->destination_port | (__u32)side->source_port << 16;
	error->tcp[1] = bpf_htonl(bpf_ntohl(error->tcp[1]) - causing->sequence_delta);
	if (error->tcp_bytes == TCP_HEADER)
		error->tcp[2] = bpf_htonl(bpf_ntohl(error->tcp[2]) - causing->acknowledgement_delta);
	verdict = side->flags & SONDE_WIRE_TO_IPV6
			  ? tell_ipv6(skb, link, scratch, side, (__u64)(__u32)kind << 32 | rest)
			  : tell_ipv4(skb, link, scratch, side, (__u64)(__u32)kind << 32 | rest);
	if (verdict)
		return verdict;
	count_wire(errors_translated, 1);
	return send_error(skb, link, side->ifindex);
}

/* Whether it may be an ICMP error. */
static __always_inline int is_icmp(struct __sk_buff *skb, __u32 link)
{
	__u8 *protocol;

	if (skb->protocol == bpf_htons(ETHER_TYPE_IPV4)) {
		protocol = pull_bytes(skb, link + 9, 1);
		return protocol && *protocol == IP_ICMP;
	}
	if (skb->protocol == bpf_htons(ETHER_TYPE_IPV6)) {
		protocol = pull_bytes(skb, link + 6, 1);
		return protocol && *protocol == IP_ICMPV6;
	}
	return 0;
}

/* One that is_icmp(). */
static __always_inline int forward_icmp_error(struct __sk_buff *skb, __u32 link)
{
	if (skb->pkt_type != 0 || skb->vlan_present)
		return VERDICT_NEXT;
	return forward_error(skb, link, skb->protocol == bpf_htons(ETHER_TYPE_IPV6));
}

/*
 * Tells the sender of a packet, of `side`, that it is too long for the way it would leave by. Outer headers go before
 * those of the packet, which stay where they are: if its checksum is left to the device, the device will sum up the TCP
 * header and put the result there, so that the sum is 0 then. Nobody asks for the checksum of a packet that is cut.
 */
static __noinline int answer_too_big(struct __sk_buff *skb, __u32 link, const struct wire_packet *packet,
				     const struct sonde_wire_side_state *side, __u32 ifindex)
{
	__u32 inner = packet->tcp - packet->ip + TCP_HEADER, header = packet->is_ipv6 ? IPV6_HEADER : IPV4_HEADER;
	__u32 mtu = side->mtu + header - (side->flags & SONDE_WIRE_TO_IPV6 ? IPV6_HEADER : IPV4_HEADER);
	__u32 front = ETHERNET_HEADER - link + header + ICMP_HEADER;
	struct wire_error_scratch *scratch = clear_error_scratch();
	struct wire_error_ipv6 *message;
	struct wire_error_ipv4 *ipv4;
	__u16 no_checksum = 0;
	__u64 sum = 0;

	if (!scratch)
		return VERDICT_DROP;
	message = &scratch->message.ipv6;
	ipv4 = &scratch->message.ipv4;
	if (bpf_skb_change_tail(skb, packet->ip + inner, 0) ||
	    bpf_skb_load_bytes(skb, packet->tcp, message->tcp, TCP_HEADER))
		return VERDICT_DROP;
	message->tcp[4] &= bpf_htonl(0xffff);
	if (!is_checksum_partial(skb, packet->tcp))
		sum = (__u32)bpf_csum_diff(0, 0, message->tcp, TCP_HEADER, 0);
	if (bpf_skb_store_bytes(skb, packet->tcp + TCP_CHECKSUM, &no_checksum, sizeof(no_checksum),
				BPF_F_RECOMPUTE_CSUM))
		return VERDICT_DROP;
	if (packet->is_ipv6) {
		if (bpf_skb_load_bytes(skb, packet->ip, message->inner, IPV6_HEADER))
			return VERDICT_DROP;
		set_ipv6_header(message->ip, ICMP_HEADER + inner, packet->flow.destination, packet->flow.source,
				IP_ICMPV6);
		message->icmp[0] = bpf_htonl(ICMP6_TOO_BIG << 16);
		message->icmp[1] = bpf_htonl(mtu < IPV6_MTU_AT_LEAST ? IPV6_MTU_AT_LEAST : mtu);
		sum += icmp6_pseudo_sum(message->ip, ICMP_HEADER + inner);
		sum += (__u32)bpf_csum_diff(0, 0, message->inner, IPV6_HEADER, 0);
		message->icmp[0] |= (__u32)checksum_of(message->icmp, ICMP_HEADER, sum) << 16;
		if (bpf_skb_change_head(skb, front, 0) ||
		    bpf_skb_store_bytes(skb, ETHERNET_HEADER, message, IPV6_HEADER + ICMP_HEADER, BPF_F_RECOMPUTE_CSUM))
			return VERDICT_DROP;
	} else {
		/* The sum of a right IP header is 0. */
		set_ipv4_header(ipv4->ip, IPV4_HEADER + ICMP_HEADER + inner, packet->flow.destination[3],
				packet->flow.source[3], IP_ICMP);
		ipv4->icmp[0] = bpf_htonl(ICMP4_TOO_BIG << 16);
		ipv4->icmp[1] = bpf_htonl(mtu);
		ipv4->icmp[0] |= (__u32)checksum_of(ipv4->icmp, ICMP_HEADER, sum) << 16;
		if (bpf_skb_change_head(skb, front, 0) ||
		    bpf_skb_store_bytes(skb, ETHERNET_HEADER, ipv4, IPV4_HEADER + ICMP_HEADER, BPF_F_RECOMPUTE_CSUM))
			return VERDICT_DROP;
	}
	count_wire(errors_sent, 1);
	return send_error(skb, ETHERNET_HEADER, ifindex);
}

#endif
