/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the guard reads of a packet. The addresses first, which is all that most packets need; protocol and ports only
 * if a rule for these addresses asks for them. Said once more in user space: model/packet.cpp.
 */
#ifndef SONDE_GUARD_PACKET_H
#define SONDE_GUARD_PACKET_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "guard.abi.h"

enum guard_hook { GUARD_XDP, GUARD_TC };

enum {
	ETHERNET_SIZE = 14,
	VLAN_SIZE = 4,
	ETHER_IPV4 = 0x0800,
	ETHER_IPV6 = 0x86dd,
	ETHER_VLAN = 0x8100, /* IEEE 802.1Q */
	ETHER_QINQ = 0x88a8, /* IEEE 802.1ad */
	IPV4_SIZE = 20,
	IPV6_SIZE = 40,
	PORTS_SIZE = 4,
	TCP_FLAGS_OFFSET = 13,

	/* IANA "Protocol Numbers" */
	IP_HOP_BY_HOP = 0,
	IP_ICMP = 1,
	IP_TCP = 6,
	IP_UDP = 17,
	IP_DCCP = 33,
	IP_ROUTING = 43,
	IP_FRAGMENT = 44,
	IP_AUTHENTICATION = 51,
	IP_ICMPV6 = 58,
	IP_DESTINATION_OPTIONS = 60,
	IP_SCTP = 132,
	IP_MOBILITY = 135,
	IP_UDP_LITE = 136,
	IP_HIP = 139,
	IP_SHIM6 = 140,
};

enum {
	PACKET_MORE_FRAGMENTS = 1,
	PACKET_LATER_FRAGMENT = 2,
	PACKET_MALFORMED = 4,
	PACKET_EVASIVE = 8, /* see GuardPacket in model/packet.hpp */
	PACKET_PROTOCOL = 16,
	PACKET_PORTS = 32,
	PACKET_ICMP = 64,
	PACKET_PURE_SYN = 128,
};

/*
 * In a per-CPU map rather than on the stack: what lies there, the verifier follows value by value, and the paths
 * through parser, tables and rules multiply.
 */
struct guard_packet {
	__u32 size;    /* bytes, from the link header on */
	__u32 packets; /* on the wire: more than one if offload merged them */
	__u32 ifindex;
	__u32 network;   /* offset of the IP header */
	__u32 transport; /* offset of what follows the IP headers */
	__u32 limit;     /* offset where the packet ends by its IP header */
	__u32 source[4]; /* network byte order; IPv4 in the last one, behind ::ffff */
	__u32 destination[4];
	__u16 source_port; /* host byte order */
	__u16 destination_port;
	__u8 direction; /* SONDE_GUARD_IN or SONDE_GUARD_OUT */
	__u8 family;    /* SONDE_GUARD_FAMILY4, SONDE_GUARD_FAMILY6; 0: none */
	__u8 raw;       /* no link header */
	__u8 protocol;
	__u8 icmp_type;
	__u8 flags;
	__u8 reserved[2];
};

struct guard_walk;

/* A running program: what it works with. */
struct guard_run {
	void *context;
	struct guard_packet *packet;
	struct guard_walk *walk;
	struct sonde_guard_totals *totals;
	void *rules;                             /* the rule set's map */
	const struct sonde_guard_header *header; /* its element 0 */
};

/* `hook` is a constant everywhere: a program must not even hold a call of a helper that its type does not have. */
static __always_inline int load_bytes(const struct guard_run *run, int hook, __u32 offset, void *to, __u32 size)
{
	if (hook == GUARD_XDP)
		return bpf_xdp_load_bytes(run->context, offset, to, size);
	return bpf_skb_load_bytes(run->context, offset, to, size);
}

static __always_inline int is_vlan(__u16 ether_type)
{
	return ether_type == bpf_htons(ETHER_VLAN) || ether_type == bpf_htons(ETHER_QINQ);
}

