/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A packet into its flow, in place of an event. Part of packets.bpf.c where it counts flows.
 *
 * Exactness: every wire packet that a hook takes is counted once more, as filtered, without key, in the table, spilled
 * to the ring or lost.
 */
#ifndef SONDE_ACCOUNT_FLOW_H
#define SONDE_ACCOUNT_FLOW_H

#include "flow_slots.h"
#include "plain_packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sonde_flows_counters);
} sonde_flow_counts SEC(".maps");

/* Interfaces that are looked at together: sonde_flow_key.group by ifindex. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u32);
} sonde_flow_groups SEC(".maps");

enum {
	DNS_PORT = 53,
	DNS_HEADER_SIZE = 12,
	TLS_HEADERS_SIZE = 6, /* of the record, and the type of the handshake message */
	TLS_HANDSHAKE = 0x16,
	TLS_MAJOR_VERSION = 3,
	TLS_CLIENT_HELLO = 1,
	ETHER_TYPE_ARP = 0x0806,
};

/* A packet on its way into a flow. */
struct flow_step {
	struct hook_packet packet;
	struct sonde_flows_counters *counters;
	struct sonde_flow *flow;
	__u64 before; /* packets of this side before */
	__u32 slot;
	__u32 payload_offset; /* in the packet as the kernel keeps it */
	__u32 reason;         /* enum sonde_flow_record_reason */
	__u8 is_parsed;       /* its event is in the scratch memory */
	__u8 is_new;          /* the flow begins with it */
};

#ifdef SONDE_PACKETS_OWNERS
#include "flow_owner.h"
#endif

static __always_inline struct sonde_flows_counters *flow_counters(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&sonde_flow_counts, &zero);
}

static __always_inline __u32 group_of(__u32 ifindex)
{
	__u32 *group = flows_config.groups ? bpf_map_lookup_elem(&sonde_flow_groups, &ifindex) : 0;

	return group ? *group : ifindex;
}

/*
 * The time of this timer tick's first packet on this CPU. Reading a clock costs 20 to 40 ns, jiffies cost one; how long
 * a tick is does not matter here.
 */
static __always_inline __u64 coarse_time(struct sonde_flows_counters *counters)
{
	__u64 tick = bpf_jiffies64();

	if (counters->tick != tick) {
		counters->tick = tick;
		counters->tick_ns = bpf_ktime_get_ns();
	}
	return counters->tick_ns;
}

/* Counts the packet in its flow, which begins if there is none. step->flow is 0 if it has no room. */
static __always_inline void count_packet(struct flow_step *step, const struct sonde_flow_key *key,
					 const struct sonde_flow_packet *packet)
{
	__u64 hash = sonde_flow_hash(key, flows_config.seed), now_ns;
	struct sonde_flow *flow;

	flow = guess_flow(key, hash, &step->slot);
	if (!flow) {
		step->slot = find_slot(key, hash);
		flow = slot_at(step->slot);
	}
	if (flow && sonde_flow_is_reused(flow, packet)) {
		__sync_val_compare_and_swap(&flow->state, SONDE_FLOW_LIVE, SONDE_FLOW_DEAD);
		flow = 0;
	}
	if (!flow) {
		now_ns = bpf_ktime_get_ns();
		step->slot = add_slot(key, hash, packet, now_ns);
		flow = slot_at(step->slot);
		step->is_new = 1;
	} else if (sonde_flow_wants_exact_time(flow, packet)) {
		now_ns = bpf_ktime_get_ns();
	} else {
		now_ns = coarse_time(step->counters);
	}
	step->flow = flow;
	if (!flow) {
		step->reason |= SONDE_FLOW_RECORD_SPILLED;
		return;
	}
	step->before = flow->packets[packet->side & 1];
	sonde_flow_update(flow, packet, now_ns);
	step->counters->counted += packet->segments;
}

static __always_inline int is_client_hello(const struct flow_step *step)
{
	__u8 bytes[TLS_HEADERS_SIZE] = {};

	if (load_bytes(&step->packet, step->payload_offset, bytes, sizeof(bytes)))
		return 0;
	return bytes[0] == TLS_HANDSHAKE && bytes[1] == TLS_MAJOR_VERSION && bytes[5] == TLS_CLIENT_HELLO;
}

