// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Packets sensor: every packet of an interface, received (XDP or tc ingress) and sent (tc egress), as one event each.
 * The programs look and return the packet untouched.
 *
 * Built four times: packets_owners.bpf.c adds the owner of the packet's socket, packets_flows.bpf.c and
 * packets_flows_owners.bpf.c count packets in flows in place of reporting them.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "parse.h"
#include "match.h"
#include "emit.h"
#include "packets.abi.h"
#ifdef SONDE_PACKETS_OWNERS
#include <sonde/abi/owner.h>
#endif
#ifdef SONDE_PACKETS_FLOWS
#include "flow.h"
#include "flows.abi.h"
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct sonde_packets_config config = {};
const volatile struct sonde_filter filter = {};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct sonde_total_key);
	__type(value, struct sonde_total);
} sonde_totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} sonde_switch SEC(".maps");

/*
 * Working memory of the CPU's running program: hooks of the network path run with bottom halves off, so there is one at
 * a time. In a map rather than on the stack, see struct sonde_progress.
 */
struct scratch {
	struct sonde_packet_event event;
	struct sonde_progress progress;
	struct sonde_perf_packet perf;
#ifdef SONDE_PACKETS_OWNERS
	struct sonde_socket_owner owner; /* right behind perf: a perf record is both */
	volatile __u64 socket;           /* kernel address, see address_of() */
#endif
#ifdef SONDE_PACKETS_FLOWS
	struct sonde_flow_record flow_record;
	__u8 quote[SONDE_FLOW_QUOTE];
	__u8 quoted_addresses[32];
#endif
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} sonde_scratch SEC(".maps");

static __always_inline struct scratch *get_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&sonde_scratch, &zero);
}

/* The packet of a running program. */
struct hook_packet {
	void *context;
	struct scratch *scratch;
	__u8 is_xdp;
};

#ifdef SONDE_PACKETS_OWNERS
#include "packet_owner.h"
#endif

/* Bytes between a packet's event and those of the packet. */
#ifdef SONDE_PACKETS_FLOWS
enum { MORE_SIZE = sizeof(struct sonde_flow_record) };
#elif defined(SONDE_PACKETS_OWNERS)
enum { MORE_SIZE = sizeof(struct sonde_socket_owner) };
#else
enum { MORE_SIZE = 0 };
#endif
enum { RECORD_SIZE = sizeof(struct sonde_packet_event) + MORE_SIZE };

/*
 * The pcap-filter expression. User space replaces the bodies by the translated expression before load
 * (kernel::Object::replace_subprogram); the register constraints keep the compiler from looking into them.
 */
#define EXPRESSION(name, context_type)                                                                                 \
	static __attribute__((noinline)) __u32 name(context_type *context)                                             \
	{                                                                                                              \
		__u32 matches = 1;                                                                                     \
		asm volatile("" : "+r"(matches), "+r"(context));                                                       \
		return matches;                                                                                        \
	}
EXPRESSION(expression_xdp, struct xdp_md)
EXPRESSION(expression_tc, struct __sk_buff)
EXPRESSION(expression_tc_raw_ip, struct __sk_buff)

static __always_inline __u8 protocol_class(const struct sonde_packet_event *event)
{
	if (!(event->flags & (SONDE_PACKET_IPV4 | SONDE_PACKET_IPV6)))
		return event->ether_type == 0x0806 ? SONDE_CLASS_ARP : SONDE_CLASS_OTHER;
	switch (event->protocol) {
	case SONDE_IP_TCP:
		return SONDE_CLASS_TCP;
	case SONDE_IP_UDP:
		return SONDE_CLASS_UDP;
	case SONDE_IP_ICMP:
		return SONDE_CLASS_ICMP;
	case SONDE_IP_ICMPV6:
		return SONDE_CLASS_ICMPV6;
	case SONDE_IP_SCTP:
		return SONDE_CLASS_SCTP;
	default:
		return SONDE_CLASS_OTHER_IP;
	}
}

static __always_inline void count_total(const struct sonde_packet_event *event, struct sonde_counters *counters)
{
	struct sonde_total_key key = {.ifindex = event->header.ifindex,
				      .direction = event->direction,
				      .protocol_class = protocol_class(event)};
	struct sonde_total *total = bpf_map_lookup_elem(&sonde_totals, &key);
	struct sonde_total zero = {};

	if (!total) {
		bpf_map_update_elem(&sonde_totals, &key, &zero, BPF_NOEXIST);
		total = bpf_map_lookup_elem(&sonde_totals, &key);
	}
	if (!total) {
		counters->uncounted++;
		return;
	}
	total->packets += event->segments > 1 ? event->segments : 1;
	total->bytes += event->packet_size;
}

