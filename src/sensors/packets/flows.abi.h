// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// What the packets programs that count flows and their user-space half (sensors/flows) agree on.
#ifndef SONDE_FLOWS_ABI_H
#define SONDE_FLOWS_ABI_H

#include <sonde/abi/flow.h>
#include <sonde/abi/owner.h>
#include <sonde/abi/packet.h>

enum {
	SONDE_FLOW_BUCKET_SLOTS = 16,
	SONDE_FLOW_NAME_PACKETS = 16, // how many packets of a side may go by before its first payload; see RECORD_NAME
};

// Half a cache line that tells in which of its slots a flow may lie. The slots of bucket b are those from
// b * SONDE_FLOW_BUCKET_SLOTS on.
struct sonde_flow_bucket {
	__u8 tags[SONDE_FLOW_BUCKET_SLOTS]; // 8 bits of the flow's hash, never 0; 0: the slot may be taken
	__u64 displaced;                    // not 0: a flow whose first bucket this is may lie in its second
	__u64 reserved;
};

// Constants of the programs, set before load.
struct sonde_flows_config {
	__u64 seed;
	__u32 buckets;
	__u32 owners;     // fill sonde_flow_owners
	__u32 groups;     // ask sonde_flow_groups for the group of an interface
	__u32 show_arp;   // every ARP packet is also a record
	__u32 show_dns;   // likewise UDP packets of port 53
	__u32 light_path; // received by XDP and unfiltered: the usual headers are read without the parser
};

// By CPU, in wire packets unless they say records: taken = filtered + no_key + counted + spilled + lost.
struct sonde_flows_counters {
	__u64 taken;
	__u64 filtered;
	__u64 no_key;     // without an IP header that could be read: of no flow
	__u64 counted;    // in the table
	__u64 spilled;    // by a record
	__u64 lost;       // no room in the table, nor in the ring
	__u64 reported;   // records beside: names, ARP, DNS
	__u64 unreported; // of these, those that found no room in the ring
	__u64 tick;       // of no interest: the programs' clock, see coarse_time()
	__u64 tick_ns;    // likewise
};

// Why a record was made: bits.
enum sonde_flow_record_reason {
	SONDE_FLOW_RECORD_SPILLED = 1, // the table had no room: the packet is counted by this record only
	SONDE_FLOW_RECORD_NAME = 2,    // its payload may tell the name of the flow at `slot`, or of the spilled one
	SONDE_FLOW_RECORD_SHOWN = 4,   // ARP or DNS
	SONDE_FLOW_RECORD_QUOTED = 8,  // spilled, and an ICMP error
};

// Between the packet event of a record and the packet's bytes.
struct sonde_flow_record {
	__u32 reason; // enum sonde_flow_record_reason
	__u32 slot;   // with SONDE_FLOW_RECORD_NAME and not spilled
	__u32 group;  // sonde_flow_key.group
	__u32 reserved;
};

// The owner of the socket at one side of a flow, as it was at the last packet that was looked at.
struct sonde_flow_owner {
	struct sonde_socket_owner owner;
	__u32 version; // odd while it is being written
	__u32 reserved;
};

struct sonde_flow_owners {
	struct sonde_flow_owner side[2];
};

#endif
