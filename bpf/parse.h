/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The packet parser: link, network and transport headers into struct sonde_packet_event.
 *
 * One source for both sides: BPF C with direct packet access, and C++ over a byte array (src/model/parse.cpp), so
 * that a packet reads the same whether it came through the kernel, AF_PACKET or a file.
 *
 * A packet has two ends. `wire` is how many bytes it really has; `end` is where the readable ones stop (the linear part
 * of an skb, the captured bytes of a file). A header beyond `wire` is truncated; one beyond `end` only is snapped, and
 * the kernel side pulls the bytes and parses again.
 */
#ifndef SONDE_BPF_PARSE_H
#define SONDE_BPF_PARSE_H

#include <sonde/abi/packet.h>

#ifdef __bpf__
#define SONDE_INLINE static __attribute__((always_inline)) inline
#define sonde_load16(p) __builtin_bswap16(*(const __u16 *)(p))
#define sonde_load32(p) __builtin_bswap32(*(const __u32 *)(p))
#define sonde_raw32(p) (*(const __u32 *)(p))
#define sonde_store32(p, value) (*(__u32 *)(p) = (value))
#define sonde_big32(value) __builtin_bswap32(value)
#else
#define SONDE_INLINE static inline
SONDE_INLINE __u32 sonde_raw32(const __u8 *p)
{
	__u32 value;
	__builtin_memcpy(&value, p, sizeof(value));
	return value;
}
SONDE_INLINE void sonde_store32(__u8 *p, __u32 value)
{
	__builtin_memcpy(p, &value, sizeof(value));
}
#define sonde_load16(p) ((__u16)(((p)[0] << 8) | (p)[1]))
#define sonde_load32(p) (((__u32)sonde_load16(p) << 16) | sonde_load16((p) + 2))
#define sonde_big32(value) (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap32(value) : (value))
#endif

enum {
	SONDE_LINK_ETHERNET = 0,
	SONDE_LINK_RAW_IP = 1,

	SONDE_ETHER_TYPE_IPV4 = 0x0800,
	SONDE_ETHER_TYPE_IPV6 = 0x86dd,
	SONDE_ETHER_TYPE_VLAN = 0x8100, /* IEEE 802.1Q */
	SONDE_ETHER_TYPE_QINQ = 0x88a8, /* IEEE 802.1ad */

	SONDE_ETHERNET_HEADER_SIZE = 14,
	SONDE_VLAN_TAG_SIZE = 4,
	SONDE_MAX_IPV6_EXTENSIONS = 8,
	SONDE_MAX_EXTENSION_MASK = 0xfff, /* an extension header has 2048 bytes at most: bounds it for the verifier */
	SONDE_MAX_HEADERS_SIZE = 20000,   /* eight extension headers of 2048 bytes, and all others */
};

/* IP protocol numbers that the parser looks into (IANA "Protocol Numbers"). */
enum {
	SONDE_IP_HOP_BY_HOP = 0,
	SONDE_IP_ICMP = 1,
	SONDE_IP_TCP = 6,
	SONDE_IP_UDP = 17,
	SONDE_IP_ROUTING = 43,
	SONDE_IP_FRAGMENT = 44,
	SONDE_IP_AUTHENTICATION = 51,
	SONDE_IP_ICMPV6 = 58,
	SONDE_IP_DESTINATION_OPTIONS = 60,
	SONDE_IP_SCTP = 132,
	SONDE_IP_MOBILITY = 135,
	SONDE_IP_HIP = 139,
	SONDE_IP_SHIM6 = 140,
};

/*
 * How far the parser has come. In BPF it lies in a map, whose contents the verifier does not follow: with the values on
 * the stack it would tell every path by its offset, and the paths multiply (four kinds of IPv6 extension headers, eight
 * times). volatile keeps the compiler from doing the same.
 */
struct sonde_progress {
	volatile __u32 offset;         /* where the next header starts */
	volatile __u32 limit;          /* where the packet ends by its IP header; wire before there is one */
	volatile __u32 extension_size; /* bytes of the IPv6 extension header at offset */
	volatile __u16 tag_tpid; /* of a VLAN tag that the kernel keeps beside the packet, host byte order; 0: none */
	volatile __u16 tag_tci;  /* host byte order */
};

