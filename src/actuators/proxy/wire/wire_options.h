/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* TCP options that speak of the other connection's numbers: timestamps and SACK blocks. */
#ifndef SONDE_PROXY_WIRE_OPTIONS_H
#define SONDE_PROXY_WIRE_OPTIONS_H

#include "wire_scratch.h"

enum {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_SACK = 5,
	OPTION_TIMESTAMPS = 8,
	TIMESTAMPS_SIZE = 10,
	SACK_BLOCKS_AT_MOST = 4,
	/* As every common stack pads them (RFC 7323 A): two NOP before. */
	PADDED_TIMESTAMPS = 0x0101080a,
	PADDED_SIZE = 12,
	NO_OPTION = OPTIONS_AT_MOST,
};

struct option_walk {
	const struct sonde_wire_side_state *side;
	__u32 at;
	__u32 size;
	__u32 joining;
};

/* TSecr never goes below what the peer has really sent (its last TSval): see TIMESTAMP_MARGIN. */
static __always_inline __u32 rewrite_echo(const struct sonde_wire_side_state *side, __u32 echo, int joining)
{
	echo += side->echo_delta;
	return joining && distance(echo, side->echo_floor) < 0 ? side->echo_floor : echo;
}

/* The compiler must not undo it: the verifier forgets what is known of `at` otherwise. */
static __always_inline __u32 place_of(__u32 at)
{
	at &= 63;
	asm volatile("" : "+r"(at));
	return at;
}

static __always_inline __u32 load_word(const __u8 *options, __u32 at)
{
	const __u8 *bytes = options + place_of(at);

	return (__u32)bytes[0] << 24 | (__u32)bytes[1] << 16 | (__u32)bytes[2] << 8 | bytes[3];
}

static __always_inline void store_word(__u8 *options, __u32 at, __u32 word)
{
	__u8 *bytes = options + place_of(at);

	bytes[0] = word >> 24;
	bytes[1] = word >> 16;
	bytes[2] = word >> 8;
	bytes[3] = word;
}

static __always_inline void rewrite_blocks(const struct sonde_wire_side_state *side, __u8 *options, __u32 at,
					   __u32 size)
{
	if (side->flags & SONDE_WIRE_NO_SACK) {
		for (__u32 i = 0; i < OPTIONS_AT_MOST; i++)
			if (i < size)
				options[place_of(at + i)] = OPTION_NOP;
		return;
	}
	for (__u32 i = 0; i < 2 * SACK_BLOCKS_AT_MOST; i++) {
		__u32 edge = at + 2 + 4 * i;

		if (2 + 4 * (i + 1) > size || edge > OPTIONS_AT_MOST - 4)
			break;
		store_word(options, edge, load_word(options, edge) + side->acknowledgement_delta);
	}
}

/*
 * The option at `at`. Where the next one is; NO_OPTION: it is malformed or the last, and the receiver will not read on
 * either. Not static, so that the verifier looks at it once, and not for each turn of the loop: nine tenths of its
 * time.
 */
__noinline __u32 rewrite_option(const struct sonde_wire_side_state *side, __u32 at, __u32 end, int joining)
{
	struct wire_scratch *scratch = find_scratch();
	__u32 kind, size;
	__u8 *options;

	if (!side || !scratch || at >= OPTIONS_AT_MOST)
		return NO_OPTION;
	options = scratch->options;
	kind = options[place_of(at)];
	if (kind == OPTION_END)
		return NO_OPTION;
	if (kind == OPTION_NOP)
		return at + 1;
	size = options[place_of(at + 1)];
	if (size < 2 || at + size > end)
		return NO_OPTION;
	if (kind == OPTION_TIMESTAMPS && size == TIMESTAMPS_SIZE && at <= OPTIONS_AT_MOST - TIMESTAMPS_SIZE) {
		store_word(options, at + 2, load_word(options, at + 2) + side->timestamp_delta);
		store_word(options, at + 6, rewrite_echo(side, load_word(options, at + 6), joining));
	} else if (kind == OPTION_SACK) {
		rewrite_blocks(side, options, at, size);
	}
	return at + size;
}

static long walk_option(__u32 turn, struct option_walk *walk)
{
	walk->at = rewrite_option(walk->side, walk->at, walk->size, walk->joining);
	return walk->at >= walk->size;
}

/* Any options. Adds to `sum` what the checksum must change by. False: they are not there. */
static __noinline int rewrite_any_options(struct __sk_buff *skb, const struct wire_packet *packet,
					  const struct sonde_wire_side_state *side, int joining, __u64 *sum)
{
	struct option_walk walk = {.side = side, .joining = joining};
	struct wire_scratch *scratch = find_scratch();
	__u32 size = packet->header - TCP_HEADER;
	__u8 *options;

	if (!size)
		return 1;
	if (!scratch || size < 4)
		return 0;
	keep_comparison(size);
	if (size > OPTIONS_AT_MOST)
		return 0;
	options = scratch->options;
	__builtin_memset(options, 0, sizeof(scratch->options));
	if (bpf_skb_load_bytes(skb, packet->tcp + TCP_HEADER, options, size))
		return 0;
	walk.size = size;
	*sum += (__u32) ~(__u32)bpf_csum_diff(0, 0, (__be32 *)options, OPTIONS_AT_MOST, 0);
	bpf_loop(OPTIONS_AT_MOST, walk_option, &walk, 0);
	*sum += (__u32)bpf_csum_diff(0, 0, (__be32 *)options, OPTIONS_AT_MOST, 0);
	return !bpf_skb_store_bytes(skb, packet->tcp + TCP_HEADER, options, size, 0);
}

#endif
