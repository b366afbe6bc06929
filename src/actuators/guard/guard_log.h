/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Samples of verdicts, while somebody reads them. */
#ifndef SONDE_GUARD_LOG_H
#define SONDE_GUARD_LOG_H

#include "guard_counts.h"

enum {
	GUARD_LOG_SIZE = 1 << 20,
	GUARD_SECOND_NS = 1000000000,
	GUARD_NO_RULE = 0xffffffff,
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, GUARD_LOG_SIZE);
} guard_log SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sonde_guard_control);
} guard_control SEC(".maps");

/* What is logged about. */
struct guard_verdict {
	__u64 rule_id; /* 0: look it up by the number */
	__u32 rule;    /* GUARD_NO_RULE: none */
	__u8 outcome;
	__u8 flags; /* SONDE_GUARD_LOG_* */
};

/* More records than asked for may get in while two CPUs begin a new second at once. */
static __always_inline int is_sampled(struct sonde_guard_control *control, struct sonde_guard_totals *totals)
{
	__u64 now;

	if (control->one_in > 1 && bpf_get_prandom_u32() % control->one_in)
		goto skip;
	if (!control->per_second)
		return 1;
	now = bpf_ktime_get_coarse_ns();
	if (now - control->window_ns >= GUARD_SECOND_NS) {
		control->window_ns = now;
		control->window_count = 0;
	}
	if (control->window_count >= control->per_second)
		goto skip;
	__sync_fetch_and_add(&control->window_count, 1);
	return 1;
skip:
	totals->log_skipped++;
	return 0;
}

static __always_inline int copy_bytes(const struct guard_run *run, int hook, struct sonde_guard_log *log)
{
	__u32 size = run->packet->size;

	if (size > SONDE_GUARD_LOG_BYTES)
		size = SONDE_GUARD_LOG_BYTES;
	/* 1 to 128, in a form that the verifier of Linux 6.1 understands. 0 becomes 128, which there is not to load. */
	size = ((size - 1) & (SONDE_GUARD_LOG_BYTES - 1)) + 1;
	asm volatile("" : "+r"(size)); /* the bound must be seen on the register that is passed */
	return load_bytes(run, hook, 0, log->bytes, size) ? 0 : size;
}

static __always_inline __u64 id_of_rule(const struct guard_run *run, __u32 rule)
{
	const __u64 *ids = rule_set_element(run, run->header->ids + rule / 16);

	return ids ? ids[rule % 16] : 0;
}

static __always_inline void emit_log(const struct guard_run *run, int hook, const struct guard_verdict *verdict)
{
	const struct guard_packet *packet = run->packet;
	struct sonde_guard_log *log = bpf_ringbuf_reserve(&guard_log, sizeof(*log), 0);

	if (!log) {
		run->totals->log_lost++;
		return;
	}
	__builtin_memset(log, 0, sizeof(*log));
	log->header.ts_ns = bpf_ktime_get_ns();
	log->header.len = sizeof(*log);
	log->header.type = SONDE_EVENT_GUARD;
	log->header.ifindex = packet->ifindex;
	log->generation = run->header->generation;
	log->rule = verdict->rule;
	log->rule_id = verdict->rule_id;
	if (!verdict->rule_id && verdict->rule != GUARD_NO_RULE)
		log->rule_id = id_of_rule(run, verdict->rule);
	log->packet_size = packet->size;
	log->outcome = verdict->outcome;
	log->flags = verdict->flags;
	if (packet->direction == SONDE_GUARD_OUT)
		log->flags |= SONDE_GUARD_LOG_OUT;
	if (packet->raw)
		log->flags |= SONDE_GUARD_LOG_RAW_IP;
	log->captured_size = copy_bytes(run, hook, log);
	run->totals->logged++;
	bpf_ringbuf_submit(log, 0);
}

static __always_inline void log_verdict(const struct guard_run *run, int hook, const struct guard_verdict *verdict)
{
	__u32 zero = 0;
	struct sonde_guard_control *control = bpf_map_lookup_elem(&guard_control, &zero);

	if (!control || !control->deadline_ns || !(control->outcomes & 1U << (verdict->outcome & 31)))
		return;
	if (control->deadline_ns > bpf_ktime_get_coarse_ns() && is_sampled(control, run->totals))
		emit_log(run, hook, verdict);
}

#endif
