/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is kept of a connection beside its socket. Two objects share the map (connections.cpp). */
#ifndef SONDE_CONNECTIONS_RECORD_H
#define SONDE_CONNECTIONS_RECORD_H

#include "emit_event.h"
#include "kernel.h"
#include "owner.h"
#include "connections.abi.h"
#include "tcp.bpf.h"

/* Not cloned: an accepted socket begins its own. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sonde_connection_record);
} sonde_connections SEC(".maps");

static __always_inline struct sonde_connection_record *find_record(struct sock *sk, __u64 flags)
{
	return bpf_sk_storage_get(&sonde_connections, sk, 0, flags);
}

/* An event with its owner, the rest still zero. 0: not wanted or no room, counted. */
static __always_inline struct sonde_connection_event *reserve_connection(struct sock *sk, __u8 kind,
									 struct sonde_counters *counters)
{
	struct sonde_connection_event *event;
	struct sonde_socket_owner owner;

	sonde_count(counters->taken);
	sonde_read_owner(&owner, sk, sonde_owner_store == SONDE_STORE_COOKIE ? bpf_get_socket_cookie(sk) : 0);
	sonde_name_kernel(&owner, sk);
	if (!sonde_owner_wanted(&owner)) {
		sonde_count(counters->filtered);
		return 0;
	}
	event = sonde_reserve_event(sizeof(*event), SONDE_EVENT_CONNECTION, counters);
	if (!event)
		return 0;
	event->kind = kind;
	event->owner = owner;
	return event;
}

#endif
