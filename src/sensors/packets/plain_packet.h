/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The headers that nearly all packets have, read straight into a flow's key: Ethernet without a tag, IPv4 without
 * options or IPv6 without extension headers, no fragment, TCP or UDP, all lengths in order. Whatever is otherwise is
 * left to sonde_parse(), which says the same of these packets (tests/prog/plain_packet_test.cpp). Half the cost.
 *
 * A packet in several buffers is left to it too, because its IP header says that it is longer than the first one:
 * asking the kernel for the length costs 12 ns.
 */
#ifndef SONDE_PLAIN_PACKET_H
#define SONDE_PLAIN_PACKET_H

#include "flow.h"

enum {
	IPV4_HEADER_SIZE = 20,
	IPV6_HEADER_SIZE = 40,
	TCP_HEADER_SIZE = 20,
	UDP_HEADER_SIZE = 8,
};

/* The last eight bytes of ::ffff:a.b.c.d as a word; `address` as it lies in the packet. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define MAPPED_WORD(address) (0xffff0000ULL | (__u64)(address) << 32)
#else
#define MAPPED_WORD(address) (0x0000ffffULL << 32 | (address))
#endif

/* A packet whose transport header begins `header` bytes from its start and which ends at `limit`. */
static __always_inline int take_plain_transport(struct xdp_md *ctx, __u8 protocol, __u32 header, __u32 limit,
						struct sonde_flow_packet *packet, __u32 *payload_offset)
{
	const __u8 *end = (void *)(long)ctx->data_end, *bytes = (void *)(long)ctx->data;
	__u32 size;

	bytes += header;
	if (protocol == SONDE_IP_UDP) {
		size = UDP_HEADER_SIZE;
		if (bytes + UDP_HEADER_SIZE > end)
			return 0;
		packet->sequence = 0;
		packet->tcp_flags = 0;
		packet->flags = SONDE_FLOW_PACKET_PORTS;
	} else {
		if (bytes + TCP_HEADER_SIZE > end)
			return 0;
		size = (bytes[12] >> 4) * 4;
		if (size < TCP_HEADER_SIZE || bytes + size > end)
			return 0;
		packet->sequence = sonde_load32(bytes + 4);
		packet->tcp_flags = bytes[13];
		packet->flags = SONDE_FLOW_PACKET_PORTS | SONDE_FLOW_PACKET_TCP;
	}
	if (header + size > limit)
		return 0;
	packet->payload_size = limit - header - size;
	*payload_offset = header + size;
	return 1;
}

static __always_inline int take_plain_ipv4(struct xdp_md *ctx, __u32 wire, __u32 group, struct sonde_flow_key *key,
					   struct sonde_flow_packet *packet, __u32 *payload_offset)
{
	enum { HEADER = SONDE_ETHERNET_HEADER_SIZE };
	const __u8 *end = (void *)(long)ctx->data_end, *bytes = (void *)(long)ctx->data;
	__u32 length, source, destination;
	__u16 source_port, destination_port;
	__u8 protocol;

	if (bytes + HEADER + IPV4_HEADER_SIZE + 4 > end)
		return 0;
	protocol = bytes[HEADER + 9];
	length = sonde_load16(bytes + HEADER + 2);
	if (bytes[HEADER] != 0x45 || sonde_load16(bytes + HEADER + 6) & 0x3fff || HEADER + length > wire ||
	    (protocol != SONDE_IP_TCP && protocol != SONDE_IP_UDP))
		return 0;
	if (!take_plain_transport(ctx, protocol, HEADER + IPV4_HEADER_SIZE, HEADER + length, packet, payload_offset))
		return 0;
	source = sonde_raw32(bytes + HEADER + 12);
	destination = sonde_raw32(bytes + HEADER + 16);
	source_port = sonde_load16(bytes + HEADER + IPV4_HEADER_SIZE);
	destination_port = sonde_load16(bytes + HEADER + IPV4_HEADER_SIZE + 2);
	packet->hop_limit = bytes[HEADER + 8];
	packet->side =
		source == destination ? source_port > destination_port : sonde_big32(source) > sonde_big32(destination);
	sonde_flow_put_word(key, 0, 0);
	sonde_flow_put_word(key, 1, MAPPED_WORD(packet->side ? destination : source));
	sonde_flow_put_word(key, 2, 0);
	sonde_flow_put_word(key, 3, MAPPED_WORD(packet->side ? source : destination));
	sonde_flow_put_ports(key, packet->side ? destination_port : source_port,
			     packet->side ? source_port : destination_port, protocol, group);
	return 1;
}

static __always_inline int take_plain_ipv6(struct xdp_md *ctx, __u32 wire, __u32 group, struct sonde_flow_key *key,
					   struct sonde_flow_packet *packet, __u32 *payload_offset)
{
	enum { HEADER = SONDE_ETHERNET_HEADER_SIZE, PORTS = HEADER + IPV6_HEADER_SIZE };
	const __u8 *end = (void *)(long)ctx->data_end, *bytes = (void *)(long)ctx->data;
	__u32 length;
	__u8 protocol;

	if (bytes + PORTS + 4 > end)
		return 0;
	protocol = bytes[HEADER + 6];
	length = sonde_load16(bytes + HEADER + 4);
	if (bytes[HEADER] >> 4 != 6 || !length || PORTS + length > wire ||
	    (protocol != SONDE_IP_TCP && protocol != SONDE_IP_UDP))
		return 0;
	if (!take_plain_transport(ctx, protocol, PORTS, PORTS + length, packet, payload_offset))
		return 0;
	packet->hop_limit = bytes[HEADER + 7];
	packet->side = sonde_flow_fill_key(key, bytes + HEADER + 8, bytes + HEADER + 24, sonde_load16(bytes + PORTS),
					   sonde_load16(bytes + PORTS + 2), protocol, group);
	return 1;
}

/* 0: not such a packet. `payload_offset` is where what follows its transport header starts. */
static __always_inline int take_plain_packet(struct xdp_md *ctx, __u32 group, struct sonde_flow_key *key,
					     struct sonde_flow_packet *packet, __u32 *payload_offset)
{
	const __u8 *end = (void *)(long)ctx->data_end, *bytes = (void *)(long)ctx->data;
	__u32 wire = ctx->data_end - ctx->data;
	__u16 type;
	int taken;

	if (bytes + SONDE_ETHERNET_HEADER_SIZE > end)
		return 0;
	type = sonde_load16(bytes + 12);
	if (type == SONDE_ETHER_TYPE_IPV4)
		taken = take_plain_ipv4(ctx, wire, group, key, packet, payload_offset);
	else if (type == SONDE_ETHER_TYPE_IPV6)
		taken = take_plain_ipv6(ctx, wire, group, key, packet, payload_offset);
	else
		return 0;
	packet->size = wire;
	packet->segments = 1;
	packet->vlan = 0;
	packet->reserved[0] = packet->reserved[1] = 0;
	return taken;
}

#endif