struct sonde_bytes {
	const __u8 *data;
	const __u8 *end;
	__u32 wire; /* bytes of the packet, readable or not */
	struct sonde_progress *progress;
};

SONDE_INLINE void sonde_advance(struct sonde_bytes *bytes, __u32 size)
{
	bytes->progress->offset = bytes->progress->offset + size;
}

/* The next `size` bytes, or 0 with the reason in event->status. `truncated` is the status when they do not exist. */
SONDE_INLINE const __u8 *sonde_header(struct sonde_bytes *bytes, __u32 size, __u8 truncated,
				      struct sonde_packet_event *event)
{
	__u32 offset = bytes->progress->offset;

#ifdef __bpf__
	/* The verifier learns what is readable from a comparison of pointers, and wants the offset bounded. */
	if (offset <= SONDE_MAX_HEADERS_SIZE && bytes->data + offset + size <= bytes->end)
		return bytes->data + offset;
#else
	if (offset + size <= (__u32)(bytes->end - bytes->data))
		return bytes->data + offset;
#endif
	event->status = offset + size > bytes->wire ? truncated : (__u8)SONDE_PARSE_SNAPPED;
	return 0;
}

SONDE_INLINE int sonde_is_vlan(__u16 ether_type)
{
	return ether_type == SONDE_ETHER_TYPE_VLAN || ether_type == SONDE_ETHER_TYPE_QINQ;
}

SONDE_INLINE void sonde_set_vlan(struct sonde_packet_event *event, __u16 tci)
{
	if (event->flags & SONDE_PACKET_VLAN) {
		event->flags |= SONDE_PACKET_QINQ;
		event->vlan_inner = tci;
	} else {
		event->flags |= SONDE_PACKET_VLAN;
		event->vlan_outer = tci;
	}
}

/* Two tags are read, the offloaded one included; a third one stays in ether_type. */
SONDE_INLINE int sonde_parse_ethernet(struct sonde_bytes *bytes, struct sonde_packet_event *event)
{
	const __u8 *header = sonde_header(bytes, SONDE_ETHERNET_HEADER_SIZE, SONDE_PARSE_TRUNCATED_LINK, event);
	int i;

	if (!header)
		return 0;
	event->ether_type = sonde_load16(header + 12);
	bytes->progress->offset = SONDE_ETHERNET_HEADER_SIZE;
	for (i = 0; i < 2; i++) {
		if (!sonde_is_vlan(event->ether_type) || event->flags & SONDE_PACKET_QINQ)
			break;
		header = sonde_header(bytes, SONDE_VLAN_TAG_SIZE, SONDE_PARSE_TRUNCATED_LINK, event);
		if (!header)
			return 0;
		sonde_set_vlan(event, sonde_load16(header));
		event->ether_type = sonde_load16(header + 2);
		sonde_advance(bytes, SONDE_VLAN_TAG_SIZE);
	}
	return 1;
}

/* Bare IP says its version in its first four bits. */
SONDE_INLINE int sonde_parse_raw_ip(struct sonde_bytes *bytes, struct sonde_packet_event *event)
{
	const __u8 *header = sonde_header(bytes, 1, SONDE_PARSE_TRUNCATED_NETWORK, event);

	event->flags |= SONDE_PACKET_NO_LINK_HEADER;
	if (!header)
		return 0;
	if (header[0] >> 4 == 4) {
		event->ether_type = SONDE_ETHER_TYPE_IPV4;
	} else if (header[0] >> 4 == 6) {
		event->ether_type = SONDE_ETHER_TYPE_IPV6;
	} else {
		event->status = SONDE_PARSE_MALFORMED_NETWORK;
		return 0;
	}
	return 1;
}

