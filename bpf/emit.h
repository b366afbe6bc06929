/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The one way out of a sensor: reserve, stamp, count what did not fit. No sensor calls a ring itself.
 *
 * Wake-ups are batched. A wake-up an event costs two thirds of the rate, so records go in without one
 * (BPF_RB_NO_WAKEUP) and the reader polls. Every 32nd record a CPU looks at how full the ring is, and wakes the reader
 * when wakeup_bytes wait.
 */
#ifndef SONDE_BPF_EMIT_H
#define SONDE_BPF_EMIT_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <sonde/abi/counters.h>

enum {
	SONDE_MAX_RINGS = 256,
	SONDE_WAKEUP_CHECK_MASK = 31,
};

struct sonde_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20); /* the size is set by user space before load */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, SONDE_MAX_RINGS);
	__type(key, __u32);
	__array(values, struct sonde_ring);
} sonde_rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} sonde_perf SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sonde_counters);
} sonde_counts SEC(".maps");

/* Hooks of the network path run with bottom halves off, so a CPU's counters have one writer. */
static __always_inline struct sonde_counters *sonde_counters(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&sonde_counts, &zero);
}

static __always_inline void *sonde_select_ring(__u32 ring_mask)
{
	__u32 index = ring_mask ? bpf_get_smp_processor_id() & ring_mask : 0;

	return bpf_map_lookup_elem(&sonde_rings, &index);
}

static __always_inline __u64 sonde_wakeup_flag(void *ring, __u32 wakeup_bytes, __u64 emitted)
{
	if (emitted & SONDE_WAKEUP_CHECK_MASK)
		return BPF_RB_NO_WAKEUP;
	return bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) >= wakeup_bytes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

/* `size` must be a constant for the verifier. 0: no ring or no room in it, counted. The caller fills every byte. */
static __always_inline void *sonde_reserve(void *ring, __u64 size, struct sonde_counters *counters)
{
	void *record = ring ? bpf_ringbuf_reserve(ring, size, 0) : 0;

	if (!record)
		counters->lost++;
	return record;
}

static __always_inline void sonde_submit(void *ring, void *record, __u32 wakeup_bytes, struct sonde_counters *counters)
{
	__u64 emitted = counters->emitted++;

	bpf_ringbuf_submit(record, sonde_wakeup_flag(ring, wakeup_bytes, emitted));
}

/* `appended` bytes of the packet of `context` follow the record (perf only). */
static __always_inline void sonde_emit_perf(void *context, void *record, __u64 size, __u64 appended,
					    struct sonde_counters *counters)
{
	if (bpf_perf_event_output(context, &sonde_perf, BPF_F_CURRENT_CPU | appended << 32, record, size))
		counters->lost++;
	else
		counters->emitted++;
}

#endif
