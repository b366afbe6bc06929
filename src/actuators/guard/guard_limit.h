/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Rates by rule and peer. Virtual scheduling (ITU-T I.371, the "leaky bucket as a meter"): one number a peer, the time
 * until which its rate is used up, so that one compare-and-swap is exact however many CPUs take part.
 */
#ifndef SONDE_GUARD_LIMIT_H
#define SONDE_GUARD_LIMIT_H

#include "guard_counts.h"

enum {
	GUARD_MOST_PEERS = 65536,
	GUARD_SWAP_ATTEMPTS = 8,
	GUARD_MOST_UNITS = (1 << 20) - 1, /* offload merges less: keeps the product below 64 bits */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, GUARD_MOST_PEERS);
	__type(key, struct sonde_guard_bucket_key);
	__type(value, struct sonde_guard_bucket);
} guard_buckets SEC(".maps");

static __always_inline void set_peer(__u8 *to, const struct guard_packet *packet)
{
	const __u32 *peer = packet->direction == SONDE_GUARD_IN ? packet->source : packet->destination;

	if (packet->family == SONDE_GUARD_FAMILY4) {
		*(__u64 *)to = 0;
		*(__u32 *)(to + 8) = bpf_htonl(0xffff);
		*(__u32 *)(to + 12) = peer[3];
	} else {
		__builtin_memcpy(to, peer, 16);
	}
}

/* 0: there is room, or nobody can know. */
static __always_inline struct sonde_guard_bucket *get_bucket(const struct guard_run *run,
							     const struct sonde_guard_record *record, __u64 now)
{
	struct sonde_guard_bucket fresh = {.ahead_ns = now};
	struct sonde_guard_bucket_key key;
	struct sonde_guard_bucket *bucket;

	key.id = record->id;
	set_peer(key.address, run->packet);
	bucket = bpf_map_lookup_elem(&guard_buckets, &key);
	if (bucket)
		return bucket;
	bpf_map_update_elem(&guard_buckets, &key, &fresh, BPF_NOEXIST);
	bucket = bpf_map_lookup_elem(&guard_buckets, &key);
	if (!bucket)
		run->totals->unlimited += run->packet->packets;
	return bucket;
}

/* A packet that is larger than the burst passes when nothing is used up: else it never would. */
static __always_inline int is_above_rate(const struct guard_run *run, const struct sonde_guard_record *record)
{
	const struct guard_packet *packet = run->packet;
	__u64 units = record->flags & SONDE_GUARD_RECORD_RATE_IN_BYTES ? packet->size : packet->packets;
	__u64 now = bpf_ktime_get_ns();
	struct sonde_guard_bucket *bucket = get_bucket(run, record, now);
	__u64 ahead, next, cost;
	int i;

	if (!bucket)
		return 0;
	if (units > GUARD_MOST_UNITS)
		units = GUARD_MOST_UNITS;
	cost = (units * record->cost_scale) >> (record->cost_shift & 63);
	for (i = 0; i < GUARD_SWAP_ATTEMPTS; i++) {
		ahead = *(volatile __u64 *)&bucket->ahead_ns;
		next = ahead > now ? ahead + cost : now + cost;
		if (ahead > now && next - now > record->capacity_ns)
			return 1;
		if (__sync_val_compare_and_swap(&bucket->ahead_ns, ahead, next) == ahead)
			return 0;
	}
	__sync_fetch_and_add(&bucket->ahead_ns, cost); /* so many others got in between: it is paid for, and passes */
	return 0;
}

#endif