/* RFC 791. A datagram whose length is 0 was merged by offload (big TCP, Linux 6.3). */
static __always_inline void read_ipv4(struct guard_packet *packet, const __u8 *header)
{
	__u32 header_size = (header[0] & 15) * 4;
	__u32 length = bpf_ntohs(*(__u16 *)(header + 2));
	__u16 fragment = bpf_ntohs(*(__u16 *)(header + 6));

	packet->family = SONDE_GUARD_FAMILY4;
	packet->source[3] = *(__u32 *)(header + 12);
	packet->destination[3] = *(__u32 *)(header + 16);
	packet->protocol = header[9];
	packet->flags |= PACKET_PROTOCOL;
	if (fragment & 0x1fff)
		packet->flags |= PACKET_LATER_FRAGMENT;
	else if (fragment & 0x2000)
		packet->flags |= PACKET_MORE_FRAGMENTS;
	packet->transport = packet->network + header_size;
	packet->limit = packet->size;
	if (length && packet->network + length < packet->size)
		packet->limit = packet->network + length;
	if (packet->transport > packet->limit)
		packet->flags |= PACKET_MALFORMED;
}

/* RFC 8200. A length of 0 is that of a jumbogram. */
static __always_inline void read_ipv6(struct guard_packet *packet, const __u8 *header)
{
	__u32 length = bpf_ntohs(*(__u16 *)(header + 4));

	packet->family = SONDE_GUARD_FAMILY6;
	packet->source[0] = *(__u32 *)(header + 8);
	packet->source[1] = *(__u32 *)(header + 12);
	packet->source[2] = *(__u32 *)(header + 16);
	packet->source[3] = *(__u32 *)(header + 20);
	packet->destination[0] = *(__u32 *)(header + 24);
	packet->destination[1] = *(__u32 *)(header + 28);
	packet->destination[2] = *(__u32 *)(header + 32);
	packet->destination[3] = *(__u32 *)(header + 36);
	packet->protocol = header[6];
	packet->transport = packet->network + IPV6_SIZE;
	packet->limit = packet->size;
	if (length && packet->transport + length < packet->size)
		packet->limit = packet->transport + length;
}

/*
 * Link and IP header of the readable bytes. 0: they end too early, and with more bytes there may be more to read.
 * Else packet->family says whether there are addresses.
 */
static __always_inline int read_addresses(struct guard_packet *packet, const __u8 *data, const __u8 *end)
{
	const __u8 *network = data;
	__u16 type;

	packet->family = 0;
	packet->flags = 0;
	packet->protocol = 0;
	if (packet->raw) {
		if (data + 1 > end)
			goto malformed;
		type = bpf_htons(data[0] >> 4 == 6 ? ETHER_IPV6 : ETHER_IPV4);
	} else {
		if (data + ETHERNET_SIZE > end)
			goto malformed;
		type = *(__u16 *)(data + 12);
		network = data + ETHERNET_SIZE;
		if (is_vlan(type)) {
			if (network + VLAN_SIZE > end)
				goto malformed;
			type = *(__u16 *)(network + 2);
			network += VLAN_SIZE;
			if (is_vlan(type)) {
				if (network + VLAN_SIZE > end)
					goto malformed;
				type = *(__u16 *)(network + 2);
				network += VLAN_SIZE;
			}
		}
	}
	packet->network = network - data;
	if (type == bpf_htons(ETHER_IPV4)) {
		if (network + IPV4_SIZE > end || network[0] >> 4 != 4 || (network[0] & 15) < 5)
			goto malformed;
		read_ipv4(packet, network);
	} else if (type == bpf_htons(ETHER_IPV6)) {
		if (network + IPV6_SIZE > end || network[0] >> 4 != 6)
			goto malformed;
		read_ipv6(packet, network);
	}
	return 1;
malformed:
	packet->flags |= PACKET_MALFORMED;
	return 0;
}

/* Size of an IPv6 extension header (RFC 8200 4, RFC 4302 2.2), 0 for any other protocol. */
static __always_inline __u32 extension_size(__u8 protocol, __u8 length_byte)
{
	switch (protocol) {
	case IP_HOP_BY_HOP:
	case IP_ROUTING:
	case IP_DESTINATION_OPTIONS:
	case IP_MOBILITY:
	case IP_HIP:
	case IP_SHIM6:
		return (length_byte + 1) * 8;
	case IP_FRAGMENT:
		return 8;
	case IP_AUTHENTICATION:
		return (length_byte + 2) * 4;
	default:
		return 0;
	}
}

