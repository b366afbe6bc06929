/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A packet of one connection becomes one of the other. docs/wire-splice.md has the table. */
#ifndef SONDE_PROXY_WIRE_REWRITE_H
#define SONDE_PROXY_WIRE_REWRITE_H

#include "wire_control.h"
#include "wire_options.h"

struct wire_rewrite {
	__u32 acknowledgement; /* as it leaves */
	__u32 window;          /* bytes behind it */
	int joining;
};

/* Exchanges a word in network byte order; what the sum of the bytes changes by. */
static __always_inline __u64 exchange(void *place, __u32 after)
{
	__u32 before = *(__u32 *)place;

	*(__u32 *)place = after;
	return (__u64)(__u32)~before + after;
}

static __always_inline __u32 fold_sum(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (sum & 0xffffffff) + (sum >> 32);
}

/* The header without its options. The urgent pointer counts from the sequence number, so it stays. */
static __always_inline __u64 rewrite_fixed(__u8 *tcp, const struct wire_packet *packet,
					   const struct sonde_wire_side_state *side, const struct wire_rewrite *rewrite)
{
	__u32 window = rewrite->window >> side->window_shift_out, word = packet->word;
	__u64 sum;

	if (window > 0xffff)
		window = 0xffff;
	if (packet->word & TCP_SYN) /* is never scaled (RFC 7323 2.2) */
		window = word & 0xffff;
	if (side->flags & SONDE_WIRE_NO_ECN)
		word &= ~(__u32)(TCP_ECE | TCP_CWR);
	sum = exchange(tcp, side->source_port | (__u32)side->destination_port << 16);
	sum += exchange(tcp + TCP_SEQUENCE, bpf_htonl(packet->sequence + side->sequence_delta));
	if (word & TCP_ACK)
		sum += exchange(tcp + TCP_ACKNOWLEDGEMENT, bpf_htonl(rewrite->acknowledgement));
	return sum + exchange(tcp + TCP_OFFSET_FLAGS_WINDOW, bpf_htonl((word & 0xffff0000) | window));
}

/*
 * The layouts that nearly all packets have: no options, or padded timestamps. 0: it is another one. Places are constant
 * behind `tcp`, so this needs no copy of the header.
 */
static __always_inline int rewrite_common_options(struct __sk_buff *skb, const struct wire_packet *packet,
						  const struct sonde_wire_side_state *side, int joining, __u64 *sum)
{
	__u8 *options;

	if (packet->header == TCP_HEADER)
		return 1;
	if (packet->header != TCP_HEADER + PADDED_SIZE)
		return 0;
	options = bytes_at(skb, (packet->tcp & PLACE_MASK) + TCP_HEADER, PADDED_SIZE);
	if (!options || *(__u32 *)options != bpf_htonl(PADDED_TIMESTAMPS))
		return 0;
	*sum += exchange(options + 4, bpf_htonl(bpf_ntohl(*(__u32 *)(options + 4)) + side->timestamp_delta));
	*sum += exchange(options + 8,
			 bpf_htonl(rewrite_echo(side, bpf_ntohl(*(__u32 *)(options + 8)), joining)));
	return 1;
}

/* Type of service: what leaves, or -1 for a mark of congestion that the receiver would not understand. */
static __always_inline int rewrite_service(__u32 service, const struct sonde_wire_side_state *side)
{
	if (!(side->flags & SONDE_WIRE_NO_ECN))
		return service;
	return (service & ECN_MASK) == ECN_CE ? -1 : service & ~ECN_MASK;
}

static __always_inline void rewrite_ipv4(__u8 *ip, const struct sonde_wire_side_state *side, __u32 service)
{
	__u32 first = *(__u32 *)ip, third = *(__u32 *)(ip + 8);
	__u64 sum = (__u16) ~*(__u16 *)(ip + 10);

	ip[1] = service;
	ip[8]--;
	*(__u16 *)(ip + 10) = 0;
	sum += (__u64)(__u32)~first + *(__u32 *)ip;
	sum += (__u64)(__u32) ~(third & bpf_htonl(0xffff0000)) + *(__u32 *)(ip + 8);
	sum += exchange(ip + 12, side->source[3]);
	sum += exchange(ip + 16, side->destination[3]);
	*(__u16 *)(ip + 10) = ~fold_checksum(sum);
}

/* No checksum in this header makes up for what changes: a sum that the device has made (skb->csum) must be told. */
static __always_inline void rewrite_ipv6(struct __sk_buff *skb, __u8 *ip, const struct sonde_wire_side_state *side,
					 __u32 service)
{
	__u32 first = bpf_ntohl(*(__u32 *)ip), second = bpf_ntohl(*(__u32 *)(ip + 4));
	__u64 sum;

	sum = exchange(ip, bpf_htonl(6u << 28 | service << 20 | (first & 0xfffff)));
	sum += exchange(ip + 4, bpf_htonl(second - 1)); /* the hop limit, which is not 0 */
	for (int i = 0; i < 4; i++)
		sum += exchange(ip + 8 + 4 * i, side->source[i]) + exchange(ip + 24 + 4 * i, side->destination[i]);
	bpf_csum_update(skb, fold_sum(sum)); /* does nothing if there is none */
}

