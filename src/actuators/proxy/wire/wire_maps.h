/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The maps of the wire splice, as table.cpp makes them, and what is counted in them. */
#ifndef SONDE_PROXY_WIRE_MAPS_H
#define SONDE_PROXY_WIRE_MAPS_H

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "wire.abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct sonde_wire_connection);
} CONNECTIONS SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_wire_flow);
	__type(value, struct sonde_wire_place);
} FLOWS SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sonde_wire_statistics);
} STATISTICS SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} CHANGES SEC(".maps");

#define count_wire(member, amount)                                                                                     \
	do {                                                                                                           \
		__u32 zero = 0;                                                                                        \
		struct sonde_wire_statistics *statistics = bpf_map_lookup_elem(&STATISTICS, &zero);                    \
		if (statistics)                                                                                        \
			statistics->member += (amount);                                                                \
	} while (0)

#endif