/* `length`: bytes from the start of the IP header by that header; 0: not stated (jumbograms, big TCP: Linux 5.19). */
SONDE_INLINE void sonde_set_limit(struct sonde_bytes *bytes, __u32 network_offset, __u32 length,
				  struct sonde_packet_event *event)
{
	bytes->progress->limit = bytes->wire;
	if (!length)
		return;
	if (network_offset + length > bytes->wire)
		event->status = SONDE_PARSE_TRUNCATED_PAYLOAD;
	else
		bytes->progress->limit = network_offset + length;
}

/* RFC 791. */
SONDE_INLINE int sonde_parse_ipv4(struct sonde_bytes *bytes, struct sonde_packet_event *event)
{
	const __u8 *header = sonde_header(bytes, 20, SONDE_PARSE_TRUNCATED_NETWORK, event);
	__u32 header_size, length, fragment;

	if (!header)
		return 0;
	header_size = (header[0] & 15) * 4;
	length = sonde_load16(header + 2);
	if (header[0] >> 4 != 4 || header_size < 20 || (length && length < header_size)) {
		event->status = SONDE_PARSE_MALFORMED_NETWORK;
		return 0;
	}
	event->flags |= SONDE_PACKET_IPV4;
	event->protocol = header[9];
	event->hop_limit = header[8];
	sonde_store32(event->source_address + 8, sonde_big32(0xffff));
	sonde_store32(event->source_address + 12, sonde_raw32(header + 12));
	sonde_store32(event->destination_address + 8, sonde_big32(0xffff));
	sonde_store32(event->destination_address + 12, sonde_raw32(header + 16));
	fragment = sonde_load16(header + 6);
	if (fragment & 0x3fff) /* more fragments, or an offset */
		event->flags |= SONDE_PACKET_FRAGMENT;
	if (fragment & 0x1fff)
		event->flags |= SONDE_PACKET_LATER_FRAGMENT;
	event->fragment_offset = fragment & 0x1fff;
	sonde_set_limit(bytes, bytes->progress->offset, length, event);
	if (header_size > 20 && !sonde_header(bytes, header_size, SONDE_PARSE_TRUNCATED_NETWORK, event))
		return 0;
	sonde_advance(bytes, header_size);
	return 1;
}

/* Size of an IPv6 extension header (RFC 8200 4, RFC 4302 2.2), 0 for any other protocol. */
SONDE_INLINE __u32 sonde_extension_size(__u8 protocol, __u8 length_byte)
{
	switch (protocol) {
	case SONDE_IP_HOP_BY_HOP:
	case SONDE_IP_ROUTING:
	case SONDE_IP_DESTINATION_OPTIONS:
	case SONDE_IP_MOBILITY:
	case SONDE_IP_HIP:
	case SONDE_IP_SHIM6:
		return (length_byte + 1) * 8;
	case SONDE_IP_FRAGMENT:
		return 8;
	case SONDE_IP_AUTHENTICATION:
		return (length_byte + 2) * 4;
	default:
		return 0;
	}
}

SONDE_INLINE void sonde_parse_ipv6_fragment(const __u8 *header, struct sonde_packet_event *event)
{
	__u32 fragment = sonde_load16(header + 2);

	if (fragment & 0xfff9) /* an offset, or more fragments: else an atomic fragment (RFC 6946), a whole packet */
		event->flags |= SONDE_PACKET_FRAGMENT;
	event->fragment_offset = fragment >> 3;
	if (fragment >> 3)
		event->flags |= SONDE_PACKET_LATER_FRAGMENT;
}

/* One extension header: 1 when there may be another. */
SONDE_INLINE int sonde_parse_ipv6_extension(struct sonde_bytes *bytes, struct sonde_packet_event *event)
{
	/* volatile: for the reason given at struct sonde_progress */
	__u8 protocol = *(volatile __u8 *)&event->protocol;
	const __u8 *header;
	__u32 size;
	__u8 next;

	if (!sonde_extension_size(protocol, 0))
		return 0;
	header = sonde_header(bytes, 8, SONDE_PARSE_TRUNCATED_NETWORK, event);
	if (!header)
		return 0;
	bytes->progress->extension_size = sonde_extension_size(protocol, header[1]);
	if (protocol == SONDE_IP_FRAGMENT)
		sonde_parse_ipv6_fragment(header, event);
	size = bytes->progress->extension_size & SONDE_MAX_EXTENSION_MASK;
	next = header[0];
	if (size > 8 && !sonde_header(bytes, size, SONDE_PARSE_TRUNCATED_NETWORK, event))
		return 0;
	*(volatile __u8 *)&event->protocol = next;
	sonde_advance(bytes, size);
	return !(event->flags & SONDE_PACKET_LATER_FRAGMENT);
}