/* A header of the other family. Do not fragment: the sender is told what is too long (RFC 7915 5.1). */
static __noinline int exchange_family(struct __sk_buff *skb, const struct wire_packet *packet,
				      const struct sonde_wire_side_state *side, __u32 service, __u32 hops)
{
	__u32 transport = packet->header + packet->payload;
	__u8 header[IPV6_HEADER] = {};

	if (packet->is_ipv6) {
		if (bpf_skb_change_proto(skb, bpf_htons(ETHER_TYPE_IPV4), 0))
			return 0;
		header[0] = 0x45;
		header[1] = service;
		*(__u16 *)(header + 2) = bpf_htons(transport + IPV4_HEADER > 0xffff ? 0 : transport + IPV4_HEADER);
		*(__u16 *)(header + 6) = bpf_htons(0x4000);
		header[8] = hops;
		header[9] = IP_TCP;
		*(__u32 *)(header + 12) = side->source[3];
		*(__u32 *)(header + 16) = side->destination[3];
		*(__u16 *)(header + 10) = ~fold_checksum(bpf_csum_diff(0, 0, (__be32 *)header, IPV4_HEADER, 0));
		return !bpf_skb_store_bytes(skb, packet->ip, header, IPV4_HEADER, BPF_F_RECOMPUTE_CSUM);
	}
	if (packet->tcp - packet->ip != IPV4_HEADER || bpf_skb_change_proto(skb, bpf_htons(ETHER_TYPE_IPV6), 0))
		return 0;
	header[0] = 0x60 | service >> 4;
	header[1] = service << 4;
	*(__u16 *)(header + 4) = bpf_htons(transport > 0xffff ? 0 : transport);
	header[6] = IP_TCP;
	header[7] = hops;
	__builtin_memcpy(header + 8, side->source, 16);
	__builtin_memcpy(header + 24, side->destination, 16);
	return !bpf_skb_store_bytes(skb, packet->ip, header, IPV6_HEADER, BPF_F_RECOMPUTE_CSUM);
}

/* What the sum of the pseudo-header changes by. Length and protocol are the same in either family. */
static __always_inline __u32 ends_sum(const struct sonde_wire_flow *flow, const struct sonde_wire_side_state *side)
{
	/* The prefix of a mapped address adds to the sum, so IPv4 counts its last word only. */
	__u32 from_size = side->flags & SONDE_WIRE_FROM_IPV6 ? 16 : 4, to_size = side->flags & SONDE_WIRE_TO_IPV6 ? 16 : 4;
	__u64 sum = 0;

	for (int i = 0; i < 4; i++) {
		if (i == 3 || from_size == 16)
			sum += (__u64)(__u32)~flow->source[i] + (__u32)~flow->destination[i];
		if (i == 3 || to_size == 16)
			sum += (__u64)side->source[i] + side->destination[i];
	}
	return fold_sum(sum);
}

/* Returns 0 when it is done; else what is to be counted is counted, and the packet is to be dropped. */
static __always_inline int rewrite_packet(struct __sk_buff *skb, const struct wire_packet *packet,
					  const struct sonde_wire_side_state *side, const struct wire_rewrite *rewrite)
{
	int same_family = !(side->flags & SONDE_WIRE_FROM_IPV6) == !(side->flags & SONDE_WIRE_TO_IPV6);
	int service;
	__u64 sum = 0;
	__u8 *ip, *tcp;
	__u32 hops;

	if (!rewrite_common_options(skb, packet, side, rewrite->joining, &sum) &&
	    !rewrite_any_options(skb, packet, side, rewrite->joining, &sum))
		goto malformed;
	/* Of IPv4 too: a TCP header follows. */
	ip = bytes_at(skb, packet->ip & PLACE_MASK, IPV6_HEADER);
	tcp = tcp_header(skb, packet);
	if (!ip || !tcp)
		goto malformed;
	service = rewrite_service(packet->is_ipv6 ? (ip[0] & 15) << 4 | ip[1] >> 4 : ip[1], side);
	hops = packet->is_ipv6 ? ip[7] : ip[8];
	if (service < 0) {
		count_wire(dropped_congestion, 1);
		return -1;
	}
	if (hops <= 1) {
		count_wire(dropped_expired, 1);
		return -1;
	}
	sum += rewrite_fixed(tcp, packet, side, rewrite);
	if (same_family) {
		if (packet->is_ipv6)
			rewrite_ipv6(skb, ip, side, service);
		else
			rewrite_ipv4(ip, side, service);
	}
	bpf_l4_csum_replace(skb, packet->tcp + TCP_CHECKSUM, 0, ends_sum(&packet->flow, side), BPF_F_PSEUDO_HDR);
	bpf_l4_csum_replace(skb, packet->tcp + TCP_CHECKSUM, 0, fold_sum(sum), 0);
	if (same_family || exchange_family(skb, packet, side, service, hops - 1))
		return 0;
malformed:
	count_wire(dropped_malformed, 1);
	return -1;
}

#endif