#if !defined(SONDE_PACKETS_OWNERS) && !defined(SONDE_PACKETS_FLOWS)
#include "packet_sizes.h"

static __always_inline void count_packet_size(const struct hook_packet *packet, const struct sonde_packet_event *event,
					      struct sonde_counters *counters)
{
	__u32 segment_payload = packet->is_xdp ? 0 : ((struct __sk_buff *)packet->context)->gso_size;

	if (config.count_sizes)
		count_size(event, segment_payload, counters);
}
#else
static __always_inline void count_packet_size(const struct hook_packet *packet, const struct sonde_packet_event *event,
					      struct sonde_counters *counters)
{
}
#endif

static __always_inline long load_bytes(const struct hook_packet *packet, __u32 offset, void *to, __u32 size)
{
	if (packet->is_xdp)
		return bpf_xdp_load_bytes(packet->context, offset, to, size);
	return bpf_skb_load_bytes(packet->context, offset, to, size);
}

/*
 * A size between 1 and 65536, and known as such: the compiler would fold "no bytes" and "too many" into one comparison
 * of size - 1, from which the verifier of Linux 6.1 learns nothing about the size.
 */
static __always_inline __u32 bounded(__u32 size)
{
	size -= 1;
	asm volatile("%0 &= 0xffff" : "+r"(size));
	size += 1;
	asm volatile("" : "+r"(size));
	return size;
}

/* The first `size` bytes as on the wire: an offloaded tag goes where it was. `room` is the constant size of `to`. */
static __always_inline long copy_bytes(const struct hook_packet *packet, __u8 *to, __u32 size, __u32 room)
{
	struct scratch *scratch = packet->scratch;
	__u32 rest;

	if (!scratch->progress.tag_tpid) {
		size = bounded(size);
		return size > room ? -1 : load_bytes(packet, 0, to, size);
	}
	if (load_bytes(packet, 0, to, 12))
		return -1;
	*(__u16 *)(to + 12) = bpf_htons(scratch->progress.tag_tpid);
	*(__u16 *)(to + 14) = bpf_htons(scratch->progress.tag_tci);
	if (size <= 16)
		return 0;
	rest = bounded(size - 16);
	return rest > room - 16 ? -1 : load_bytes(packet, 12, to + 16, rest);
}

/*
 * Into the ring, with the time. The clock is read after the stores: it costs 20 ns that do not depend on them, while
 * their cache lines come from the reader's core; read before, that wait falls on the locked instruction of the submit.
 */
static __always_inline void submit(void *ring, struct sonde_packet_event *record, struct sonde_counters *counters)
{
	record->header.ts_ns = bpf_ktime_get_ns();
	sonde_submit(ring, record, config.wakeup_bytes, counters);
}

/* The fixed part of a ring record; packet bytes follow it. */
static __always_inline void fill_record(struct sonde_packet_event *record, const struct scratch *scratch)
{
	*record = scratch->event;
#ifdef SONDE_PACKETS_FLOWS
	*(struct sonde_flow_record *)(record + 1) = scratch->flow_record;
#elif defined(SONDE_PACKETS_OWNERS)
	*(struct sonde_socket_owner *)(record + 1) = scratch->owner;
#endif
}

/* One record of the class: 1 when it was emitted or counted as lost. */
static __always_inline int emit_class(const struct hook_packet *packet, struct sonde_packet_event *event, void *ring,
				      __u32 room, struct sonde_counters *counters)
{
	struct sonde_packet_event *record;

	if (!room || event->captured_size > room)
		return 0;
	record = sonde_reserve(ring, RECORD_SIZE + room, counters);
	if (!record)
		return 1;
	fill_record(record, packet->scratch);
	if (copy_bytes(packet, (__u8 *)record + RECORD_SIZE, event->captured_size, room))
		record->captured_size = 0;
	submit(ring, record, counters);
	return 1;
}

static __always_inline void emit_with_bytes(const struct hook_packet *packet, struct sonde_packet_event *event,
					    void *ring, struct sonde_counters *counters)
{
	int i;

#pragma unroll
	for (i = 0; i < SONDE_RECORD_CLASSES; i++)
		if (emit_class(packet, event, ring, config.record_classes[i], counters))
			return;
	counters->lost++;
}

static __always_inline void emit_ring(const struct hook_packet *packet, struct sonde_packet_event *event,
				      struct sonde_counters *counters)
{
	void *ring = sonde_select_ring(config.ring_mask);
	struct sonde_packet_event *record;

