/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A packet that the kernel frees, as a lost range of a TCP flow. */
#ifndef SONDE_LOST_PACKET_H
#define SONDE_LOST_PACKET_H

#include "drop_history.h"
#include <bpf/bpf_endian.h>

enum {
	SONDE_PROTOCOL_TCP = 6,
	SONDE_TCP_FIN = 1,
	SONDE_TCP_SYN = 2,
	SONDE_TCP_ACK = 16,
	SONDE_ETHER_IPV4 = 0x0800,
	SONDE_ETHER_IPV6 = 0x86dd,
};

struct sonde_ipv4_header {
	__u8 version_and_words;
	__u8 service;
	__be16 total_length;
	__be16 identification;
	__be16 fragment; /* flags in the upper three bits */
	__u8 ttl;
	__u8 protocol;
	__be16 checksum;
	__be32 source;
	__be32 destination;
};

struct sonde_ipv6_header {
	__be32 version;
	__be16 payload_length;
	__u8 next_header;
	__u8 hop_limit;
	__u8 source[16];
	__u8 destination[16];
};

struct sonde_tcp_header {
	__be16 source_port;
	__be16 destination_port;
	__be32 sequence;
	__be32 acknowledgment;
	__u8 data_offset; /* upper four bits, words */
	__u8 flags;
};

/* Bytes that the IP header says follow it; 0: it does not say (segments that offload keeps together, beyond 64 KiB). */
struct sonde_ip_part {
	__u32 transport_offset; /* from sk_buff.head */
	__u32 transport_size;
};

static __always_inline int sonde_read_ipv4(struct sonde_drop_flow *flow, struct sonde_ip_part *part,
					   const unsigned char *header, __u32 offset)
{
	struct sonde_ipv4_header ip;
	__u32 size, total;

	if (bpf_probe_read_kernel(&ip, sizeof(ip), header))
		return 0;
	if (ip.version_and_words >> 4 != 4 || ip.protocol != SONDE_PROTOCOL_TCP || ip.fragment & bpf_htons(0x1fff))
		return 0;
	size = (ip.version_and_words & 15) * 4;
	total = bpf_ntohs(ip.total_length);
	part->transport_offset = offset + size;
	part->transport_size = total > size ? total - size : 0;
	sonde_map_ipv4(flow->source, ip.source);
	sonde_map_ipv4(flow->destination, ip.destination);
	return 1;
}

/* TCP behind extension headers is not looked for. */
static __always_inline int sonde_read_ipv6(struct sonde_drop_flow *flow, struct sonde_ip_part *part,
					   const unsigned char *header, __u32 offset)
{
	struct sonde_ipv6_header ip;

	if (bpf_probe_read_kernel(&ip, sizeof(ip), header) || ip.next_header != SONDE_PROTOCOL_TCP)
		return 0;
	part->transport_offset = offset + sizeof(ip);
	part->transport_size = bpf_ntohs(ip.payload_length);
	__builtin_memcpy(flow->source, ip.source, 16);
	__builtin_memcpy(flow->destination, ip.destination, 16);
	return 1;
}

static __always_inline int sonde_read_ip(struct sonde_drop_flow *flow, struct sonde_ip_part *part, struct sk_buff *skb)
{
	__u32 offset = skb->network_header;
	__be16 protocol = skb->protocol;

	if (offset == 0 || offset == 0xffff)
		return 0;
	if (protocol == bpf_htons(SONDE_ETHER_IPV4))
		return sonde_read_ipv4(flow, part, skb->head + offset, offset);
	if (protocol == bpf_htons(SONDE_ETHER_IPV6))
		return sonde_read_ipv6(flow, part, skb->head + offset, offset);
	return 0;
}

/* By value: the verifier knows head and data as pointers and forbids the subtraction. */
static __always_inline __u32 sonde_offset_in_data(struct sk_buff *skb, __u32 offset_from_head)
{
	__u64 head = (__u64)BPF_CORE_READ(skb, head), data = (__u64)BPF_CORE_READ(skb, data);

	return offset_from_head - (__u32)(data - head);
}

static __always_inline __u32 sonde_tcp_payload(const struct sonde_tcp_header *tcp, const struct sonde_ip_part *part,
					       struct sk_buff *skb)
{
	__u32 header = (tcp->data_offset >> 4) * 4, size = part->transport_size;

	if (!size)
		size = skb->len - sonde_offset_in_data(skb, part->transport_offset);
	return size > header ? size - header : 0;
}

/* The sender's namespace is known while the packet belongs to the sender's socket; a receiver's socket has the ports
 * the other way round. */
static __always_inline __u32 sonde_sender_namespace(const struct sonde_drop_flow *flow, struct sk_buff *skb)
{
	struct sock *sk = skb->sk;

	if (!sk || sk->__sk_common.skc_num != flow->source_port)
		return 0;
	return sk->__sk_common.skc_net.net->ns.inum;
}

/* A received packet in the hands of its socket has no device any more: other things lie in that place. */
static __always_inline void sonde_read_device(struct sonde_local_drop *drop, struct sk_buff *skb)
{
	struct net_device *device = skb->dev;

	if (skb->skb_iif && skb->sk) {
		drop->ifindex = skb->skb_iif;
		return;
	}
	if (!device)
		return;
	drop->ifindex = device->ifindex;
	drop->network_namespace = device->nd_net.net->ns.inum;
	bpf_core_read_str(drop->device, sizeof(drop->device), &device->name);
}

/* 1: a TCP segment that takes up sequence numbers. Without the reason and place of its loss. */
static __always_inline int sonde_read_lost_packet(struct sonde_drop_flow *flow, struct sonde_drop_slot *slot,
						  struct sk_buff *skb)
{
	struct sonde_ip_part part = {};
	struct sonde_tcp_header tcp;

	if (!sonde_read_ip(flow, &part, skb))
		return 0;
	if (bpf_probe_read_kernel(&tcp, sizeof(tcp), skb->head + part.transport_offset))
		return 0;
	flow->source_port = bpf_ntohs(tcp.source_port);
	flow->destination_port = bpf_ntohs(tcp.destination_port);
	slot->sequence = bpf_ntohl(tcp.sequence);
	slot->end_sequence = slot->sequence + sonde_tcp_payload(&tcp, &part, skb) + !!(tcp.flags & SONDE_TCP_SYN) +
			     !!(tcp.flags & SONDE_TCP_FIN);
	slot->sender_namespace = sonde_sender_namespace(flow, skb);
	return slot->sequence != slot->end_sequence;
}

#endif
