/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is too much for the stack. No other run of these programs interrupts one on its CPU. */
#ifndef SONDE_PROXY_WIRE_SCRATCH_H
#define SONDE_PROXY_WIRE_SCRATCH_H

#include "wire_socket.h"

enum {
	OPTIONS_AT_MOST = TCP_HEADER_AT_MOST - TCP_HEADER,
};

struct wire_scratch {
	struct wire_socket own;     /* of the proxy, towards the sender */
	struct wire_socket towards; /* towards the receiver */
	__u8 ip[IPV4_HEADER_AT_MOST + 4];
	__u8 tcp[TCP_HEADER_AT_MOST + 4];
	__u32 pseudo[10];
	__u8 options[64 + 4]; /* of which OPTIONS_AT_MOST are used; four bytes at any place below 64 are inside */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wire_scratch);
} SCRATCH SEC(".maps");

static __always_inline struct wire_scratch *find_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&SCRATCH, &zero);
}

static __always_inline void clear_headers(struct wire_scratch *scratch)
{
	__builtin_memset(scratch->ip, 0, sizeof(scratch->ip));
	__builtin_memset(scratch->tcp, 0, sizeof(scratch->tcp));
	__builtin_memset(scratch->pseudo, 0, sizeof(scratch->pseudo));
}

#endif
