/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * TCP segments that were freed on this host before they reached the peer's TCP, and finding the one that a
 * retransmission repeats. Sequence numbers tell: a segment that was lost and is sent again has the same ones.
 */
#ifndef SONDE_DROP_HISTORY_H
#define SONDE_DROP_HISTORY_H

#include "drop_history.abi.h"
#include "emit_event.h"
#include "kernel.h"
#include "socket.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define SONDE_DROP_MEMORY_NS (120ULL * 1000000000) /* the longest retransmission timeout (TCP_RTO_MAX) */
#define SONDE_DROP_BURST_NS 1000000ULL             /* neighbours that are lost within this time share a slot */

/* Bit per reason: not a loss (the data had arrived before), or no reason at all. Set before load. */
const volatile __u64 sonde_ignored_reasons[SONDE_DROP_REASONS / 64] = {};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SONDE_DROP_FLOWS);
	__type(key, struct sonde_drop_flow);
	__type(value, struct sonde_drop_slots);
} sonde_drop_history SEC(".maps");

/* Too large for the stack: what a flow starts with. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sonde_drop_slots);
} sonde_no_drops SEC(".maps");

static __always_inline int sonde_before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

static __always_inline struct sonde_drop_slots *sonde_flow_drops(const struct sonde_drop_flow *flow)
{
	struct sonde_drop_slots *slots = bpf_map_lookup_elem(&sonde_drop_history, flow);
	__u32 zero = 0;
	void *empty;

	if (slots)
		return slots;
	empty = bpf_map_lookup_elem(&sonde_no_drops, &zero);
	if (!empty)
		return 0;
	bpf_map_update_elem(&sonde_drop_history, flow, empty, BPF_NOEXIST);
	return bpf_map_lookup_elem(&sonde_drop_history, flow);
}

static __always_inline int sonde_same_burst(const struct sonde_drop_slot *slot, const struct sonde_drop_slot *found)
{
	return slot->end_sequence == found->sequence && slot->sequence != slot->end_sequence &&
	       slot->drop.reason == found->drop.reason && slot->drop.location == found->drop.location &&
	       slot->drop.ifindex == found->drop.ifindex && slot->sender_namespace == found->sender_namespace &&
	       found->drop.time_ns - slot->drop.time_ns < SONDE_DROP_BURST_NS;
}

/* sonde_counters.uncounted: a slot was overwritten while the loss that it tells of could still be asked for. */
static __always_inline void sonde_forget_drop(void)
{
	struct sonde_counters *counters = sonde_counters();

	if (counters)
		sonde_count(counters->uncounted);
}

static __always_inline int sonde_is_empty(const struct sonde_drop_slot *slot)
{
	return slot->sequence == slot->end_sequence;
}

static __always_inline int sonde_holds(const struct sonde_drop_slot *slot, const struct sonde_drop_slot *found)
{
	return !sonde_is_empty(slot) && slot->sender_namespace == found->sender_namespace &&
	       !sonde_before(found->sequence, slot->sequence) &&
	       !sonde_before(slot->end_sequence, found->end_sequence) &&
	       found->drop.time_ns - slot->drop.time_ns < SONDE_DROP_MEMORY_NS;
}

struct sonde_slot_search {
	struct sonde_drop_slots *slots;
	const struct sonde_drop_slot *found;
	__u32 chosen;
};

/* For bpf_loop(), whose body the verifier looks at once: unrolled or not, a loop with this many branches is too much.
 */
static long sonde_try_slot(__u32 index, void *context)
{
	struct sonde_slot_search *search = context;
	struct sonde_drop_slot *slot = &search->slots->slots[index & (SONDE_DROP_SLOTS - 1)];

	if (sonde_holds(slot, search->found) || sonde_same_burst(slot, search->found)) {
		search->chosen = index;
		return 1;
	}
	if (sonde_is_empty(slot))
		search->chosen = index;
	return 0;
}

/* The slot that tells of this loss already, or ends where it begins, or is empty, or is the next in turn. */
static __always_inline __u32 sonde_choose_slot(struct sonde_drop_slots *slots, const struct sonde_drop_slot *found)
{
	struct sonde_slot_search search = {.slots = slots, .found = found, .chosen = SONDE_DROP_SLOTS};

	bpf_loop(SONDE_DROP_SLOTS, sonde_try_slot, &search, 0);
	if (search.chosen < SONDE_DROP_SLOTS)
		return search.chosen;
	return __sync_fetch_and_add(&slots->next, 1) & (SONDE_DROP_SLOTS - 1);
}