	if (config.capture_bytes && event->captured_size) {
		emit_with_bytes(packet, event, ring, counters);
		return;
	}
	record = sonde_reserve(ring, RECORD_SIZE, counters);
	if (!record)
		return;
	fill_record(record, packet->scratch);
	submit(ring, record, counters);
}

/* How many bytes of the packet as the kernel keeps it make up `captured` bytes of it with its tag in place. */
static __always_inline __u32 without_tag(__u32 captured)
{
	enum { ADDRESSES_SIZE = 12 };

	if (captured > ADDRESSES_SIZE + SONDE_VLAN_TAG_SIZE)
		return captured - SONDE_VLAN_TAG_SIZE;
	return captured < ADDRESSES_SIZE ? captured : ADDRESSES_SIZE;
}

static __always_inline void emit_perf(const struct hook_packet *packet, struct sonde_counters *counters)
{
	struct scratch *scratch = packet->scratch;
	struct sonde_perf_packet *record = &scratch->perf;
	__u32 captured = scratch->event.captured_size;

	record->event = scratch->event;
	record->event.header.ts_ns = bpf_ktime_get_ns();
	record->tag_tpid = scratch->progress.tag_tpid;
	record->tag_tci = scratch->progress.tag_tci;
	record->reserved = 0;
	if (record->tag_tpid)
		captured = without_tag(captured);
	sonde_emit_perf(packet->context, record, sizeof(*record) + MORE_SIZE, captured, counters);
}

static __always_inline __u32 bytes_wanted(const struct sonde_packet_event *event)
{
	__u32 wanted = config.snaplen;

	if (!config.capture_bytes)
		return 0;
	if (!wanted)
		wanted = event->payload_offset < SONDE_MAX_CAPTURED_HEADERS ? event->payload_offset
									    : SONDE_MAX_CAPTURED_HEADERS;
	return wanted < event->packet_size ? wanted : event->packet_size;
}

static __always_inline int events_wanted(void)
{
	__u32 zero = 0, *on;

	if (config.emit_events != SONDE_EMIT_SWITCHED)
		return config.emit_events == SONDE_EMIT_ALWAYS;
	on = bpf_map_lookup_elem(&sonde_switch, &zero);
	return on && *on;
}

static __always_inline void report(const struct hook_packet *packet, struct sonde_counters *counters)
{
	struct sonde_packet_event *event = &packet->scratch->event;

	if (config.has_fields && !sonde_filter_matches(&filter, event)) {
		counters->filtered++;
		return;
	}
#ifdef SONDE_PACKETS_OWNERS
	find_packet_owner(packet);
	if (!is_owner_wanted(&packet->scratch->owner, counters))
		return;
#endif
	if (config.count_totals)
		count_total(event, counters);
	count_packet_size(packet, event, counters);
	if (!events_wanted()) {
		counters->counted_only++;
		return;
	}
	event->captured_size = bytes_wanted(event);
	if (config.transport == SONDE_TRANSPORT_PERF)
		emit_perf(packet, counters);
	else
		emit_ring(packet, event, counters);
}

static __always_inline void start_event(struct sonde_packet_event *event, __u32 ifindex, __u8 direction)
{
	__builtin_memset(event, 0, sizeof(*event));
	event->header.len = RECORD_SIZE;
	event->header.type = SONDE_EVENT_PACKET;
	event->header.ifindex = ifindex;
	event->direction = direction;
}

static __always_inline void parse_xdp(struct xdp_md *ctx, struct scratch *scratch, struct sonde_packet_event *event)
{
	struct sonde_bytes bytes = {.data = (void *)(long)ctx->data,
				    .end = (void *)(long)ctx->data_end,
				    .wire = bpf_xdp_get_buff_len(ctx),
				    .progress = &scratch->progress};

	start_event(event, ctx->ingress_ifindex, SONDE_DIRECTION_IN);
	scratch->progress.tag_tpid = 0;
	sonde_parse(&bytes, SONDE_LINK_ETHERNET, event);
}

/* Is a packet's event wanted whatever the parser finds, without packet bytes, by ring? */
static __always_inline int every_packet_wanted(void)
{
	return !MORE_SIZE && config.emit_events == SONDE_EMIT_ALWAYS && config.transport == SONDE_TRANSPORT_RING &&
	       !config.has_fields && !config.count_totals && !config.count_sizes && !config.capture_bytes;
}

/* The parser fills the ring record itself: no copy, which is a tenth of a packet's cost. */
static __always_inline void report_in_place(struct xdp_md *ctx, struct scratch *scratch,
					    struct sonde_counters *counters)
{
	void *ring = sonde_select_ring(config.ring_mask);
	struct sonde_packet_event *record = sonde_reserve(ring, sizeof(*record), counters);

