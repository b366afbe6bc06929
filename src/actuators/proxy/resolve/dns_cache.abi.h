// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// An entry of map DNS_CACHE.
#ifndef SONDE_DNS_CACHE_ABI_H
#define SONDE_DNS_CACHE_ABI_H

#include <linux/types.h>

enum {
	SONDE_DNS_NAME_BYTES = 256,
	SONDE_DNS_ADDRESSES = 8,
};

// The whole name, so that no other name's entry is found.
struct sonde_dns_key {
	char name[SONDE_DNS_NAME_BYTES]; // lower case, no trailing dot; zeros behind it
};

struct sonde_dns_value {
	__u64 expires_wall_ns;                   // nanoseconds since 1970
	__u64 check;                             // of who wrote it, the name, and all that is here but this
	__u32 count;                             // of addresses; 0: the name has none
	__u32 reserved;                          // 0
	__u8 addresses[SONDE_DNS_ADDRESSES][16]; // network byte order; IPv4 as ::ffff:a.b.c.d; zeros behind them
};

#endif
