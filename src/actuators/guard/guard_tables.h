/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The compiled rule set: an address to a reference. Nodes are searched by comparing the key with all starts of a node
 * at once and counting, without a branch: addresses that pass are random, and each wrong guess would cost more than the
 * rest of the node.
 */
#ifndef SONDE_GUARD_TABLES_H
#define SONDE_GUARD_TABLES_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "guard_packet.h"

#define LANES 0x0101010101010101ULL
#define LANE_TOPS 0x8080808080808080ULL

/* What stands in the first value of the map needs no call. */
static __always_inline void *rule_set_element(const struct guard_run *run, __u32 element)
{
	__u32 value = element / SONDE_GUARD_ELEMENTS_IN_VALUE;
	__u8 *start = (__u8 *)run->header;

	if (value) {
		start = bpf_map_lookup_elem(run->rules, &value);
		if (!start)
			return 0;
	}
	return start + element % SONDE_GUARD_ELEMENTS_IN_VALUE * SONDE_GUARD_ELEMENT_SIZE;
}

/* How many of the eight bytes of each word are not above the key: fewer than 256 in all. */
static __always_inline __u32 count_lanes(const __u64 *starts, int words, __u8 key)
{
	__u64 keys = key * LANES, sum = 0;
	__u64 keys_with_tops = keys | LANE_TOPS;
	int i;

	/* The top bit of a lane's difference is right if both tops are equal; else the tops decide. */
#pragma clang loop unroll(full)
	for (i = 0; i < words; i++) {
		__u64 not_start = ~starts[i];
		__u64 difference = keys_with_tops - (starts[i] & ~LANE_TOPS);

		sum += (((keys & not_start) | (difference & (keys | not_start))) & LANE_TOPS) >> 7;
	}
	return (sum * LANES) >> 56;
}

/* How many of the numbers are not above the key. */
static __always_inline __u32 count_wide(const __u64 *starts, int size, __u64 key)
{
	__u64 above = 0;
	int i;

	/* The borrow of key - start (Hacker's Delight, 2-13). */
#pragma clang loop unroll(full)
	for (i = 0; i < size; i++)
		above += ((~key & starts[i]) | (~(key ^ starts[i]) & (key - starts[i]))) >> 63;
	return size - above;
}

/* The smaller of the two without a branch, which would double the paths that the verifier follows on each level. */
static __always_inline __u32 child_of(__u32 children, __u32 keys, __u32 count)
{
	__s32 more = count - keys;

	return children + keys + (more & more >> 31) - 1;
}

struct guard_descent {
	const struct guard_run *run;
	__u64 key;
	__u32 element;
};

static long descend6(__u32 level, struct guard_descent *descent)
{
	const struct sonde_guard_inner6 *inner =
		rule_set_element(descent->run, descent->run->header->nodes + descent->element);

	if (!inner)
		return 1;
	descent->element = child_of(inner->children, inner->keys,
				    count_wide(inner->starts, SONDE_GUARD_INNER6_KEYS, descent->key));
	return 0;
}

/* A callback a level and no loop: the verifier of Linux 6.1 follows a loop round by round, which is too much here. */
static __always_inline __u32 find_in_tree6(const struct guard_run *run, __u32 reference, __u64 key)
{
	struct guard_descent descent = {.run = run, .key = key, .element = reference & SONDE_GUARD_NODE_MASK};
	__u32 depth = (reference >> SONDE_GUARD_NODE_DEPTH_SHIFT) & 7;
	const struct sonde_guard_leaf6 *leaf;
	__u32 place;

	if (depth)
		bpf_loop(depth, descend6, &descent, 0);
	leaf = rule_set_element(run, run->header->nodes + descent.element);
	if (!leaf)
		return 0;
	place = count_wide(leaf->starts, SONDE_GUARD_LEAF6_RANGES, key) - 1;
	return place < SONDE_GUARD_LEAF6_RANGES ? leaf->references[place] : 0;
}

/* Within a /24 of more than two ranges. */
static __always_inline __u32 find_in_block(const struct guard_run *run, __u32 reference, __u8 last_byte)
{
	__u32 element = run->header->nodes + (reference & SONDE_GUARD_NODE_MASK);
	const struct sonde_guard_leaf4 *leaf;
	const __u32 *table;
	__u32 place;

	if (reference >> SONDE_GUARD_NODE_DEPTH_SHIFT & 7) {
		table = rule_set_element(run, element + last_byte / SONDE_GUARD_WORDS);
		return table ? table[last_byte % SONDE_GUARD_WORDS] : 0;
	}
	leaf = rule_set_element(run, element);
	if (!leaf)
		return 0;
	place = count_lanes((const __u64 *)leaf->starts, SONDE_GUARD_LEAF4_RANGES / 8, last_byte) - 1;
	return place < SONDE_GUARD_LEAF4_RANGES ? leaf->references[place] : 0;
}

