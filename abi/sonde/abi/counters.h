// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Loss accounting of a sensor's programs: one per-CPU element, summed in user space.
#ifndef SONDE_ABI_COUNTERS_H
#define SONDE_ABI_COUNTERS_H

#include <linux/types.h>

// taken = filtered + counted_only + emitted + lost, once no program runs any more.
struct sonde_counters {
	__u64 taken;        // packets that reached the hook
	__u64 filtered;     // of these, rejected by the filter
	__u64 counted_only; // of these, wanted as statistics only, not as events
	__u64 emitted;      // of these, handed to the ring
	__u64 lost;         // of these, not handed over because the ring had no room
	__u64 uncounted;    // packets missing in the totals because their table was full
	__u64 unowned;      // of filtered: by the owner filter, because nobody is known to own the socket
};

enum {
	SONDE_NESTED_HOOKS = 5,
	SONDE_NESTED_EVENTS = 8,
};

// Of bpf/nested.h: one per-CPU element.
struct sonde_nesting {
	struct sonde_begun {
		__u32 depth;    // elements of events in use
		__u32 doubling; // the double runs
		struct {
			__u64 object; // address of the kernel's
			__u64 detail;
		} events[SONDE_NESTED_EVENTS]; // those that the first program has had and its double not yet
	} begun[SONDE_NESTED_HOOKS];
	__u64 made_up; // events that the first program of a pair missed and its double took
};

#endif