/* 1 when the transport header is where the bytes go on. */
SONDE_INLINE int sonde_parse_ipv6_extensions(struct sonde_bytes *bytes, struct sonde_packet_event *event)
{
	int i;

#ifdef __bpf__
#pragma clang loop unroll(disable)
#endif
	for (i = 0; i < SONDE_MAX_IPV6_EXTENSIONS; i++)
		if (!sonde_parse_ipv6_extension(bytes, event))
			break;
	return event->status == SONDE_PARSE_OK || event->status == SONDE_PARSE_TRUNCATED_PAYLOAD;
}

/* RFC 8200. */
SONDE_INLINE int sonde_parse_ipv6(struct sonde_bytes *bytes, struct sonde_packet_event *event)
{
	const __u8 *header = sonde_header(bytes, 40, SONDE_PARSE_TRUNCATED_NETWORK, event);
	__u32 length, i;

	if (!header)
		return 0;
	if (header[0] >> 4 != 6) {
		event->status = SONDE_PARSE_MALFORMED_NETWORK;
		return 0;
	}
	event->flags |= SONDE_PACKET_IPV6;
	event->protocol = header[6];
	event->hop_limit = header[7];
	for (i = 0; i < 16; i += 4) {
		sonde_store32(event->source_address + i, sonde_raw32(header + 8 + i));
		sonde_store32(event->destination_address + i, sonde_raw32(header + 24 + i));
	}
	length = sonde_load16(header + 4);
	sonde_set_limit(bytes, bytes->progress->offset, length ? length + 40 : 0, event);
	sonde_advance(bytes, 40);
	return sonde_parse_ipv6_extensions(bytes, event);
}

/* As sonde_header(), but within the length that the IP header states: Ethernet padding is no transport header. */
SONDE_INLINE const __u8 *sonde_transport_header(struct sonde_bytes *bytes, __u32 size, struct sonde_packet_event *event)
{
	if (bytes->progress->offset + size > bytes->progress->limit) {
		event->status = SONDE_PARSE_TRUNCATED_TRANSPORT;
		return 0;
	}
	return sonde_header(bytes, size, SONDE_PARSE_TRUNCATED_TRANSPORT, event);
}

/* The port words stand first in TCP, UDP and SCTP, and are told even if the rest of the header is missing. */
SONDE_INLINE int sonde_parse_ports(struct sonde_bytes *bytes, struct sonde_packet_event *event)
{
	const __u8 *header = sonde_transport_header(bytes, 4, event);

	if (!header)
		return 0;
	event->source_port = sonde_load16(header);
	event->destination_port = sonde_load16(header + 2);
	event->flags |= SONDE_PACKET_PORTS;
	return 1;
}

/* RFC 9293 3.1. */
SONDE_INLINE void sonde_parse_tcp(struct sonde_bytes *bytes, struct sonde_packet_event *event)
{
	const __u8 *header;
	__u32 header_size;

	if (!sonde_parse_ports(bytes, event))
		return;
	header = sonde_transport_header(bytes, 20, event);
	if (!header)
		return;
	event->tcp_sequence = sonde_load32(header + 4);
	event->tcp_acknowledgment = sonde_load32(header + 8);
	event->tcp_flags = header[13];
	event->tcp_window = sonde_load16(header + 14);
	header_size = (header[12] >> 4) * 4;
	if (header_size < 20)
		event->status = SONDE_PARSE_MALFORMED_TRANSPORT;
	else if (header_size == 20 || sonde_transport_header(bytes, header_size, event))
		sonde_advance(bytes, header_size);
}

