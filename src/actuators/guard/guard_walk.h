/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Asks rules in their order: those of the packet's address and those for every address, of each verdict those of the
 * address first. The words of both lists are sorted, so two cursors do.
 */
#ifndef SONDE_GUARD_WALK_H
#define SONDE_GUARD_WALK_H

#include "guard_limit.h"
#include "guard_log.h"

#define GUARD_END 0xffffffff /* a word that stands behind all others */

enum guard_walk_state {
	WALK_END = 0,     /* no rule decided */
	WALK_DECIDED = 1, /* outcome and rule are set */
	WALK_DEFAULT = 2, /* a default_drop rule matches: what does it spare? */
};

struct guard_walk {
	__u64 now; /* CLOCK_MONOTONIC, if a rule has an expiry */
	__u32 own; /* word at hand of the list of the address */
	__u32 own_next;
	__u32 own_end;
	__u32 any; /* of the list for every address */
	__u32 any_next;
	__u32 any_end;
	__u32 rule;
	__u32 pending;      /* record to ask first; GUARD_END: none */
	__u32 dry_run_rule; /* the first that would have decided; GUARD_NO_RULE: none */
	__u8 dry_run_outcome;
	__u8 outcome;
	__u8 state;
	__u8 not_spared; /* the packet is none that default_drop rules spare */
	__u8 discovery;  /* block and limit rules concern it only if they name its protocol */
};

static __always_inline __u32 list_word(const struct guard_run *run, __u32 place)
{
	const __u32 *words = rule_set_element(run, run->header->lists + place / SONDE_GUARD_WORDS);

	return words ? words[place % SONDE_GUARD_WORDS] : GUARD_END;
}

static __always_inline __u32 next_word(const struct guard_run *run, __u32 *next, __u32 end)
{
	__u32 place = *next;

	if (place >= end)
		return GUARD_END;
	*next = place + 1;
	return list_word(run, place);
}

static __always_inline int is_in(__u16 port, __u16 first, __u16 last)
{
	return port >= first && port <= last;
}

static __always_inline int matches(const struct guard_run *run, const struct sonde_guard_record *record)
{
	const struct guard_packet *packet = run->packet;

	if (!(record->directions & packet->direction) || !(record->families & packet->family))
		return 0;
	if (record->ifindex && record->ifindex != packet->ifindex)
		return 0;
	if (record->expires_ns && record->expires_ns <= run->walk->now)
		return 0;
	if (record->verdict == SONDE_GUARD_DEFAULT_DROP && packet->flags & PACKET_EVASIVE)
		return 1;
	if (record->flags & SONDE_GUARD_RECORD_PROTOCOL &&
	    (!(packet->flags & PACKET_PROTOCOL) || record->protocol != packet->protocol))
		return 0;
	if (!(record->flags & SONDE_GUARD_RECORD_PORTS))
		return 1;
	return packet->flags & PACKET_PORTS &&
	       is_in(packet->source_port, record->source_port_first, record->source_port_last) &&
	       is_in(packet->destination_port, record->destination_port_first, record->destination_port_last);
}

static __always_inline __u8 outcome_of(__u8 verdict)
{
	switch (verdict) {
	case SONDE_GUARD_NEVER_BLOCK:
		return SONDE_GUARD_PASSED_NEVER;
	case SONDE_GUARD_ALLOW:
		return SONDE_GUARD_PASSED_ALLOW;
	case SONDE_GUARD_BLOCK:
		return SONDE_GUARD_DROPPED_BLOCK;
	case SONDE_GUARD_LIMIT:
		return SONDE_GUARD_PASSED_LIMIT;
	default:
		return SONDE_GUARD_DROPPED_DEFAULT;
	}
}

static __always_inline int drops_or_limits(__u32 verdict)
{
	return verdict == SONDE_GUARD_BLOCK || verdict == SONDE_GUARD_LIMIT;
}