	if (!record)
		return;
	parse_xdp(ctx, scratch, record);
	submit(ring, record, counters);
}

#ifndef SONDE_PACKETS_FLOWS
SEC("sonde/xdp")
int sonde_xdp(struct xdp_md *ctx)
{
	struct sonde_counters *counters = sonde_counters();
	struct scratch *scratch = get_scratch();
	struct hook_packet packet = {.context = ctx, .scratch = scratch, .is_xdp = 1};

	if (!counters || !scratch)
		return config.pass_verdict;
	counters->taken++;
	if (config.has_expression && !expression_xdp(ctx)) {
		counters->filtered++;
	} else if (every_packet_wanted()) {
		report_in_place(ctx, scratch, counters);
	} else {
		parse_xdp(ctx, scratch, &scratch->event);
		report(&packet, counters);
	}
	return config.pass_verdict;
}
#endif

static __always_inline int parse_skb(struct __sk_buff *ctx, int direction, int link)
{
	struct scratch *scratch = get_scratch();
	struct sonde_bytes bytes;

	if (!scratch)
		return 0;
	start_event(&scratch->event, ctx->ifindex, direction);
	scratch->event.segments = ctx->gso_segs;
	bytes.data = (void *)(long)ctx->data;
	bytes.end = (void *)(long)ctx->data_end;
	bytes.wire = ctx->len;
	bytes.progress = &scratch->progress;
	sonde_parse(&bytes, link, &scratch->event);
	return scratch->event.status == SONDE_PARSE_SNAPPED;
}

/*
 * Global functions: the verifier goes through them once, whoever calls them how often, so a program loads in a fraction
 * of the time. They tell whether headers lie outside the readable bytes.
 */
__attribute__((noinline)) int parse_skb_ethernet(struct __sk_buff *ctx, int direction)
{
	return parse_skb(ctx, direction, SONDE_LINK_ETHERNET);
}

__attribute__((noinline)) int parse_skb_raw_ip(struct __sk_buff *ctx, int direction)
{
	return parse_skb(ctx, direction, SONDE_LINK_RAW_IP);
}

/* Headers may lie outside the linear part of an skb: pull them once and parse again. */
static __always_inline void parse_whole_skb(struct __sk_buff *ctx, int direction, int link)
{
	enum { PULL_SIZE = 1024 };
	int attempt, snapped;

#pragma clang loop unroll(disable)
	for (attempt = 0; attempt < 2; attempt++) {
		snapped = link == SONDE_LINK_RAW_IP ? parse_skb_raw_ip(ctx, direction)
						    : parse_skb_ethernet(ctx, direction);
		if (!snapped || attempt || bpf_skb_pull_data(ctx, ctx->len < PULL_SIZE ? ctx->len : PULL_SIZE))
			return;
	}
}

#ifdef SONDE_PACKETS_FLOWS
#include "account_flow.h"
#else
static __always_inline void handle_skb(struct __sk_buff *ctx, int direction, int link)
{
	struct sonde_counters *counters = sonde_counters();
	struct scratch *scratch = get_scratch();
	struct hook_packet packet = {.context = ctx, .scratch = scratch};

	if (!counters || !scratch)
		return;
	counters->taken++;
	if (config.has_expression && !(link == SONDE_LINK_RAW_IP ? expression_tc_raw_ip(ctx) : expression_tc(ctx))) {
		counters->filtered++;
		return;
	}
	scratch->progress.tag_tpid = ctx->vlan_present ? bpf_ntohs(ctx->vlan_proto) : 0;
	scratch->progress.tag_tci = ctx->vlan_tci;
	parse_whole_skb(ctx, direction, link);
	report(&packet, counters);
}
#endif

/* TC_ACT_UNSPEC is also TCX_NEXT: the packet goes on to the next program as if this one were not there. */
#define TC_PROGRAM(name, direction, link)                                                                              \
	SEC("sonde/tc")                                                                                                \
	int name(struct __sk_buff *ctx)                                                                                \
	{                                                                                                              \
		handle_skb(ctx, direction, link);                                                                      \
		return TC_ACT_UNSPEC;                                                                                  \
	}
TC_PROGRAM(sonde_ingress, SONDE_DIRECTION_IN, SONDE_LINK_ETHERNET)
TC_PROGRAM(sonde_egress, SONDE_DIRECTION_OUT, SONDE_LINK_ETHERNET)
TC_PROGRAM(sonde_raw_in, SONDE_DIRECTION_IN, SONDE_LINK_RAW_IP)
TC_PROGRAM(sonde_raw_out, SONDE_DIRECTION_OUT, SONDE_LINK_RAW_IP)
