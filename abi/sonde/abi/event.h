// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The first bytes of every record that a sonde BPF program emits. Compiled as BPF C and as C++23.
#ifndef SONDE_ABI_EVENT_H
#define SONDE_ABI_EVENT_H

#include <linux/types.h>

enum sonde_event_type {
	SONDE_EVENT_PACKET = 1,
	SONDE_EVENT_PROCESS = 2,        // a process started, ran another program or exited (sensors/processes)
	SONDE_EVENT_RETRANSMISSION = 3, // sensors/retransmissions
	SONDE_EVENT_DROP = 4,           // sensors/drops
	SONDE_EVENT_CONNECTION = 5,     // sensors/connections
};

// Explicit members only: no hidden padding, so a zeroed record never leaks kernel memory.
struct sonde_event_header {
	__u64 ts_ns;   // CLOCK_MONOTONIC at the hook, nanoseconds; user space turns it into wall time
	__u16 len;     // bytes of the fixed part of this record, this header included; variable bytes follow it
	__u16 type;    // enum sonde_event_type
	__u32 ifindex; // interface in the network namespace of the hook; 0: the event has no interface
};

#endif