#define TAG_LANES 0x0001000100010001ULL
#define TAG_TOPS 0x8000800080008000ULL

/* The top bit of each 16-bit lane that is zero. */
static __always_inline __u64 zero_lanes(__u64 lanes)
{
	return ~(((lanes & ~TAG_TOPS) + ~TAG_TOPS) | lanes | ~TAG_TOPS);
}

/* Number of the one lane whose top bit is set. */
static __always_inline __u32 lane_of(__u64 tops)
{
	return (tops >> 31 & 1) + (tops >> 47 & 1) * 2 + (tops >> 63) * 3;
}

/* Place of the tag in the bucket; SONDE_GUARD_BUCKET4_BLOCKS: it is not there. */
static __always_inline __u32 find_tag(const struct sonde_guard_bucket4 *bucket, __u16 tag)
{
	const __u64 *tags = (const __u64 *)bucket->tags;
	__u64 lower = zero_lanes(tags[0] ^ tag * TAG_LANES);
	__u64 upper = zero_lanes(tags[1] ^ tag * TAG_LANES);

	if (lower)
		return lane_of(lower);
	return upper ? 4 + lane_of(upper) : SONDE_GUARD_BUCKET4_BLOCKS;
}

/* The reference of an address in a /24 that may differ from the rest of its /16. */
static __always_inline __u32 find_in_buckets(const struct guard_run *run, __u32 number, __u32 others)
{
	__u32 bits = run->header->bucket4_bits & 31;
	__u32 hash = SONDE_GUARD_BUCKET4_HASH(number >> 8), reference;
	__u32 rest = (24 - bits) & 31;
	__u32 home = hash >> rest, tag = hash & ((1U << rest) - 1), probe, place, slot;
	const struct sonde_guard_bucket4 *bucket;
	__u8 last_byte = number;

#pragma clang loop unroll(full)
	for (probe = 0; probe < SONDE_GUARD_BUCKET4_PROBES; probe++) {
		place = (home + probe) & ((1U << bits) - 1);
		bucket = rule_set_element(run, run->header->buckets4 + place / SONDE_GUARD_BUCKETS_IN_ELEMENT);
		if (!bucket)
			return 0;
		bucket += place % SONDE_GUARD_BUCKETS_IN_ELEMENT;
		slot = find_tag(bucket, tag | probe << SONDE_GUARD_TAG_PROBE_SHIFT);
		if (slot < SONDE_GUARD_BUCKET4_BLOCKS) {
			slot &= SONDE_GUARD_BUCKET4_BLOCKS - 1;
			if (last_byte < bucket->firsts[slot] || last_byte > bucket->lasts[slot])
				return others;
			reference = bucket->references[slot];
			if (reference >> SONDE_GUARD_KIND_SHIFT != SONDE_GUARD_KIND_NODE)
				return reference;
			return find_in_block(run, reference, last_byte);
		}
		if (bucket->tags[SONDE_GUARD_BUCKET4_BLOCKS - 1] == SONDE_GUARD_TAG_NONE)
			break;
	}
	return others;
}

/* 0: no rule is for this /24. */
static __always_inline int may_have_rule(const struct guard_run *run, __u32 block)
{
	__u32 place = SONDE_GUARD_FILTER4_HASH(block, run->header->filter4_bits & 31);
	const __u32 *words = rule_set_element(run, run->header->filter4 + place / (SONDE_GUARD_ELEMENT_SIZE * 8));

	return words && words[place / 32 % SONDE_GUARD_WORDS] >> place % 32 & 1;
}

static __always_inline __u32 find_ipv4(const struct guard_run *run, __be32 address)
{
	const struct sonde_guard_header *header = run->header;
	__u32 number = bpf_ntohl(address), reference;
	const __u32 *words;

	if (!header->index4 || (header->filter4 && !may_have_rule(run, number >> 8)))
		return 0;
	words = rule_set_element(run, header->index4 + (number >> 21));
	if (!words)
		return 0;
	reference = words[(number >> 16) & (SONDE_GUARD_WORDS - 1)];
	if (!(reference & SONDE_GUARD_BLOCKS_DIFFER))
		return reference;
	return find_in_buckets(run, number, reference & ~SONDE_GUARD_BLOCKS_DIFFER);
}

static __always_inline __u32 find_ipv6(const struct guard_run *run, __u32 root, const __be32 *address)
{
	__u64 upper = (__u64)bpf_ntohl(address[0]) << 32 | bpf_ntohl(address[1]);
	__u64 lower = (__u64)bpf_ntohl(address[2]) << 32 | bpf_ntohl(address[3]);
	__u32 reference = root;

	if (reference >> SONDE_GUARD_KIND_SHIFT == SONDE_GUARD_KIND_NODE)
		reference = find_in_tree6(run, reference, upper);
	if (reference >> SONDE_GUARD_KIND_SHIFT == SONDE_GUARD_KIND_NODE)
		reference = find_in_tree6(run, reference, lower);
	return reference;
}

#endif
