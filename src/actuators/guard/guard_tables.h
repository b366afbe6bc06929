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

#define LANES 0x0101010101010101ULL
#define LANE_TOPS 0x8080808080808080ULL

static __always_inline void *rule_set_element(void *rules, __u32 element)
{
	return bpf_map_lookup_elem(rules, &element);
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

/* Within a /24 of more than two ranges. */
static __always_inline __u32 find_in_block(void *rules, __u32 reference, __u8 last_byte)
{
	__u32 element = reference & SONDE_GUARD_NODE_MASK;
	const struct sonde_guard_leaf4 *leaf;
	const __u32 *table;
	__u32 place;

	if (reference >> SONDE_GUARD_NODE_DEPTH_SHIFT & 7) {
		table = rule_set_element(rules, element + last_byte / SONDE_GUARD_WORDS);
		return table ? table[last_byte % SONDE_GUARD_WORDS] : 0;
	}
	leaf = rule_set_element(rules, element);
	if (!leaf)
		return 0;
	place = count_lanes((const __u64 *)leaf->starts, SONDE_GUARD_LEAF4_RANGES / 8, last_byte) - 1;
	return place < SONDE_GUARD_LEAF4_RANGES ? leaf->references[place] : 0;
}

static __always_inline __u32 find_in_slice(void *rules, __u32 entries, const struct sonde_guard_slice4 *slice,
					   __u8 block, __u8 last_byte)
{
	__u32 word = block / 64, bit = block % 64, number;
	const struct sonde_guard_entry4 *entry;
	__u64 blocks = slice->blocks[word];

	if (!(blocks >> bit & 1))
		return slice->reference;
	number = slice->first_entry + slice->entries_before[word] + __builtin_popcountll(blocks & ((1ULL << bit) - 1));
	entry = rule_set_element(rules, entries + number / SONDE_GUARD_ENTRIES_IN_ELEMENT);
	if (!entry)
		return 0;
	entry += number % SONDE_GUARD_ENTRIES_IN_ELEMENT;
	if (last_byte < entry->first || last_byte > entry->last)
		return slice->reference;
	if (entry->reference >> SONDE_GUARD_KIND_SHIFT != SONDE_GUARD_KIND_NODE)
		return entry->reference;
	return find_in_block(rules, entry->reference, last_byte);
}

static __always_inline __u32 find_ipv4(void *rules, const struct sonde_guard_header *header, __be32 address)
{
	__u32 number = bpf_ntohl(address), reference, slices;
	const struct sonde_guard_slice4 *slice;
	const __u32 *words;

	if (!header->index4)
		return 0;
	words = rule_set_element(rules, header->index4 + (number >> 25));
	if (!words)
		return 0;
	reference = words[(number >> 20) & (SONDE_GUARD_WORDS - 1)];
	if (reference >> SONDE_GUARD_KIND_SHIFT != SONDE_GUARD_KIND_NODE)
		return reference;
	slices = reference & SONDE_GUARD_NODE_MASK;
	slice = rule_set_element(rules, slices + ((number >> 17) & 7));
	if (!slice)
		return 0;
	slice += (number >> 16) & 1;
	return find_in_slice(rules, header->entries4, slice, number >> 8, number);
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
