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
	NO_SLOT = ~0U,
	MOST_LOOKS = SONDE_FLOW_BUCKET_SLOTS,
};

/* Eight tags in a word. */
#define TAGS_LOWEST 0x0101010101010101ULL
#define TAGS_HIGHEST 0x8080808080808080ULL

/* The two buckets where a flow may lie, and its tag. */
struct flow_place {
	__u32 first;
	__u32 second;
	__u8 tag;
};

static __always_inline void find_place(__u64 hash, struct flow_place *place)
{
	__u32 buckets = flows_config.buckets;

	place->first = ((hash >> 32) * buckets) >> 32;
	place->second = ((__u64)(__u32)(hash * 0x9e3779b97f4a7c15ULL >> 32) * buckets) >> 32;
	place->tag = (__u8)hash ? (__u8)hash : 1;
}

/* The highest bit of each tag that is equal to those of `pattern`. That of the tag above one may be wrong. */
static __always_inline __u64 equal_tags(__u64 word, __u64 pattern)
{
	__u64 difference = word ^ pattern;

	return (difference - TAGS_LOWEST) & ~difference & TAGS_HIGHEST;
}

/*
 * Where in its bucket the tag is that one of the bits stands for: the first of the lower eight, else of the upper
 * eight. Without a branch, which would be predicted wrongly nearly each time, and then wait for the tags' cache line
 * before the flow's can even be asked for.
 */
static __always_inline __u32 first_tag(__u64 lower, __u64 upper)
{
	__u64 in_lower = (lower | -lower) >> 63; /* 1 or 0 */
	__u64 found = lower | (upper & (in_lower - 1));
	__u32 number;

	found &= -found;
	/* One byte of the factor arrives at the top: the number of the byte whose bit is set. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	number = (found >> 7) * 0x0001020304050607ULL >> 56;
#else
	number = (found >> 7) * 0x0706050403020100ULL >> 56;
#endif
	return number + 8 * (1 - (__u32)in_lower);
}

static __always_inline struct sonde_flow *slot_at(__u32 slot)
{
	return bpf_map_lookup_elem(&sonde_flow_slots, &slot);
}

static __always_inline __u32 find_in_bucket(__u32 index, const struct sonde_flow_bucket *bucket,
					    const struct sonde_flow_key *key, __u8 tag)
{
	const __u64 *words = (const __u64 *)bucket->tags;
	__u64 pattern = tag * TAGS_LOWEST;
	__u64 lower = equal_tags(words[0], pattern), upper = equal_tags(words[1], pattern);
	struct sonde_flow *flow;
	__u32 looks, number, slot;

	/* One look in general: the tag of one in twenty flows is also that of another one of the bucket. */
#pragma clang loop unroll(disable)
	for (looks = 0; looks < MOST_LOOKS && (lower | upper); looks++) {
		number = first_tag(lower, upper);
		slot = index * SONDE_FLOW_BUCKET_SLOTS + number;
		flow = slot_at(slot);
		if (flow && *(volatile __u32 *)&flow->state == SONDE_FLOW_LIVE && sonde_flow_same_key(&flow->key, key))
			return slot;
		if (lower)
			lower &= lower - 1;
		else
			upper &= upper - 1;
	}
	return NO_SLOT;
}

/*
 * The slot of the flow with this key and hash, or NO_SLOT. A global function, as add_slot(): the verifier goes through
 * it once, whatever the paths to it are.
 */
__attribute__((noinline)) __u32 find_slot(const struct sonde_flow_key *key, __u64 hash)
{
	struct sonde_flow_bucket *bucket;
	struct flow_place place;
	__u32 index, slot;

	if (!key)
		return NO_SLOT;
	find_place(hash, &place);
	index = place.first;
	bucket = bpf_map_lookup_elem(&sonde_flow_buckets, &index);
	if (!bucket)
		return NO_SLOT;
	slot = find_in_bucket(index, bucket, key, place.tag);
	if (slot != NO_SLOT || !bucket->displaced)
		return slot;
	index = place.second;
	bucket = bpf_map_lookup_elem(&sonde_flow_buckets, &index);
	return bucket ? find_in_bucket(index, bucket, key, place.tag) : NO_SLOT;
}

/*
 * The same for the usual case, without a call, which costs 10 ns where returns are guarded (SRSO): the flow is the
 * first of its bucket that has its tag. 0: look again with find_slot().
 */
static __always_inline struct sonde_flow *guess_flow(const struct sonde_flow_key *key, __u64 hash, __u32 *slot)
{
	struct sonde_flow_bucket *bucket;
	struct flow_place place;
	struct sonde_flow *flow;
	const __u64 *words;
	__u64 pattern;
	__u32 index;

	find_place(hash, &place);
	index = place.first;
	bucket = bpf_map_lookup_elem(&sonde_flow_buckets, &index);
	if (!bucket)
		return 0;
	words = (const __u64 *)bucket->tags;
	pattern = place.tag * TAGS_LOWEST;
	*slot = index * SONDE_FLOW_BUCKET_SLOTS +
		(first_tag(equal_tags(words[0], pattern), equal_tags(words[1], pattern)) &
		 (SONDE_FLOW_BUCKET_SLOTS - 1));
	flow = slot_at(*slot);
	if (flow && *(volatile __u32 *)&flow->state == SONDE_FLOW_LIVE && sonde_flow_same_key(&flow->key, key))
		return flow;
	return 0;
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

static __always_inline __u32 add_to_bucket(__u32 index, const struct sonde_flow_key *key, __u8 tag,
					   const struct sonde_flow_packet *packet, __u64 now_ns)
{
	struct sonde_flow_bucket *bucket = bpf_map_lookup_elem(&sonde_flow_buckets, &index);
	struct sonde_flow *flow;
	__u32 i, slot;

	if (!bucket)
		return NO_SLOT;
#pragma clang loop unroll(disable)
	for (i = 0; i < SONDE_FLOW_BUCKET_SLOTS; i++) {
		if (*(volatile __u8 *)&bucket->tags[i])
			continue;
		slot = index * SONDE_FLOW_BUCKET_SLOTS + i;
		flow = slot_at(slot);
		if (flow && take_slot(flow, key, packet, now_ns)) {
			*(volatile __u8 *)&bucket->tags[i] = tag;
			return slot;
		}
	}
	return NO_SLOT;
}

/* The slot of a flow that begins with this packet, which is not counted yet. NO_SLOT: neither bucket has room. */
__attribute__((noinline)) __u32 add_slot(const struct sonde_flow_key *key, __u64 hash,
					 const struct sonde_flow_packet *packet, __u64 now_ns)
{
	struct sonde_flow_bucket *first;
	struct flow_place place;
	__u32 index, slot;

	if (!key || !packet)
		return NO_SLOT;
	find_place(hash, &place);
	slot = add_to_bucket(place.first, key, place.tag, packet, now_ns);
	if (slot != NO_SLOT)
		return slot;
	index = place.first;
	first = bpf_map_lookup_elem(&sonde_flow_buckets, &index);
	if (!first)
		return NO_SLOT;
	/* Before the flow can be looked for. */
	*(volatile __u64 *)&first->displaced = 1;
	return add_to_bucket(place.second, key, place.tag, packet, now_ns);
}

#endif
