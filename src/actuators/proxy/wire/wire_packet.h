/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Where the headers of a TCP packet are, and what they say. */
#ifndef SONDE_PROXY_WIRE_PACKET_H
#define SONDE_PROXY_WIRE_PACKET_H

#include "kernel.h"
#include "wire_maps.h"

enum {
	ETHERNET_HEADER = 14,
	IPV4_HEADER = 20,
	IPV4_HEADER_AT_MOST = 60,
	IPV6_HEADER = 40,
	/* IPv6 headers are longer by that (RFC 7915 4.2). */
	FAMILY_DIFFERENCE = IPV6_HEADER - IPV4_HEADER,
	TCP_HEADER = 20,
	TCP_HEADER_AT_MOST = 60,

	IP_ICMP = 1,
	IP_TCP = 6,
	IP_ICMPV6 = 58,

	ETHER_TYPE_IPV4 = 0x0800,
	ETHER_TYPE_IPV6 = 0x86dd,

	/* include/uapi/linux/pkt_cls.h; TC_ACT_UNSPEC is TCX_NEXT */
	VERDICT_NEXT = -1,
	VERDICT_DROP = 2,

	/* Offsets in a TCP header (RFC 9293). */
	TCP_SEQUENCE = 4,
	TCP_ACKNOWLEDGEMENT = 8,
	TCP_OFFSET_FLAGS_WINDOW = 12,
	TCP_CHECKSUM = 16,

	/* Of the word at TCP_OFFSET_FLAGS_WINDOW, host byte order. */
	TCP_FIN = 1 << 16,
	TCP_SYN = 1 << 17,
	TCP_RST = 1 << 18,
	TCP_PSH = 1 << 19,
	TCP_ACK = 1 << 20,
	TCP_URG = 1 << 21,
	TCP_ECE = 1 << 22,
	TCP_CWR = 1 << 23,

	ECN_MASK = 3,
	ECN_CE = 3,
};

/* Between two comparisons: the compiler makes no third of them, which the verifier of Linux 6.1 would learn less from. */
#define keep_comparison(value) asm volatile("" : "+r"(value))

struct wire_packet {
	__u32 ip;       /* offset of the IP header */
	__u32 tcp;      /* of the TCP header */
	__u32 length;   /* of the IP packet; all segments of a GSO packet together, with one header */
	__u32 header;   /* bytes of the TCP header */
	__u32 payload;  /* bytes behind it */
	__u32 segments; /* that the network had, or will have */
	__u32 sequence; /* host byte order, like the next two */
	__u32 acknowledgement;
	__u32 word; /* at TCP_OFFSET_FLAGS_WINDOW */
	__u8 is_ipv6;
	__u8 is_fragment; /* the first */
	struct sonde_wire_flow flow;
};

static __always_inline void set_ipv4(__u32 *address, __u32 ipv4)
{
	address[0] = 0;
	address[1] = 0;
	address[2] = bpf_htonl(0xffff);
	address[3] = ipv4;
}

/*
 * `size` bytes at `offset`, a constant or bounded, or NULL: they are not in the linear part. volatile: kept in a register
 * of 32 bits, the ends are no pointers to the verifier any more.
 */
static __always_inline __u8 *bytes_at(struct __sk_buff *skb, __u32 offset, __u32 size)
{
	__u8 *start = (void *)(long)*(volatile __u32 *)&skb->data;
	__u8 *end = (void *)(long)*(volatile __u32 *)&skb->data_end;

	return start + offset + size > end ? 0 : start + offset;
}

/* As bytes_at(), which are made linear if they are not. */
static __always_inline __u8 *pull_bytes(struct __sk_buff *skb, __u32 offset, __u32 size)
{
	__u8 *bytes = bytes_at(skb, offset, size);

	if (bytes || skb->len < offset + size || bpf_skb_pull_data(skb, offset + size))
		return bytes;
	return bytes_at(skb, offset, size);
}

/* Places in the packet are less than this. */
enum { PLACE_MASK = 127 };

static __always_inline __u8 *tcp_header(struct __sk_buff *skb, const struct wire_packet *packet)
{
	return bytes_at(skb, packet->tcp & PLACE_MASK, TCP_HEADER);
}

