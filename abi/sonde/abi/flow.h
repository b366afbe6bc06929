// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// One flow: all packets between two endpoints, both directions joined. The kernel's table and user space's hold the
// same.
#ifndef SONDE_ABI_FLOW_H
#define SONDE_ABI_FLOW_H

#include <linux/types.h>

// A side of a flow is the endpoint that sends: side 0 is the lower of the two (address bytes, then port), so that both
// directions of a flow have the same key. Which side opened it is told by SONDE_FLOW_OPENER_1.
struct sonde_flow_key {
	__u8 address[2][16]; // by side, network byte order; IPv4 as ::ffff:a.b.c.d
	__u16 port[2];       // by side, host byte order; 0: the protocol has none, or a later fragment
	__u32 group;         // interface group: ifindex of an interface by itself, else SONDE_FLOW_GROUP | its number
	__u8 protocol;       // IP protocol after all IPv6 extension headers
	__u8 reserved[3];
};

enum {
	SONDE_FLOW_GROUP = 0x80000000U, // in sonde_flow_key.group: several interfaces whose packets are one flow
};

// Bits of sonde_flow.flags.
enum sonde_flow_flag {
	SONDE_FLOW_OPENER_1 =
		1, // side 1 opened the flow: it sent the SYN, the echo request, else the first packet seen
	SONDE_FLOW_START_SEEN = 2,     // TCP: its SYN or SYN-ACK was seen; other protocols: never set
	SONDE_FLOW_VLAN = 4,           // vlan is valid
	SONDE_FLOW_SYN_ACK = 8,        // the SYN was answered by SYN-ACK: handshake_us[0] is valid
	SONDE_FLOW_HANDSHAKE = 16,     // and that by ACK: handshake_us[1] is valid
	SONDE_FLOW_SEQUENCE_0 = 32,    // sequence_end[0] is valid
	SONDE_FLOW_SEQUENCE_1 = 64,    // sequence_end[1] is valid
	SONDE_FLOW_PAYLOAD = 128,      // the first payload was handed to user space for its name (TLS, DNS)
	SONDE_FLOW_RECEIVED_0 = 256,   // a packet of side 0 came in by an interface
	SONDE_FLOW_RECEIVED_1 = 512,   // likewise of side 1
	SONDE_FLOW_SENT_0 = 1024,      // a packet of side 0 went out by an interface
	SONDE_FLOW_SENT_1 = 2048,      // likewise of side 1
	SONDE_FLOW_UNREACHABLE = 4096, // an ICMP error came back that quotes a packet of the flow
};

// What a slot of the kernel's table is. Changed by compare-and-exchange only.
enum sonde_flow_state {
	SONDE_FLOW_EMPTY = 0,
	SONDE_FLOW_FILLING = 1, // a program writes its key
	SONDE_FLOW_LIVE = 2,
	SONDE_FLOW_DEAD = 3, // no packet is counted here any more: user space will read it a last time and empty it
};

// Two cache lines, the first of which a look-up compares. Counters only grow while the flow is in the table.
struct sonde_flow {
	struct sonde_flow_key key;
	__u32 state;              // enum sonde_flow_state
	__u64 packets[2];         // by side, wire packets (as segments of offload)
	__u64 bytes[2];           // by side, as packet_size of their events
	__u64 first_ns;           // CLOCK_MONOTONIC
	__u64 last_ns;            // likewise, at most a timer tick (4 ms) early
	__u32 sequence_end[2];    // by side, TCP: the highest sequence number sent, and one more
	__u32 handshake_us[2];    // SYN to SYN-ACK, SYN-ACK to ACK, microseconds
	__u32 retransmissions[2]; // by side, TCP: packets that bring nothing behind sequence_end
	__u8 tcp_flags[2];        // by side, all that were seen
	__u8 hop_limit[2];        // by side, of the last packet
	__u16 vlan;               // outer VLAN id of the first packet
	__u16 flags;              // enum sonde_flow_flag
};

#endif
