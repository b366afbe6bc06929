/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The way out for event sensors (retransmissions, drops, connections): one ring, records of a fixed size. Their
 * programs run in process context as well as in interrupts, so one CPU's counters can have two writers: they count
 * atomically. A program counts `taken` and `filtered` itself with sonde_count(); emitted and lost are counted here.
 */
#ifndef SONDE_BPF_EMIT_EVENT_H
#define SONDE_BPF_EMIT_EVENT_H

#include "emit.h"
#include <sonde/abi/event.h>

const volatile __u32 sonde_wakeup_bytes = 0; /* the reader is woken when the ring fills past this; below it polls */

#define sonde_count(member) ((void)__sync_fetch_and_add(&(member), 1))

/* 0: no room, counted. `size` is a constant; every byte is zero but for the header. */
static __always_inline void *sonde_reserve_event(__u64 size, __u16 type, struct sonde_counters *counters)
{
	void *ring = sonde_select_ring(0);
	struct sonde_event_header *record = ring ? bpf_ringbuf_reserve(ring, size, 0) : 0;

	if (!record) {
		sonde_count(counters->lost);
		return 0;
	}
	__builtin_memset(record, 0, size);
	record->ts_ns = bpf_ktime_get_ns();
	record->len = size;
	record->type = type;
	return record;
}

static __always_inline void sonde_submit_event(void *record, struct sonde_counters *counters)
{
	void *ring = sonde_select_ring(0);
	__u64 emitted = __sync_fetch_and_add(&counters->emitted, 1);

	bpf_ringbuf_submit(record, ring ? sonde_wakeup_flag(ring, sonde_wakeup_bytes, emitted) : 0);
}

#endif
