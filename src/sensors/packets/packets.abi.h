// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// What the packets programs and their user-space half agree on.
#ifndef SONDE_PACKETS_ABI_H
#define SONDE_PACKETS_ABI_H

#include <sonde/abi/counters.h>
#include <sonde/abi/filter.h>
#include <sonde/abi/packet.h>

enum sonde_transport {
	SONDE_TRANSPORT_RING = 0, // BPF ring buffer, Linux 5.8
	SONDE_TRANSPORT_PERF = 1, // perf event array
};

enum {
	SONDE_RECORD_CLASSES = 8,
	SONDE_MAX_CAPTURED_HEADERS = 4096, // with snaplen 0: longer chains of IPv6 extension headers are cut here
};

enum sonde_emit {
	SONDE_EMIT_NEVER = 0, // statistics only
	SONDE_EMIT_ALWAYS = 1,
	SONDE_EMIT_SWITCHED = 2, // while element 0 of sonde_switch is not 0
};

// Constants of the programs, set before load; what is off is removed by the verifier as dead code.
struct sonde_packets_config {
	__u32 transport;    // enum sonde_transport
	__u32 ring_mask;    // number of rings - 1, a power of two; ring = CPU & ring_mask
	__u32 wakeup_bytes; // a reader is woken when a ring fills past this many bytes; below it polls
	__u32 snaplen;      // bytes of a packet that follow its event, at most; see capture_bytes
	// Room for packet bytes in a ring record, ascending, 0: unused. The ring reserves constant sizes only (the
	// verifier must know them), so a record takes the smallest class that holds its bytes.
	__u32 record_classes[SONDE_RECORD_CLASSES];
	__u8 emit_events;    // enum sonde_emit
	__u8 capture_bytes;  // packet bytes follow the event: snaplen of them; 0: link to transport headers
	__u8 count_totals;   // keep packet totals by interface, direction and protocol
	__u8 has_expression; // call the expression subprogram
	__u8 has_fields;     // the filter has field tests that are on
	__u8 pass_verdict;   // what the XDP program returns: XDP_PASS always, except in benchmarks of the program alone
	__u8 count_sizes;    // keep sonde_sizes (packets.bpf.c alone)
	__u8 reserved[1];
};

// Key and value of the totals: one entry an interface, direction and protocol class.
struct sonde_total_key {
	__u32 ifindex;
	__u8 direction;      // enum sonde_direction
	__u8 protocol_class; // enum sonde_protocol_class
	__u8 reserved[2];
};

// The order is that of sonde::ProtocolClass.
enum sonde_protocol_class {
	SONDE_CLASS_TCP,
	SONDE_CLASS_UDP,
	SONDE_CLASS_ICMP,
	SONDE_CLASS_ICMPV6,
	SONDE_CLASS_SCTP,
	SONDE_CLASS_OTHER_IP,
	SONDE_CLASS_ARP,
	SONDE_CLASS_OTHER,
};

struct sonde_total {
	__u64 packets; // wire packets: one that offload merged counts as its segments
	__u64 bytes;   // as packet_size
};

// Key and value of the sizes: one entry an interface and direction.
struct sonde_size_key {
	__u32 ifindex;
	__u8 direction; // enum sonde_direction
	__u8 reserved[3];
};

enum { SONDE_SIZE_CLASSES = 7 }; // up to 64, 127, 255, 511, 1023, 1518 bytes with the frame check sequence, more

struct sonde_sizes {
	__u64 frames;                      // as the kernel handles them: one that offload merged is one
	__u64 wire_packets;                // its segments
	__u64 wire_bytes;                  // as packet_size, the headers once for each segment
	__u64 classes[SONDE_SIZE_CLASSES]; // wire packets
};

// The perf transport appends packet bytes without a VLAN tag that the kernel keeps beside them: it travels here. With
// owners, a struct sonde_socket_owner stands between this and the bytes.
struct sonde_perf_packet {
	struct sonde_packet_event event;
	__u16 tag_tpid; // EtherType of the tag, host byte order; 0: there is none
	__u16 tag_tci;  // host byte order
	__u32 reserved;
};

#endif
