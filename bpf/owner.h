/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The owner of a socket: the maps it is kept in, and how to read it. The owners programs (src/sensors/owners) write
 * them; any program that has a socket reads them with sonde_read_owner(). Objects share the maps: user space puts those
 * of the owners object in place before load (OwnerTracking::share()).
 *
 * Socket-local storage goes with the socket, so it never fills up or grows stale. Where a program type cannot reach it
 * (kprobes), the same record lies in an LRU map by socket cookie.
 */
#ifndef SONDE_BPF_OWNER_H
#define SONDE_BPF_OWNER_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <sonde/abi/owner.h>

const volatile __u32 sonde_owner_store = SONDE_STORE_NONE;
const volatile __u32 sonde_owner_filtered = 0;  /* 1: sonde_owner_wanted() asks the cache of verdicts */
const volatile __u32 sonde_owner_own_hooks = 0; /* 1: no record is older than this sonde */

/* Cloned to accepted sockets from their listener; sonde_owner.inherited tells the clone. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct sonde_owner);
} sonde_owners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct sonde_owner);
} sonde_owners_by_cookie SEC(".maps");

/* Verdicts of the owner filter by process: 1 wanted, 0 not. A process that is not here goes to user space, which judges
 * it and puts the verdict here; exec removes it. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct sonde_process_key);
	__type(value, __u8);
} sonde_owner_verdicts SEC(".maps");

/* `socket` is what bpf_sk_storage_get() takes in this program type; `cookie` may be 0 with SONDE_STORE_SK_STORAGE. */
static __always_inline struct sonde_owner *sonde_find_owner(void *socket, __u64 cookie)
{
	if (sonde_owner_store == SONDE_STORE_SK_STORAGE)
		return bpf_sk_storage_get(&sonde_owners, socket, 0, 0);
	if (sonde_owner_store == SONDE_STORE_COOKIE)
		return bpf_map_lookup_elem(&sonde_owners_by_cookie, &cookie);
	return 0;
}

/* 1: the socket is certainly younger than this sonde. One that was accepted has a copy of its listener's record. */
static __always_inline int sonde_is_new_socket(void *socket, __u64 cookie)
{
	struct sonde_owner *owner = sonde_owner_own_hooks ? sonde_find_owner(socket, cookie) : 0;

	return owner && owner->opener.evidence == SONDE_OWNER_CREATED;
}

static __always_inline void sonde_no_owner(struct sonde_socket_owner *out, __u8 reason)
{
	__builtin_memset(out, 0, sizeof(*out));
	out->reason = sonde_owner_store == SONDE_STORE_NONE ? SONDE_REASON_NOT_TRACKED : reason;
}

static __always_inline __u8 sonde_owner_method(const struct sonde_socket_owner *owner)
{
	__u32 evidence = owner->user.start_time_ns ? owner->user.evidence : owner->opener.evidence;

	if (sonde_owner_store == SONDE_STORE_COOKIE)
		return SONDE_METHOD_COOKIE;
	return evidence == SONDE_OWNER_HOLDS ? SONDE_METHOD_ITER : SONDE_METHOD_SK_STORAGE;
}

/* Fills every byte of *out. */
static __always_inline void sonde_read_owner(struct sonde_socket_owner *out, void *socket, __u64 cookie)
{
	struct sonde_owner *owner = sonde_find_owner(socket, cookie);
	__u32 version;

	sonde_no_owner(out, SONDE_REASON_NOT_RECORDED);
	if (!owner)
		return;
	version = *(volatile __u32 *)&owner->version;
	out->opener = owner->opener;
	out->user = owner->user;
	out->inherited = owner->inherited;
	/* Two processes are using the socket at this very moment: neither of them is the one. */
	if (version & 1 || version != *(volatile __u32 *)&owner->version) {
		sonde_no_owner(out, SONDE_REASON_NOT_RECORDED);
		return;
	}
	out->reason = SONDE_REASON_NONE;
	out->method = sonde_owner_method(out);
}

/* The task to name: who used the socket last, else who made it. */
static __always_inline const struct sonde_task *sonde_owner_task(const struct sonde_socket_owner *owner)
{
	return owner->user.start_time_ns ? &owner->user : &owner->opener;
}

/* 0: the owner filter leaves this process out. What the cache does not know is wanted: user space decides. */
static __always_inline int sonde_owner_wanted(const struct sonde_socket_owner *owner)
{
	const struct sonde_task *task = sonde_owner_task(owner);
	struct sonde_process_key key = {.start_time_ns = task->start_time_ns, .pid = task->pid};
	__u8 *verdict;

	if (!sonde_owner_filtered || !task->start_time_ns)
		return 1;
	verdict = bpf_map_lookup_elem(&sonde_owner_verdicts, &key);
	return !verdict || *verdict;
}

#endif