/* RFC 768. A length of 0 is a jumbogram (RFC 2675); a fragment holds a part of the length only. */
SONDE_INLINE void sonde_parse_udp(struct sonde_bytes *bytes, struct sonde_packet_event *event)
{
	const __u8 *header;
	__u32 length;

	if (!sonde_parse_ports(bytes, event))
		return;
	header = sonde_transport_header(bytes, 8, event);
	if (!header)
		return;
	length = sonde_load16(header + 4);
	if (length && length < 8)
		event->status = SONDE_PARSE_MALFORMED_TRANSPORT;
	else if (bytes->progress->offset + length > bytes->progress->limit && !(event->flags & SONDE_PACKET_FRAGMENT))
		event->status = SONDE_PARSE_TRUNCATED_PAYLOAD;
	sonde_advance(bytes, 8);
}

/* RFC 9260 3.1. */
SONDE_INLINE void sonde_parse_sctp(struct sonde_bytes *bytes, struct sonde_packet_event *event)
{
	if (sonde_parse_ports(bytes, event) && sonde_transport_header(bytes, 12, event))
		sonde_advance(bytes, 12);
}

/* RFC 792, RFC 4443: type, code, checksum and four more bytes in every message. */
SONDE_INLINE void sonde_parse_icmp(struct sonde_bytes *bytes, struct sonde_packet_event *event)
{
	const __u8 *header = sonde_transport_header(bytes, 8, event);

	if (!header)
		return;
	event->icmp_type = header[0];
	event->icmp_code = header[1];
	sonde_advance(bytes, 8);
}

SONDE_INLINE void sonde_parse_transport(struct sonde_bytes *bytes, struct sonde_packet_event *event)
{
	switch (event->protocol) {
	case SONDE_IP_TCP:
		sonde_parse_tcp(bytes, event);
		break;
	case SONDE_IP_UDP:
		sonde_parse_udp(bytes, event);
		break;
	case SONDE_IP_ICMP:
	case SONDE_IP_ICMPV6:
		sonde_parse_icmp(bytes, event);
		break;
	case SONDE_IP_SCTP:
		sonde_parse_sctp(bytes, event);
		break;
	}
}

SONDE_INLINE void sonde_parse_headers(struct sonde_bytes *bytes, int link, struct sonde_packet_event *event)
{
	int parsed;

	if (link == SONDE_LINK_RAW_IP)
		parsed = sonde_parse_raw_ip(bytes, event);
	else
		parsed = sonde_parse_ethernet(bytes, event);
	event->network_offset = bytes->progress->offset;
	if (!parsed)
		return;
	if (event->ether_type == SONDE_ETHER_TYPE_IPV4)
		parsed = sonde_parse_ipv4(bytes, event);
	else if (event->ether_type == SONDE_ETHER_TYPE_IPV6)
		parsed = sonde_parse_ipv6(bytes, event);
	else
		return;
	if (parsed && !(event->flags & SONDE_PACKET_LATER_FRAGMENT))
		sonde_parse_transport(bytes, event);
}

/*
 * Fills the header members of a zeroed event. With a tag in bytes->progress, sizes and offsets are those of the packet
 * with the tag in its place, as on the wire.
 */
SONDE_INLINE void sonde_parse(struct sonde_bytes *bytes, int link, struct sonde_packet_event *event)
{
	struct sonde_progress *progress = bytes->progress;
	__u32 offset, limit, tag_size;

	progress->offset = 0;
	progress->limit = bytes->wire;
	if (progress->tag_tpid)
		sonde_set_vlan(event, progress->tag_tci);
	sonde_parse_headers(bytes, link, event);
	offset = progress->offset;
	limit = progress->limit;
	tag_size = progress->tag_tpid ? SONDE_VLAN_TAG_SIZE : 0;
	event->packet_size = bytes->wire + tag_size;
	event->network_offset += tag_size;
	event->payload_offset = offset + tag_size;
	event->payload_size = limit > offset ? limit - offset : 0;
}

#endif
