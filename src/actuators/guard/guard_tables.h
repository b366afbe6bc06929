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
#include "guard.abi.h"

#define LANES 0x0001000100010001ULL
#define LANE_TOPS 0x8000800080008000ULL

static __always_inline void *rule_set_element(void *rules, __u32 element)
{
	return bpf_map_lookup_elem(rules, &element);
}

/* How many of the four 16-bit numbers of each word are not above the key: at most 4 * words. */
static __always_inline __u32 count_lanes(const __u64 *starts, int words, __u16 key)
{
	__u64 keys = key * LANES, sum = 0;
	__u64 keys_with_tops = keys | LANE_TOPS;
	int i;

	/* Bytes of a lane: the top bit of keys - start is right if both tops are equal; else the tops decide. */
#pragma clang loop unroll(full)
	for (i = 0; i < words; i++) {
		__u64 not_start = ~starts[i];
		__u64 difference = keys_with_tops - (starts[i] & ~LANE_TOPS);

		sum += (((keys & not_start) | (difference & (keys | not_start))) & LANE_TOPS) >> 15;
	}
	return (sum * LANES) >> 48;
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

static __always_inline __u32 find_in_tree4(void *rules, __u32 reference, __u16 key)
{
	__u32 depth = (reference >> SONDE_GUARD_NODE_DEPTH_SHIFT) & 7;
	__u32 element = reference & SONDE_GUARD_NODE_MASK;
	const struct sonde_guard_inner4 *inner;
	const struct sonde_guard_leaf4 *leaf;
	__u32 place, i;

	for (i = 0; i < 2; i++) {
		if (i >= depth)
			break;
		inner = rule_set_element(rules, element);
		if (!inner)
			return 0;
		element = child_of(inner->children, inner->keys,
				   count_lanes((const __u64 *)inner->starts, SONDE_GUARD_INNER4_KEYS / 4, key));
	}
	leaf = rule_set_element(rules, element);
	if (!leaf)
		return 0;
	place = count_lanes((const __u64 *)leaf->starts, SONDE_GUARD_LEAF4_RANGES / 4, key) - 1;
	return place < SONDE_GUARD_LEAF4_RANGES ? leaf->references[place] : 0;
}

struct guard_descent {
	void *rules;
	__u64 key;
	__u32 element;
};

static long descend6(__u32 level, struct guard_descent *descent)
{
	const struct sonde_guard_inner6 *inner = rule_set_element(descent->rules, descent->element);

	if (!inner)
		return 1;
	descent->element = child_of(inner->children, inner->keys,
				    count_wide(inner->starts, SONDE_GUARD_INNER6_KEYS, descent->key));
	return 0;
}

/* A callback a level and no loop: the verifier of Linux 6.1 follows a loop round by round, which is too much here. */
static __always_inline __u32 find_in_tree6(void *rules, __u32 reference, __u64 key)
{
	struct guard_descent descent = {.rules = rules, .key = key, .element = reference & SONDE_GUARD_NODE_MASK};
	__u32 depth = (reference >> SONDE_GUARD_NODE_DEPTH_SHIFT) & 7;
	const struct sonde_guard_leaf6 *leaf;
	__u32 place;

	if (depth)
		bpf_loop(depth, descend6, &descent, 0);
	leaf = rule_set_element(rules, descent.element);
	if (!leaf)
		return 0;
	place = count_wide(leaf->starts, SONDE_GUARD_LEAF6_RANGES, key) - 1;
	return place < SONDE_GUARD_LEAF6_RANGES ? leaf->references[place] : 0;
}

static __always_inline __u32 find_ipv4(void *rules, __u32 index4, __be32 address)
{
	__u32 number = bpf_ntohl(address);
	const __u32 *words;
	__u32 reference;

	if (!index4)
		return 0;
	words = rule_set_element(rules, index4 + (number >> 21));
	if (!words)
		return 0;
	reference = words[(number >> 16) & (SONDE_GUARD_WORDS - 1)];
	if (reference >> SONDE_GUARD_KIND_SHIFT != SONDE_GUARD_KIND_NODE)
		return reference;
	return find_in_tree4(rules, reference, number);
}

static __always_inline __u32 find_ipv6(void *rules, __u32 root, const __be32 *address)
{
	__u64 upper = (__u64)bpf_ntohl(address[0]) << 32 | bpf_ntohl(address[1]);
	__u64 lower = (__u64)bpf_ntohl(address[2]) << 32 | bpf_ntohl(address[3]);
	__u32 reference = root;

	if (reference >> SONDE_GUARD_KIND_SHIFT == SONDE_GUARD_KIND_NODE)
		reference = find_in_tree6(rules, reference, upper);
	if (reference >> SONDE_GUARD_KIND_SHIFT == SONDE_GUARD_KIND_NODE)
		reference = find_in_tree6(rules, reference, lower);
	return reference;
}

#endif
