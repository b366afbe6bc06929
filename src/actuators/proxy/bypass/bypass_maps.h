/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The maps of the local bypass, its settings and its counters. */
#ifndef SONDE_PROXY_BYPASS_MAPS_H
#define SONDE_PROXY_BYPASS_MAPS_H

#include "kernel.h"

#include <bpf/bpf_helpers.h>

#include "bypass.abi.h"

const volatile __u64 network_namespace; /* cookie */
const volatile __u32 queue_limit = 1;   /* bytes that may lie unread in a receiver */
const volatile __u32 keep_stats = 1;

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 65536);
	__type(key, struct sonde_bypass_socket);
	__type(value, __u64);
} SOCK_MAP SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_bypass_socket);
	__type(value, struct sonde_bypass_direction);
} CONNECTION_MAP SEC(".maps");

/* Addresses whose clients are noted. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_bypass_listener);
	__type(value, __u32);
} LISTENERS SEC(".maps");

/* Upstream sockets of the proxy whose peer is to be noted, marked before they connect. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} UPSTREAMS SEC(".maps");

/* Backends whose handshake is under way, by the socket that they will have. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct sonde_bypass_socket);
	__type(value, __u32);
} EXPECTED SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sonde_bypass_origin);
} ORIGINS SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sonde_bypass_traffic);
} TRAFFIC_STATS SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sonde_bypass_connections);
} CONNECTION_STATS SEC(".maps");

#define count_connection(member)                                                                                       \
	do {                                                                                                           \
		__u32 zero = 0;                                                                                        \
		struct sonde_bypass_connections *connections =                                                         \
			keep_stats ? bpf_map_lookup_elem(&CONNECTION_STATS, &zero) : 0;                                \
		if (connections)                                                                                       \
			__sync_fetch_and_add(&connections->member, 1);                                                 \
	} while (0)

#define count_traffic(member, amount)                                                                                  \
	do {                                                                                                           \
		__u32 zero = 0;                                                                                        \
		struct sonde_bypass_traffic *traffic = keep_stats ? bpf_map_lookup_elem(&TRAFFIC_STATS, &zero) : 0;    \
		if (traffic)                                                                                           \
			traffic->member += (amount);                                                                   \
	} while (0)

#endif
