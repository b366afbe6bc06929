// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// What the owners programs and their user-space half agree on.
#ifndef SONDE_OWNERS_ABI_H
#define SONDE_OWNERS_ABI_H

#include <sonde/abi/owner.h>

// Counted in one per-CPU element, atomically.
struct sonde_owner_counters {
	__u64 recorded;   // records written or changed
	__u64 unrecorded; // sockets that got no record: no memory, or no cookie yet
	__u64 removed;    // entries taken out of the cookie map with their socket
	__u64 added;      // entries put into the cookie map
};

#endif