/* The packets of one flow seldom get lost on two CPUs at once; if they do, a slot may be torn, which costs the name of
 * one local drop. */
static __always_inline void sonde_remember_drop(const struct sonde_drop_flow *flow, const struct sonde_drop_slot *found)
{
	struct sonde_drop_slots *slots = sonde_flow_drops(flow);
	struct sonde_drop_slot *slot;

	if (!slots)
		return;
	slot = &slots->slots[sonde_choose_slot(slots, found) & (SONDE_DROP_SLOTS - 1)];
	if (sonde_holds(slot, found)) {
		slot->again_ns = found->drop.time_ns;
		return;
	}
	if (sonde_same_burst(slot, found)) {
		slot->end_sequence = found->end_sequence;
		return;
	}
	if (!sonde_is_empty(slot) && found->drop.time_ns - slot->drop.time_ns < SONDE_DROP_MEMORY_NS)
		sonde_forget_drop();
	*slot = *found;
}

/* The part that is sent again is no longer lost. Retransmissions go from left to right, but for probes of the tail. */
static __always_inline void sonde_trim_slot(struct sonde_drop_slot *slot, __u32 sequence, __u32 end_sequence)
{
	int from_left = !sonde_before(slot->sequence, sequence);
	int to_right = !sonde_before(end_sequence, slot->end_sequence);

	if (from_left && to_right)
		slot->sequence = slot->end_sequence;
	else if (to_right)
		slot->end_sequence = sequence;
	else
		slot->sequence = end_sequence;
}

struct sonde_lost_range {
	__u32 acknowledged; /* what lies before has arrived */
	__u32 sequence;
	__u32 end_sequence;
	__u32 network_namespace; /* of the sender */
	__u32 failed;            /* the retransmission was not sent */
	__u64 before_ns;         /* a later loss is one of the retransmission itself */
};

static __always_inline int sonde_is_loss_of(const struct sonde_drop_slot *slot, const struct sonde_lost_range *range)
{
	if (sonde_is_empty(slot))
		return 0;
	if (!sonde_before(slot->sequence, range->end_sequence) || !sonde_before(range->sequence, slot->end_sequence))
		return 0;
	if (slot->sender_namespace && slot->sender_namespace != range->network_namespace)
		return 0;
	return slot->drop.time_ns < range->before_ns && range->before_ns - slot->drop.time_ns < SONDE_DROP_MEMORY_NS;
}

/* What is lost again while it is being sent again stays lost. */
static __always_inline void sonde_settle_slot(struct sonde_drop_slot *slot, const struct sonde_lost_range *range)
{
	if (range->failed || slot->again_ns >= range->before_ns)
		return;
	if (slot->again_ns)
		slot->drop.time_ns = slot->again_ns;
	sonde_trim_slot(slot, range->sequence, range->end_sequence);
}

struct sonde_drop_search {
	struct sonde_drop_slots *slots;
	const struct sonde_lost_range *range;
	struct sonde_local_drop newest;
};

static long sonde_match_slot(__u32 index, void *context)
{
	struct sonde_drop_search *search = context;
	struct sonde_drop_slot *slot = &search->slots->slots[index & (SONDE_DROP_SLOTS - 1)];

	if (!sonde_before(search->range->acknowledged, slot->end_sequence))
		slot->sequence = slot->end_sequence;
	if (!sonde_is_loss_of(slot, search->range))
		return 0;
	if (slot->drop.time_ns > search->newest.time_ns)
		search->newest = slot->drop;
	sonde_settle_slot(slot, search->range);
	return 0;
}

/* The newest loss of a part of the range; zero when there is none. */
static __always_inline void sonde_find_drop(struct sonde_local_drop *out, const struct sonde_drop_flow *flow,
					    const struct sonde_lost_range *range)
{
	struct sonde_drop_search search = {.range = range};

	search.slots = bpf_map_lookup_elem(&sonde_drop_history, flow);
	if (!search.slots)
		return;
	bpf_loop(SONDE_DROP_SLOTS, sonde_match_slot, &search, 0);
	*out = search.newest;
}

#endif