/* Looked for in the first packets of a side only, so that a flow of something else costs no look a packet for ever. */
static __always_inline int may_name(const struct flow_step *step, const struct sonde_flow_key *key,
				    const struct sonde_flow_packet *packet)
{
	if (!(packet->flags & SONDE_FLOW_PACKET_PORTS) || packet->payload_size < TLS_HEADERS_SIZE ||
	    (step->flow && (step->flow->flags & SONDE_FLOW_PAYLOAD || step->before >= SONDE_FLOW_NAME_PACKETS)))
		return 0;
	if (key->port[0] == DNS_PORT || key->port[1] == DNS_PORT)
		return packet->payload_size >= DNS_HEADER_SIZE;
	return packet->flags & SONDE_FLOW_PACKET_TCP && is_client_hello(step);
}

static __always_inline void look_for_name(struct flow_step *step, const struct sonde_flow_key *key,
					  const struct sonde_flow_packet *packet)
{
	if (!may_name(step, key, packet))
		return;
	step->reason |= SONDE_FLOW_RECORD_NAME;
	if (step->flow)
		sonde_flow_set_flags(step->flow, SONDE_FLOW_PAYLOAD);
}

static __always_inline int is_dns_shown(const struct sonde_flow_key *key)
{
	return flows_config.show_dns && key->protocol == SONDE_IP_UDP &&
	       (key->port[0] == DNS_PORT || key->port[1] == DNS_PORT);
}

/* Marks the flow of the packet that an ICMP error quotes, in the table. */
static __always_inline void mark_quoted(struct flow_step *step, __u32 group)
{
	struct scratch *scratch = step->packet.scratch;
	struct sonde_flow_key key __attribute__((aligned(8)));
	struct sonde_flow *flow;
	__u32 size = scratch->event.payload_size;

	if (size < SONDE_FLOW_QUOTE - 20)
		return;
	__builtin_memset(scratch->quote, 0, sizeof(scratch->quote));
	if (size >= SONDE_FLOW_QUOTE) {
		size = SONDE_FLOW_QUOTE;
		if (load_bytes(&step->packet, step->payload_offset, scratch->quote, SONDE_FLOW_QUOTE))
			return;
	} else {
		size = SONDE_FLOW_QUOTE - 20; /* RFC 792: an IP header and eight bytes */
		if (load_bytes(&step->packet, step->payload_offset, scratch->quote, SONDE_FLOW_QUOTE - 20))
			return;
	}
	if (!sonde_flow_quoted_key(scratch->quote, size, group, scratch->quoted_addresses, &key))
		return;
	flow = slot_at(find_slot(&key, sonde_flow_hash(&key, flows_config.seed)));
	if (flow)
		sonde_flow_set_flags(flow, SONDE_FLOW_UNREACHABLE);
}

/* One record for all reasons. The packet's bytes follow where they were the reason. */
static __always_inline void emit_flow_record(struct flow_step *step, __u32 group, __u32 segments)
{
	struct sonde_counters *records = sonde_counters();
	struct scratch *scratch = step->packet.scratch;
	struct sonde_packet_event *event = &scratch->event;
	__u64 lost;

	if (!records)
		return;
	lost = records->lost;
	scratch->flow_record.reason = step->reason;
	scratch->flow_record.slot = step->slot;
	scratch->flow_record.group = group;
	event->captured_size = step->reason == SONDE_FLOW_RECORD_SPILLED ? 0 : bytes_wanted(event);
	emit_ring(&step->packet, event, records);
	if (step->reason & SONDE_FLOW_RECORD_SPILLED) {
		if (records->lost == lost)
			step->counters->spilled += segments;
		else
			step->counters->lost += segments;
	} else {
		if (records->lost == lost)
			step->counters->reported++;
		else
			step->counters->unreported++;
	}
}

/* The packet's event is in the scratch memory. 0: it is of no flow, counted. */
static __always_inline int is_flow_wanted(struct flow_step *step)
{
	struct sonde_packet_event *event = &step->packet.scratch->event;
	__u32 segments = event->segments > 1 ? event->segments : 1;

	if (config.has_fields && !sonde_filter_matches(&filter, event)) {
		step->counters->filtered += segments;
		return 0;
	}
	if (config.count_totals) {
		struct sonde_counters *records = sonde_counters();

		if (records)
			count_total(event, records);
	}
	if (sonde_flow_has_key(event))
		return 1;
	step->counters->no_key += segments;
	if (flows_config.show_arp && event->ether_type == ETHER_TYPE_ARP) {
		step->reason = SONDE_FLOW_RECORD_SHOWN;
		emit_flow_record(step, 0, segments);
	}
	return 0;
}