/* 1: the rule has decided. */
static __always_inline long ask_record(const struct guard_run *run, __u32 number)
{
	struct guard_walk *walk = run->walk;
	const struct sonde_guard_record *records, *record;
	__u8 outcome;

	records = rule_set_element(run, run->header->records + number / SONDE_GUARD_RECORDS);
	if (!records)
		return 0;
	record = &records[number % SONDE_GUARD_RECORDS];
	if (!matches(run, record))
		return 0;
	if (walk->discovery && drops_or_limits(record->verdict) && !(record->flags & SONDE_GUARD_RECORD_PROTOCOL))
		return 0;
	if (record->verdict == SONDE_GUARD_DEFAULT_DROP && !walk->not_spared) {
		walk->pending = number;
		walk->state = WALK_DEFAULT;
		return 1;
	}
	count_rule(run, record->rule);
	outcome = outcome_of(record->verdict);
	if (record->verdict == SONDE_GUARD_LIMIT && is_above_rate(run, record)) {
		outcome = SONDE_GUARD_DROPPED_LIMIT;
		count_rule(run, record->limited_counter);
	}
	if (record->flags & SONDE_GUARD_RECORD_DRY_RUN) {
		if (walk->dry_run_rule == GUARD_NO_RULE) {
			walk->dry_run_rule = record->rule;
			walk->dry_run_outcome = outcome;
		}
		return 0;
	}
	walk->rule = record->rule;
	walk->outcome = outcome;
	walk->state = WALK_DECIDED;
	return 1;
}

static __always_inline long ask_plain(const struct guard_run *run, __u32 word)
{
	struct guard_walk *walk = run->walk;

	if (!(word >> SONDE_GUARD_WORD_DIRECTIONS_SHIFT & run->packet->direction))
		return 0;
	if (walk->discovery && drops_or_limits(word >> SONDE_GUARD_WORD_VERDICT_SHIFT))
		return 0;
	walk->rule = word & SONDE_GUARD_WORD_MASK;
	walk->outcome = outcome_of(word >> SONDE_GUARD_WORD_VERDICT_SHIFT);
	walk->state = WALK_DECIDED;
	count_rule(run, walk->rule);
	return 1;
}

static long ask_next(__u32 number, struct guard_run *run)
{
	struct guard_walk *walk = run->walk;
	__u32 own_verdict = walk->own >> SONDE_GUARD_WORD_VERDICT_SHIFT;
	__u32 any_verdict = walk->any >> SONDE_GUARD_WORD_VERDICT_SHIFT;
	int take_own = own_verdict <= any_verdict;
	__u32 word = take_own ? walk->own : walk->any;
	__u32 pending = walk->pending;

	if (pending != GUARD_END) {
		walk->pending = GUARD_END;
		return ask_record(run, pending);
	}
	if (word == GUARD_END) {
		walk->state = WALK_END;
		return 1;
	}
	if (take_own)
		walk->own = next_word(run, &walk->own_next, walk->own_end);
	else
		walk->any = next_word(run, &walk->any_next, walk->any_end);
	if (word & SONDE_GUARD_WORD_RULE)
		return ask_plain(run, word);
	return ask_record(run, word & SONDE_GUARD_WORD_MASK);
}

/* The first word of a list, its end, and what it needs. */
static __always_inline __u32 open_list(const struct guard_run *run, __u32 reference, __u32 *next, __u32 *end)
{
	__u32 place = reference & SONDE_GUARD_LIST_MASK;

	*next = place + SONDE_GUARD_LIST_HEAD;
	*end = *next + list_word(run, place);
	return list_word(run, place + 1);
}

/* Gives what the rules need. */
static __always_inline __u32 begin_walk(const struct guard_run *run, __u32 reference)
{
	struct guard_walk *walk = run->walk;
	__u32 kind = reference >> SONDE_GUARD_KIND_SHIFT;
	__u32 needs = 0;

	walk->own = GUARD_END;
	walk->any = GUARD_END;
	walk->dry_run_rule = GUARD_NO_RULE;
	walk->state = WALK_END;
	walk->not_spared = 0;
	walk->pending = GUARD_END;
	if (kind == SONDE_GUARD_KIND_LIST) {
		needs |= open_list(run, reference, &walk->own_next, &walk->own_end);
		walk->own = next_word(run, &walk->own_next, walk->own_end);
	} else if (kind == SONDE_GUARD_KIND_RULE) {
		walk->own = (reference >> SONDE_GUARD_RULE_VERDICT_SHIFT & 7) << SONDE_GUARD_WORD_VERDICT_SHIFT |
			    SONDE_GUARD_WORD_RULE |
			    (reference >> SONDE_GUARD_RULE_DIRECTIONS_SHIFT & 3) << SONDE_GUARD_WORD_DIRECTIONS_SHIFT |
			    (reference & SONDE_GUARD_RULE_MASK);
	}
	if (run->header->any) {
		needs |= open_list(run, run->header->any, &walk->any_next, &walk->any_end);
		walk->any = next_word(run, &walk->any_next, walk->any_end);
	}
	return needs;
}

static __always_inline void go_on(struct guard_run *run)
{
	bpf_loop(2 * SONDE_GUARD_MAX_LIST + 2, ask_next, run, 0);
}

#endif