static __always_inline int parse_ipv4(struct __sk_buff *skb, struct wire_packet *packet, const __u8 *ip)
{
	struct sonde_wire_flow *flow = &packet->flow;
	__u16 fragment, length;
	__u32 header;

	header = (ip[0] & 15) * 4;
	if (ip[0] >> 4 != 4 || header < IPV4_HEADER || ip[9] != IP_TCP)
		return 0;
	fragment = bpf_ntohs(*(__u16 *)(ip + 6));
	if (fragment & 0x1fff) /* not the first */
		return 0;
	packet->is_fragment = (fragment & 0x2000) != 0;
	length = bpf_ntohs(*(__u16 *)(ip + 2));
	packet->length = length ? length : skb->len - packet->ip; /* 0: more than 64 KiB (BIG TCP, Linux 6.3) */
	packet->tcp = packet->ip + header;
	set_ipv4(flow->source, *(__u32 *)(ip + 12));
	set_ipv4(flow->destination, *(__u32 *)(ip + 16));
	return 1;
}

static __always_inline int parse_ipv6(struct __sk_buff *skb, struct wire_packet *packet, const __u8 *ip)
{
	struct sonde_wire_flow *flow = &packet->flow;
	__u16 length;

	if (ip[0] >> 4 != 6 || ip[6] != IP_TCP) /* a packet with extension headers is the stack's */
		return 0;
	length = bpf_ntohs(*(__u16 *)(ip + 4));
	packet->length = length ? length + IPV6_HEADER : skb->len - packet->ip;
	packet->tcp = packet->ip + IPV6_HEADER;
	packet->is_ipv6 = 1;
	__builtin_memcpy(flow->source, ip + 8, 16);
	__builtin_memcpy(flow->destination, ip + 24, 16);
	return 1;
}

/* A TCP packet for this host, whose ports are readable. `link`: bytes of the link header, a constant. */
static __always_inline int parse_ends(struct __sk_buff *skb, __u32 link, struct wire_packet *packet)
{
	__u32 protocol = skb->protocol;
	__u8 *ip, *tcp;

	packet->ip = link;
	if (skb->pkt_type != 0 || skb->vlan_present) /* a VLAN interface has packets of its own */
		return 0;
	if (protocol == bpf_htons(ETHER_TYPE_IPV4)) {
		ip = pull_bytes(skb, link, IPV4_HEADER + TCP_HEADER);
		if (!ip || !parse_ipv4(skb, packet, ip))
			return 0;
	} else if (protocol == bpf_htons(ETHER_TYPE_IPV6)) {
		ip = pull_bytes(skb, link, IPV6_HEADER + TCP_HEADER);
		if (!ip || !parse_ipv6(skb, packet, ip))
			return 0;
	} else {
		return 0;
	}
	tcp = tcp_header(skb, packet);
	if (!tcp)
		return 0;
	packet->flow.source_port = *(__u16 *)tcp;
	packet->flow.destination_port = *(__u16 *)(tcp + 2);
	return 1;
}

/* What the TCP header says. False: the packet does not hold what it says. */
static __always_inline int parse_tcp(struct __sk_buff *skb, struct wire_packet *packet)
{
	__u32 before = packet->tcp - packet->ip;
	__u8 *tcp = tcp_header(skb, packet);

	if (!tcp)
		return 0;
	packet->sequence = bpf_ntohl(*(__u32 *)(tcp + TCP_SEQUENCE));
	packet->acknowledgement = bpf_ntohl(*(__u32 *)(tcp + TCP_ACKNOWLEDGEMENT));
	packet->word = bpf_ntohl(*(__u32 *)(tcp + TCP_OFFSET_FLAGS_WINDOW));
	packet->header = packet->word >> 28 << 2;
	if (packet->header < TCP_HEADER || packet->length < before + packet->header ||
	    skb->len < packet->ip + packet->length)
		return 0;
	packet->payload = packet->length - before - packet->header;
	packet->segments = skb->gso_segs;
	if (!packet->segments) /* virtio leaves the count of a GSO packet open */
		packet->segments = skb->gso_size && packet->payload > skb->gso_size ?
					   (packet->payload + skb->gso_size - 1) / skb->gso_size :
					   1;
	return 1;
}

/* a - b, as sequence numbers (RFC 9293 3.4): negative if a is before b. */
static __always_inline __s32 distance(__u32 a, __u32 b)
{
	return (__s32)(a - b);
}

#endif
