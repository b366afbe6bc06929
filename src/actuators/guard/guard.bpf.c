// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The guard: passes or drops what an interface receives (XDP or tc ingress) and sends (tc egress) by the rule set in
 * guard_rules, and counts what became of every packet. docs/guard.md has the order of the rules and what is never
 * dropped by accident.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "guard_packet.h"
#include "guard_tables.h"
#include "guard_counts.h"
#include "guard_walk.h"
#include "guard_spare.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum {
	READ_SIZE = ETHERNET_SIZE + 2 * VLAN_SIZE + IPV6_SIZE, /* most that read_addresses() looks at */
};

static __always_inline int drops(__u32 outcome)
{
	return outcome == SONDE_GUARD_DROPPED_BLOCK || outcome == SONDE_GUARD_DROPPED_LIMIT ||
	       outcome == SONDE_GUARD_DROPPED_DEFAULT;
}

/* Hooks of the network path run with bottom halves off, so there is one program at a time on a CPU. */
struct guard_scratch {
	struct guard_packet packet;
	struct guard_walk walk;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct guard_scratch);
} guard_scratches SEC(".maps");

static __always_inline void log_dry_run(const struct guard_run *run, int hook)
{
	struct guard_verdict verdict = {
		.rule = run->walk->dry_run_rule,
		.outcome = run->walk->dry_run_outcome,
		.flags = SONDE_GUARD_LOG_DRY_RUN,
	};

	if (verdict.rule != GUARD_NO_RULE)
		log_verdict(run, hook, &verdict);
}

/* Lists of rules. */
static __always_inline void walk_rules(struct guard_run *run, int hook, __u32 reference, struct guard_verdict *verdict)
{
	struct guard_walk *walk = run->walk;
	__u32 needs = begin_walk(run, reference);

	if (may_be_discovery(run->packet))
		needs |= SONDE_GUARD_NEEDS_TRANSPORT;
	if (needs & SONDE_GUARD_NEEDS_CLOCK)
		walk->now = bpf_ktime_get_coarse_ns();
	if (needs & SONDE_GUARD_NEEDS_TRANSPORT)
		read_transport(run, hook);
	walk->discovery = is_discovery(run->packet);
	go_on(run);
	verdict->outcome = SONDE_GUARD_PASSED;
	if (walk->state == WALK_DEFAULT) {
		if (!(needs & SONDE_GUARD_NEEDS_TRANSPORT))
			read_transport(run, hook);
		verdict->outcome = spare(run, hook);
		if (verdict->outcome == SONDE_GUARD_DROPPED_DEFAULT) {
			verdict->outcome = SONDE_GUARD_PASSED;
			walk->not_spared = 1;
			go_on(run);
		}
	}
	if (walk->state == WALK_DECIDED) {
		verdict->outcome = walk->outcome;
		verdict->rule = walk->rule;
	}
	log_dry_run(run, hook);
}

/* The outcome by the rule set. */
static __always_inline void decide(struct guard_run *run, int hook, struct guard_verdict *verdict)
{
	const struct sonde_guard_header *header = run->header;
	const struct guard_packet *packet = run->packet;
	const __u32 *peer = packet->direction == SONDE_GUARD_IN ? packet->source : packet->destination;
	__u32 reference, kind, rule_verdict;

	if (packet->family == SONDE_GUARD_FAMILY4)
		reference = find_ipv4(run, peer[3]);
	else
		reference = find_ipv6(run, header->root6, peer);
	kind = reference >> SONDE_GUARD_KIND_SHIFT;
	if (kind == SONDE_GUARD_KIND_NONE && !header->any) {
		verdict->outcome = SONDE_GUARD_PASSED;
		return;
	}
	rule_verdict = reference >> SONDE_GUARD_RULE_VERDICT_SHIFT & 7;
	if (kind == SONDE_GUARD_KIND_RULE && header->any_first >= rule_verdict &&
	    reference >> SONDE_GUARD_RULE_DIRECTIONS_SHIFT & packet->direction && !may_be_discovery(packet)) {
		verdict->rule = reference & SONDE_GUARD_RULE_MASK;
		verdict->outcome = outcome_of(rule_verdict);
		count_rule(run, verdict->rule);
		return;
	}
	walk_rules(run, hook, reference, verdict);
}

