/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The table of flows. Part of packets.bpf.c where it counts flows.
 *
 * Why not a hash map of the kernel's: a look-up here costs a cache miss for the bucket's tags and two for the flow,
 * which lie side by side; removal can be exact, because user space marks a slot, waits for the programs that run and
 * reads it a last time; and user space reads the table through a mapping, without a call or a copy a flow.
 *
 * A slot is taken EMPTY -> FILLING -> LIVE by the program that finds no flow, and only user space empties it. Two CPUs
 * that see the first packets of a flow at the same time may both take one: then the flow has two entries, and the
 * totals are right.
 */
#ifndef SONDE_FLOW_SLOTS_H
#define SONDE_FLOW_SLOTS_H

#include "flow.h"
#include "flows.abi.h"

const volatile struct sonde_flows_config flows_config = {};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* the sizes are set by user space before load */
	__type(key, __u32);
	__type(value, struct sonde_flow);
} sonde_flow_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sonde_flow_bucket);
} sonde_flow_buckets SEC(".maps");

enum {
	TAG_WORDS = SONDE_FLOW_BUCKET_SLOTS / 4,
	NO_SLOT = ~0U,
};

/* Four tags in a word, as they lie there. */
#define TAG_LOWEST 0x0001000100010001ULL
#define TAG_HIGHEST 0x8000800080008000ULL

/* The two buckets where a flow may lie, and its tag. */
struct flow_place {
	__u64 hash;
	__u32 first;
	__u32 second;
	__u16 tag;
};

static __always_inline void find_place(const struct sonde_flow_key *key, struct flow_place *place)
{
	__u64 hash = sonde_flow_hash(key, flows_config.seed);
	__u32 buckets = flows_config.buckets;

	place->first = ((hash >> 32) * buckets) >> 32;
	place->second = ((__u64)(__u32)(hash * 0x9e3779b97f4a7c15ULL >> 32) * buckets) >> 32;
	place->tag = (__u16)hash ? (__u16)hash : 1;
}

/* High bits of the tags that are equal to those of `pattern`; a bit above one that is right may be wrong. */
static __always_inline __u64 equal_tags(__u64 word, __u64 pattern)
{
	__u64 difference = word ^ pattern;

	return (difference - TAG_LOWEST) & ~difference & TAG_HIGHEST;
}

/* Number of the lowest of those bits' tags. */
static __always_inline __u32 first_tag(__u64 found)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	if (found << 32)
		return found << 48 ? 0 : 1;
	return found << 16 ? 2 : 3;
#else
	if (found << 32)
		return found << 48 ? 3 : 2;
	return found << 16 ? 1 : 0;
#endif
}

static __always_inline struct sonde_flow *slot_at(__u32 slot)
{
	return bpf_map_lookup_elem(&sonde_flow_slots, &slot);
}

static __always_inline struct sonde_flow *find_in_bucket(__u32 index, const struct sonde_flow_bucket *bucket,
							 const struct sonde_flow_key *key, __u16 tag, __u32 *slot)
{
	const __u64 *words = (const __u64 *)bucket->tags;
	__u64 pattern = tag * TAG_LOWEST, found;
	struct sonde_flow *flow;
	__u32 i, looks;

#pragma clang loop unroll(disable)
	for (i = 0; i < TAG_WORDS; i++) {
		found = equal_tags(words[i], pattern);
		/* Two flows of a bucket share a tag once in some thousand: the second look is for them. */
#pragma clang loop unroll(disable)
		for (looks = 0; found && looks < 4; looks++, found &= found - 1) {
			*slot = index * SONDE_FLOW_BUCKET_SLOTS + i * 4 + first_tag(found);
			flow = slot_at(*slot);
			if (flow && *(volatile __u32 *)&flow->state == SONDE_FLOW_LIVE &&
			    sonde_flow_same_key(&flow->key, key))
				return flow;
		}
	}
	return 0;
}

static __always_inline struct sonde_flow *find_flow(const struct sonde_flow_key *key, const struct flow_place *place,
						    __u32 *slot)
{
	__u32 index = place->first;
	struct sonde_flow_bucket *bucket = bpf_map_lookup_elem(&sonde_flow_buckets, &index);
	struct sonde_flow *flow;

	if (!bucket)
		return 0;
	flow = find_in_bucket(index, bucket, key, place->tag, slot);
	if (flow || !bucket->displaced)
		return flow;
	index = place->second;
	bucket = bpf_map_lookup_elem(&sonde_flow_buckets, &index);
	return bucket ? find_in_bucket(index, bucket, key, place->tag, slot) : 0;
}

/* The flow begins in this slot, if nobody else takes it. */
static __always_inline int take_slot(struct sonde_flow *flow, const struct sonde_flow_key *key,
				     const struct sonde_flow_packet *packet, __u64 now_ns)
{
	if (__sync_val_compare_and_swap(&flow->state, SONDE_FLOW_EMPTY, SONDE_FLOW_FILLING) != SONDE_FLOW_EMPTY)
		return 0;
	flow->key = *key;
	sonde_flow_start(flow, packet, now_ns);
	__sync_val_compare_and_swap(&flow->state, SONDE_FLOW_FILLING, SONDE_FLOW_LIVE);
	return 1;
}

static __always_inline struct sonde_flow *add_to_bucket(__u32 index, const struct sonde_flow_key *key, __u16 tag,
							const struct sonde_flow_packet *packet, __u64 now_ns,
							__u32 *slot)
{
	struct sonde_flow_bucket *bucket = bpf_map_lookup_elem(&sonde_flow_buckets, &index);
	struct sonde_flow *flow;
	__u32 i;

	if (!bucket)
		return 0;
#pragma clang loop unroll(disable)
	for (i = 0; i < SONDE_FLOW_BUCKET_SLOTS; i++) {
		if (*(volatile __u16 *)&bucket->tags[i])
			continue;
		*slot = index * SONDE_FLOW_BUCKET_SLOTS + i;
		flow = slot_at(*slot);
		if (flow && take_slot(flow, key, packet, now_ns)) {
			*(volatile __u16 *)&bucket->tags[i] = tag;
			return flow;
		}
	}
	return 0;
}

/* 0: neither bucket has room. */
static __always_inline struct sonde_flow *add_flow(const struct sonde_flow_key *key, const struct flow_place *place,
						   const struct sonde_flow_packet *packet, __u64 now_ns, __u32 *slot)
{
	struct sonde_flow *flow = add_to_bucket(place->first, key, place->tag, packet, now_ns, slot);
	struct sonde_flow_bucket *first;
	__u32 index = place->first;

	if (flow)
		return flow;
	first = bpf_map_lookup_elem(&sonde_flow_buckets, &index);
	if (!first)
		return 0;
	/* Before the flow can be looked for. */
	*(volatile __u64 *)&first->displaced = 1;
	return add_to_bucket(place->second, key, place->tag, packet, now_ns, slot);
}

#endif
