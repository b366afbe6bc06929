// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Map of TCP segments that were lost on this host, by the packet's addresses and ports.
#ifndef SONDE_RETRANSMISSIONS_DROP_HISTORY_ABI_H
#define SONDE_RETRANSMISSIONS_DROP_HISTORY_ABI_H

#include "retransmissions.abi.h"

enum {
	SONDE_DROP_FLOWS = 1024, // packet tuples that are remembered; the least recently used go first
	SONDE_DROP_SLOTS = 64,   // ranges of sequence numbers of each
};

// As on the wire, so of one direction.
struct sonde_drop_flow {
	__u8 source[16];        // network byte order; IPv4 as ::ffff:a.b.c.d
	__u8 destination[16];   // likewise
	__u16 source_port;      // host byte order
	__u16 destination_port; // host byte order
};

// Sequence numbers [sequence, end_sequence) that were lost and not sent again yet; equal: none.
struct sonde_drop_slot {
	struct sonde_local_drop drop;
	__u64 again_ns; // CLOCK_MONOTONIC when a part was lost once more, 0: never
	__u32 sequence;
	__u32 end_sequence;
	__u32 sender_namespace; // of the sending socket, inode number; 0: the packet had left it
	__u32 reserved;
};

struct sonde_drop_slots {
	__u32 next; // counts up; modulo SONDE_DROP_SLOTS the slot that goes when all are taken
	__u32 reserved;
	struct sonde_drop_slot slots[SONDE_DROP_SLOTS];
};

#endif