/* One header of the chain; 1 ends the loop. */
static __always_inline long read_extension(const struct guard_run *run, int hook)
{
	struct guard_packet *packet = run->packet;
	__u8 header[8];
	__u16 fragment;
	__u32 size;

	if (!extension_size(packet->protocol, 0)) {
		packet->flags |= PACKET_PROTOCOL;
		return 1;
	}
	if (packet->transport + sizeof(header) > packet->limit)
		goto truncated;
	if (load_bytes(run, hook, packet->transport, header, sizeof(header)))
		goto truncated;
	size = extension_size(packet->protocol, header[1]);
	if (packet->protocol == IP_FRAGMENT) {
		fragment = bpf_ntohs(*(__u16 *)(header + 2));
		if (fragment & 0xfff8)
			packet->flags |= PACKET_LATER_FRAGMENT;
		else if (fragment & 1)
			packet->flags |= PACKET_MORE_FRAGMENTS;
	}
	if (packet->transport + size > packet->limit)
		goto truncated;
	packet->protocol = header[0];
	packet->transport += size;
	if (packet->flags & PACKET_LATER_FRAGMENT) {
		packet->flags |= PACKET_PROTOCOL;
		return 1;
	}
	return 0;
truncated:
	packet->flags |= packet->flags & PACKET_MORE_FRAGMENTS ? PACKET_EVASIVE : PACKET_MALFORMED;
	return 1;
}

static long xdp_extension(__u32 number, struct guard_run *run)
{
	return read_extension(run, GUARD_XDP);
}

static long tc_extension(__u32 number, struct guard_run *run)
{
	return read_extension(run, GUARD_TC);
}

static __always_inline void read_extensions(struct guard_run *run, int hook)
{
	struct guard_packet *packet = run->packet;

	if (!extension_size(packet->protocol, 0)) {
		packet->flags |= PACKET_PROTOCOL;
		return;
	}
	if (hook == GUARD_XDP)
		bpf_loop(SONDE_GUARD_MAX_EXTENSIONS + 1, xdp_extension, run, 0);
	else
		bpf_loop(SONDE_GUARD_MAX_EXTENSIONS + 1, tc_extension, run, 0);
	if (!(packet->flags & (PACKET_PROTOCOL | PACKET_MALFORMED)))
		packet->flags |= PACKET_EVASIVE; /* the chain has not ended */
}

static __always_inline int has_ports(__u8 protocol)
{
	return protocol == IP_TCP || protocol == IP_UDP || protocol == IP_SCTP || protocol == IP_DCCP ||
	       protocol == IP_UDP_LITE;
}

/* Protocol, ports, ICMP type. */
static __always_inline void read_transport(struct guard_run *run, int hook)
{
	struct guard_packet *packet = run->packet;
	__u8 header[4];
	__u8 ports;

	if (packet->family == SONDE_GUARD_FAMILY6)
		read_extensions(run, hook);
	if (!(packet->flags & PACKET_PROTOCOL) || packet->flags & (PACKET_LATER_FRAGMENT | PACKET_MALFORMED))
		return;
	ports = has_ports(packet->protocol);
	if (!ports && packet->protocol != IP_ICMP && packet->protocol != IP_ICMPV6)
		return;
	if (packet->transport + sizeof(header) > packet->limit ||
	    load_bytes(run, hook, packet->transport, header, sizeof(header))) {
		packet->flags |= packet->flags & PACKET_MORE_FRAGMENTS ? PACKET_EVASIVE : PACKET_MALFORMED;
		return;
	}
	if (ports) {
		packet->source_port = bpf_ntohs(*(__u16 *)header);
		packet->destination_port = bpf_ntohs(*(__u16 *)(header + 2));
		packet->flags |= PACKET_PORTS;
	} else {
		packet->icmp_type = header[0];
		packet->flags |= PACKET_ICMP;
	}
}

#endif
