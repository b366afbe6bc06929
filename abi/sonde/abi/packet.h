// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// One packet as the packets sensor, the AF_PACKET source and file replay report it.
#ifndef SONDE_ABI_PACKET_H
#define SONDE_ABI_PACKET_H

#include <sonde/abi/event.h>

enum sonde_direction {
	SONDE_DIRECTION_IN = 0,
	SONDE_DIRECTION_OUT = 1,
};

// Bits of sonde_packet_event.flags.
enum sonde_packet_flag {
	SONDE_PACKET_VLAN = 1,             // vlan_outer is valid
	SONDE_PACKET_QINQ = 2,             // vlan_inner is valid too
	SONDE_PACKET_IPV4 = 4,             // the addresses are valid, as ::ffff:a.b.c.d
	SONDE_PACKET_IPV6 = 8,             // the addresses are valid
	SONDE_PACKET_FRAGMENT = 16,        // an IP fragment, the first one included
	SONDE_PACKET_LATER_FRAGMENT = 32,  // fragment_offset > 0: the transport header is in another packet
	SONDE_PACKET_PORTS = 64,           // the ports are valid (TCP, UDP, SCTP whose port words are in the packet)
	SONDE_PACKET_NO_LINK_HEADER = 128, // the interface carries bare IP (tun, WireGuard, IP tunnels)
};

// How far the headers could be read. Every packet is reported, whatever its status.
enum sonde_parse_status {
	SONDE_PARSE_OK = 0,
	SONDE_PARSE_TRUNCATED_LINK,      // the packet ends inside its Ethernet or VLAN header
	SONDE_PARSE_TRUNCATED_NETWORK,   // ... inside its IP header or IPv6 extension headers
	SONDE_PARSE_TRUNCATED_TRANSPORT, // ... inside its transport header
	SONDE_PARSE_TRUNCATED_PAYLOAD,   // shorter than the length its IP header states
	SONDE_PARSE_MALFORMED_NETWORK,   // IP version, header length or total length contradict each other
	SONDE_PARSE_MALFORMED_TRANSPORT, // TCP data offset below 20, UDP length below 8
	SONDE_PARSE_SNAPPED,             // the headers go on beyond the bytes that were captured
	SONDE_PARSE_STATUS_COUNT,
};

struct sonde_packet_event {
	struct sonde_event_header header; // type SONDE_EVENT_PACKET
	__u8 source_address[16];          // network byte order; IPv4 as ::ffff:a.b.c.d; zero without IP
	__u8 destination_address[16];     // likewise
	__u16 source_port;                // host byte order; 0 without SONDE_PACKET_PORTS
	__u16 destination_port;           // host byte order; 0 without SONDE_PACKET_PORTS
	__u32 packet_size;                // bytes of the whole packet from its link header, offloaded VLAN tag included
	__u32 captured_size;              // bytes of the packet that follow this record's fixed part
	__u32 payload_size;               // bytes after the transport header (after the IP headers if there is none)
	__u16 payload_offset;             // where these start, from the start of the packet
	__u16 network_offset;             // where the network header starts, from the start of the packet
	__u32 tcp_sequence;               // host byte order; TCP only
	__u32 tcp_acknowledgment;         // host byte order; TCP only
	__u16 tcp_window;                 // host byte order, unscaled; TCP only
	__u16 ether_type;                 // host byte order, after all VLAN tags; below 0x600: an 802.3 length
	__u16 vlan_outer;                 // TCI in host byte order: priority(3) DEI(1) id(12)
	__u16 vlan_inner;                 // likewise
	__u16 segments;        // wire packets that offload keeps together in this one (GSO, GRO); 0 or 1: one
	__u16 fragment_offset; // bytes / 8 (RFC 791, RFC 8200 4.5)
	__u8 protocol;         // IP protocol after all IPv6 extension headers; 0 without IP
	__u8 tcp_flags;        // byte 13 of the TCP header: CWR ECE URG ACK PSH RST SYN FIN
	__u8 direction;        // enum sonde_direction
	__u8 flags;            // enum sonde_packet_flag
	__u8 status;           // enum sonde_parse_status
	__u8 hop_limit;        // TTL or hop limit
	__u8 icmp_type;        // ICMP and ICMPv6 only
	__u8 icmp_code;        // ICMP and ICMPv6 only
};

#endif