static __always_inline void find_outcome(struct guard_run *run, int hook, struct guard_verdict *verdict)
{
	__u32 zero = 0;

	run->rules = bpf_map_lookup_elem(&guard_rules, &zero);
	if (!run->rules)
		return;
	run->header = bpf_map_lookup_elem(run->rules, &zero);
	if (!run->header || run->header->magic != SONDE_GUARD_MAGIC || run->header->version != SONDE_GUARD_VERSION)
		return;
	if (run->packet->family)
		decide(run, hook, verdict);
	else
		verdict->outcome = run->packet->flags & PACKET_MALFORMED ? SONDE_GUARD_MALFORMED : SONDE_GUARD_NOT_IP;
	log_verdict(run, hook, verdict);
}

/* 1: drop it. */
static __always_inline int guard(struct guard_run *run, int hook)
{
	struct guard_verdict verdict = {.rule = GUARD_NO_RULE, .outcome = SONDE_GUARD_UNGUARDED};
	struct sonde_guard_counter *total;
	__u32 outcome;

	find_outcome(run, hook, &verdict);
	outcome = verdict.outcome;
	asm volatile("" : "+r"(outcome)); /* the bound must be seen on the register that is the index */
	if (outcome >= SONDE_GUARD_OUTCOMES)
		return 0;
	total = &run->totals->outcomes[outcome];
	total->packets += run->packet->packets;
	total->bytes += run->packet->size;
	return drops(outcome);
}

/* 0: there is no memory to work with, which a per-CPU array never says. */
static __always_inline int begin(struct guard_run *run, void *context)
{
	struct guard_scratch *scratch;
	__u32 zero = 0;

	run->context = context;
	run->totals = bpf_map_lookup_elem(&guard_totals, &zero);
	scratch = bpf_map_lookup_elem(&guard_scratches, &zero);
	if (!run->totals || !scratch)
		return 0;
	run->packet = &scratch->packet;
	run->walk = &scratch->walk;
	return 1;
}

SEC("sonde/xdp")
int guard_xdp(struct xdp_md *context)
{
	struct guard_run run = {};
	struct guard_packet *packet;

	if (!begin(&run, context))
		return XDP_PASS;
	packet = run.packet;
	packet->size = bpf_xdp_get_buff_len(context);
	packet->packets = 1;
	packet->ifindex = context->ingress_ifindex;
	packet->direction = SONDE_GUARD_IN;
	packet->raw = 0;
	read_addresses(packet, (void *)(long)context->data, (void *)(long)context->data_end);
	return guard(&run, GUARD_XDP) ? XDP_DROP : XDP_PASS;
}

/* Headers that are not in the linear part are fetched there. */
static __always_inline int guard_tc(struct __sk_buff *context, __u8 direction, __u8 raw)
{
	struct guard_run run = {};
	struct guard_packet *packet;
	__u32 wanted;

	if (!begin(&run, context))
		return TC_ACT_UNSPEC;
	packet = run.packet;
	packet->size = context->len;
	packet->packets = context->gso_segs > 1 ? context->gso_segs : 1;
	packet->ifindex = context->ifindex;
	packet->direction = direction;
	packet->raw = raw;
	if (!read_addresses(packet, (void *)(long)context->data, (void *)(long)context->data_end) &&
	    context->data_end - context->data < context->len) {
		wanted = context->len < READ_SIZE ? context->len : READ_SIZE;
		if (!bpf_skb_pull_data(context, wanted))
			read_addresses(packet, (void *)(long)context->data, (void *)(long)context->data_end);
	}
	return guard(&run, GUARD_TC) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

SEC("sonde/tc")
int guard_ingress(struct __sk_buff *context)
{
	return guard_tc(context, SONDE_GUARD_IN, 0);
}

SEC("sonde/tc")
int guard_egress(struct __sk_buff *context)
{
	return guard_tc(context, SONDE_GUARD_OUT, 0);
}

SEC("sonde/tc")
int guard_raw_ingress(struct __sk_buff *context)
{
	return guard_tc(context, SONDE_GUARD_IN, 1);
}

SEC("sonde/tc")
int guard_raw_egress(struct __sk_buff *context)
{
	return guard_tc(context, SONDE_GUARD_OUT, 1);
}