static __always_inline void take_parsed(struct flow_step *step, __u32 group, struct sonde_flow_key *key,
					struct sonde_flow_packet *packet)
{
	struct scratch *scratch = step->packet.scratch;

	sonde_flow_take(&scratch->event, group, key, packet);
	step->payload_offset = scratch->event.payload_offset;
	if (scratch->progress.tag_tpid)
		step->payload_offset -= SONDE_VLAN_TAG_SIZE;
	step->is_parsed = 1;
}

static __always_inline void handle_icmp_error(struct flow_step *step, __u32 group)
{
	if (!sonde_flow_is_icmp_error(&step->packet.scratch->event))
		return;
	mark_quoted(step, group);
	if (step->reason & SONDE_FLOW_RECORD_SPILLED)
		step->reason |= SONDE_FLOW_RECORD_QUOTED;
}

/* A global function: the verifier goes through it once. */
__attribute__((noinline)) int parse_xdp_packet(struct xdp_md *ctx)
{
	struct scratch *scratch = get_scratch();

	if (scratch)
		parse_xdp(ctx, scratch, &scratch->event);
	return 0;
}

static __always_inline void handle_xdp(struct xdp_md *ctx)
{
	struct flow_step step = {.packet = {.context = ctx, .scratch = get_scratch(), .is_xdp = 1},
				 .counters = flow_counters()};
	struct sonde_flow_key key __attribute__((aligned(8)));
	struct sonde_flow_packet packet;
	__u32 group;

	if (!step.counters || !step.packet.scratch)
		return;
	step.counters->taken++;
	if (config.has_expression && !expression_xdp(ctx)) {
		step.counters->filtered++;
		return;
	}
	group = group_of(ctx->ingress_ifindex);
	if (!flows_config.light_path || !take_plain_packet(ctx, group, &key, &packet, &step.payload_offset)) {
		parse_xdp_packet(ctx);
		if (!is_flow_wanted(&step))
			return;
		take_parsed(&step, group, &key, &packet);
	}
	count_packet(&step, &key, &packet);
	look_for_name(&step, &key, &packet);
	if (step.is_parsed)
		handle_icmp_error(&step, group);
	if (is_dns_shown(&key))
		step.reason |= SONDE_FLOW_RECORD_SHOWN;
	if (!step.reason)
		return;
	if (!step.is_parsed)
		parse_xdp_packet(ctx);
	emit_flow_record(&step, group, 1);
}

SEC("sonde/xdp")
int sonde_xdp(struct xdp_md *ctx)
{
	handle_xdp(ctx);
	return config.pass_verdict;
}

static __always_inline void handle_skb(struct __sk_buff *ctx, int direction, int link)
{
	struct flow_step step = {.packet = {.context = ctx, .scratch = get_scratch()}, .counters = flow_counters()};
	struct sonde_flow_key key __attribute__((aligned(8)));
	__u32 group, segments = ctx->gso_segs > 1 ? ctx->gso_segs : 1;
	struct sonde_flow_packet packet;
	struct scratch *scratch = step.packet.scratch;

	if (!step.counters || !scratch)
		return;
	step.counters->taken += segments;
	if (config.has_expression && !(link == SONDE_LINK_RAW_IP ? expression_tc_raw_ip(ctx) : expression_tc(ctx))) {
		step.counters->filtered += segments;
		return;
	}
	scratch->progress.tag_tpid = ctx->vlan_present ? bpf_ntohs(ctx->vlan_proto) : 0;
	scratch->progress.tag_tci = ctx->vlan_tci;
	parse_whole_skb(ctx, direction, link);
	if (!is_flow_wanted(&step))
		return;
	group = group_of(ctx->ifindex);
	take_parsed(&step, group, &key, &packet);
	count_packet(&step, &key, &packet);
#ifdef SONDE_PACKETS_OWNERS
	look_for_owner(ctx, &step, &packet);
#endif
	look_for_name(&step, &key, &packet);
	handle_icmp_error(&step, group);
	if (is_dns_shown(&key))
		step.reason |= SONDE_FLOW_RECORD_SHOWN;
	if (step.reason)
		emit_flow_record(&step, group, segments);
}

#endif
