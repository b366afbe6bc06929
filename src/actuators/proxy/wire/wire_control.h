/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Packets that the program makes of others: an acknowledgement for the stack, a reset. The slow path. */
#ifndef SONDE_PROXY_WIRE_CONTROL_H
#define SONDE_PROXY_WIRE_CONTROL_H

#include "wire_packet.h"
#include "wire_scratch.h"

static __always_inline __u16 fold_checksum(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Whether the checksum is left to the device (CHECKSUM_PARTIAL): then the helper changes no field for plain bytes. */
static __always_inline int is_checksum_partial(struct __sk_buff *skb, __u32 tcp)
{
	__u16 before = 0, after = 0;

	bpf_skb_load_bytes(skb, tcp + TCP_CHECKSUM, &before, sizeof(before));
	bpf_l4_csum_replace(skb, tcp + TCP_CHECKSUM, 0, 1, 0);
	bpf_skb_load_bytes(skb, tcp + TCP_CHECKSUM, &after, sizeof(after));
	bpf_skb_store_bytes(skb, tcp + TCP_CHECKSUM, &before, sizeof(before), 0);
	return before == after;
}

/* Makes `length` bytes of IP packet of it, with a right IP header. */
static __always_inline int cut_packet(struct __sk_buff *skb, const struct wire_packet *packet, __u32 length,
				      struct wire_scratch *scratch)
{
	__u8 *header = scratch->ip;
	__u32 size = packet->tcp - packet->ip;
	__u16 checksum;

	if (skb->len != packet->ip + length && bpf_skb_change_tail(skb, packet->ip + length, 0))
		return 0;
	if (packet->is_ipv6) {
		__u16 payload = bpf_htons(length - IPV6_HEADER);

		return !bpf_skb_store_bytes(skb, packet->ip + 4, &payload, sizeof(payload), BPF_F_RECOMPUTE_CSUM);
	}
	if (size < IPV4_HEADER)
		return 0;
	keep_comparison(size);
	if (size > IPV4_HEADER_AT_MOST || bpf_skb_load_bytes(skb, packet->ip, header, size))
		return 0;
	*(__u16 *)(header + 2) = bpf_htons(length);
	*(__u16 *)(header + 10) = 0;
	checksum = ~fold_checksum(bpf_csum_diff(0, 0, (__be32 *)header, IPV4_HEADER_AT_MOST, 0));
	*(__u16 *)(header + 10) = checksum;
	return !bpf_skb_store_bytes(skb, packet->ip, header, size, BPF_F_RECOMPUTE_CSUM);
}

/* Sum of the pseudo-header (RFC 9293 3.1, RFC 8200 8.1), `length`: of header and payload. */
static __always_inline __u64 pseudo_sum(struct __sk_buff *skb, const struct wire_packet *packet, __u32 length,
					struct wire_scratch *scratch)
{
	__u32 *words = scratch->pseudo;

	if (packet->is_ipv6)
		bpf_skb_load_bytes(skb, packet->ip + 8, words, 32);
	else
		bpf_skb_load_bytes(skb, packet->ip + 12, words, 8);
	words[8] = bpf_htonl(length);
	words[9] = bpf_htonl(IP_TCP);
	return (__u32)bpf_csum_diff(0, 0, words, sizeof(scratch->pseudo), 0);
}

/*
 * Writes a TCP header of `size` bytes in place of the one that is there, to a packet that has no payload any more, with
 * its checksum: scratch->tcp, which has zeros behind `size`, and where the checksum stands.
 */
static __always_inline int store_header(struct __sk_buff *skb, const struct wire_packet *packet,
					struct wire_scratch *scratch, __u32 size)
{
	__u8 *header = scratch->tcp;
	int partial = is_checksum_partial(skb, packet->tcp);
	__u64 sum = pseudo_sum(skb, packet, size, scratch);
	__u16 checksum;

	if (partial) {
		checksum = fold_checksum(sum);
	} else {
		sum += (__u32)bpf_csum_diff(0, 0, (__be32 *)header, TCP_HEADER_AT_MOST, 0);
		checksum = ~fold_checksum(sum);
	}
	*(__u16 *)(header + TCP_CHECKSUM) = checksum;
	if (size < TCP_HEADER)
		return 0;
	keep_comparison(size);
	if (size > TCP_HEADER_AT_MOST)
		return 0;
	return !bpf_skb_store_bytes(skb, packet->tcp, header, size, BPF_F_RECOMPUTE_CSUM);
}

/*
 * For the proxy's socket that the packet's flow is of: the packet's acknowledgement, as far as it is of bytes that the
 * socket has sent, and nothing else of it. If the socket waits for bytes before some that it has, it gets the payload.
 */
static __noinline int acknowledge_to_stack(struct __sk_buff *skb, const struct wire_packet *packet,
					   const struct wire_socket *socket)
{
	__u32 acknowledgement = packet->acknowledgement, size = packet->header;
	struct wire_scratch *scratch = find_scratch();
	__u8 *header;

	if (distance(acknowledgement, socket->sent) > 0)
		acknowledgement = socket->sent;
	if (socket->has_hole) {
		__u32 before = bpf_htonl(packet->acknowledgement), after = bpf_htonl(acknowledgement);

		bpf_skb_store_bytes(skb, packet->tcp + TCP_ACKNOWLEDGEMENT, &after, sizeof(after), 0);
		bpf_l4_csum_replace(skb, packet->tcp + TCP_CHECKSUM, before, after, sizeof(after));
		return VERDICT_NEXT;
	}
	if (!scratch || size < TCP_HEADER)
		return VERDICT_DROP;
	keep_comparison(size);
	if (size > TCP_HEADER_AT_MOST)
		return VERDICT_DROP;
	clear_headers(scratch);
	header = scratch->tcp;
	if (bpf_skb_load_bytes(skb, packet->tcp, header, size) ||
	    !cut_packet(skb, packet, packet->tcp - packet->ip + size, scratch))
		return VERDICT_DROP;
	*(__u32 *)(header + TCP_SEQUENCE) = bpf_htonl(socket->received);
	*(__u32 *)(header + TCP_ACKNOWLEDGEMENT) = bpf_htonl(acknowledgement);
	*(__u32 *)(header + TCP_OFFSET_FLAGS_WINDOW) =
		bpf_htonl(packet->word & ~(__u32)(TCP_FIN | TCP_PSH | TCP_URG | TCP_CWR));
	*(__u32 *)(header + TCP_CHECKSUM) = 0; /* and no urgent pointer */
	return store_header(skb, packet, scratch, size) ? VERDICT_NEXT : VERDICT_DROP;
}

static __always_inline void swap_bytes(struct __sk_buff *skb, __u32 first, __u32 second, __u8 *buffer, __u32 size)
{
	bpf_skb_load_bytes(skb, first, buffer, size);
	bpf_skb_load_bytes(skb, second, buffer + 16, size);
	bpf_skb_store_bytes(skb, first, buffer + 16, size, 0);
	bpf_skb_store_bytes(skb, second, buffer, size, 0);
}

/* Sends the packet back to where it came from, as a reset that its sender accepts (RFC 9293 3.5.2, RFC 5961 3). */
static __noinline int answer_with_reset(struct __sk_buff *skb, const struct wire_packet *packet)
{
	struct wire_scratch *scratch = find_scratch();
	__u32 end = packet->sequence + packet->payload + !!(packet->word & TCP_SYN) + !!(packet->word & TCP_FIN);
	int has_acknowledgement = !!(packet->word & TCP_ACK);
	__u8 *header;

	if (!scratch || packet->word & TCP_RST)
		return VERDICT_DROP;
	clear_headers(scratch);
	header = scratch->tcp;
	if (bpf_skb_load_bytes(skb, packet->tcp, header, 4) ||
	    !cut_packet(skb, packet, packet->tcp - packet->ip + TCP_HEADER, scratch))
		return VERDICT_DROP;
	*(__u32 *)header = (*(__u32 *)header >> 16) | (*(__u32 *)header << 16);
	*(__u32 *)(header + TCP_SEQUENCE) = has_acknowledgement ? bpf_htonl(packet->acknowledgement) : 0;
	*(__u32 *)(header + TCP_ACKNOWLEDGEMENT) = has_acknowledgement ? 0 : bpf_htonl(end);
	*(__u32 *)(header + TCP_OFFSET_FLAGS_WINDOW) =
		bpf_htonl((TCP_HEADER / 4) << 28 | TCP_RST | (has_acknowledgement ? 0 : TCP_ACK));
	if (!store_header(skb, packet, scratch, TCP_HEADER))
		return VERDICT_DROP;
	if (packet->is_ipv6)
		swap_bytes(skb, packet->ip + 8, packet->ip + 24, scratch->tcp, 16);
	else
		swap_bytes(skb, packet->ip + 12, packet->ip + 16, scratch->tcp, 4);
	count_wire(resets_answered, 1);
	return bpf_redirect_neigh(skb->ifindex, 0, 0, 0);
}

#endif
