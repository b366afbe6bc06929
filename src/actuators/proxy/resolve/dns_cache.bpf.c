// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * DNS_CACHE has no program: the proxy's threads read and write it through bpf(2). It is declared here so that it has
 * types, by which `bpftool map dump` prints its entries.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "dns_cache.abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 10000);
	__type(key, struct sonde_dns_key);
	__type(value, struct sonde_dns_value);
} DNS_CACHE SEC(".maps");
