/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Tracing programs that do not miss what happens in an interrupt.
 *
 * The kernel skips a program that is running on the CPU already (bpf_prog.active). In process context bottom halves are
 * mostly on: the softirq that interrupts the program there may come to the same tracepoint. So a program has a double
 * on the same hook, which does what the first one missed. Softirqs do not interrupt softirqs, so two are enough.
 *
 * The double must know what the first one has had, and a note "I am at work" would leave out the instructions between
 * the kernel's mark and the note. So the first one puts its event on a stack, and the double takes it off. An interrupt
 * is over before what it interrupted goes on, so what lies above an event then is left over, and goes with it. While a
 * double runs, that of an interrupt will be skipped, and its first program puts nothing there. Only in the few
 * instructions between the kernel's mark and `doubling` it does: once that has filled the stack, half of it is given
 * up. What is interrupted never has more than two events there.
 *
 * `made_up` counts what the doubles did. What remains of the first ones' recursion_misses is lost.
 */
#ifndef SONDE_BPF_NESTED_H
#define SONDE_BPF_NESTED_H

#include <bpf/bpf_helpers.h>
#include <sonde/abi/counters.h>

#include "kernel.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sonde_nesting);
} sonde_nestings SEC(".maps");

static __always_inline struct sonde_nesting *sonde_nesting(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&sonde_nestings, &zero);
}

/* The first program: before it does anything else. `hook` is below SONDE_NESTED_HOOKS; the detail tells this event of
 * the object from its last one. */
static __always_inline void sonde_begin(__u32 hook, __u64 object, __u64 detail)
{
	struct sonde_nesting *nesting = sonde_nesting();
	struct sonde_begun *begun;
	__u32 place;

	if (!nesting)
		return;
	begun = &nesting->begun[hook];
	place = begun->depth;
	if (begun->doubling)
		return;
	if (place >= SONDE_NESTED_EVENTS)
		place = SONDE_NESTED_EVENTS - 1;
	begun->events[place].object = object;
	begun->events[place].detail = detail;
	begun->depth = place + 1;
}

/* The double: 1 when the first program missed this event. sonde_end() must follow. */
static __always_inline int sonde_missed(__u32 hook, __u64 object, __u64 detail)
{
	struct sonde_nesting *nesting = sonde_nesting();
	struct sonde_begun *begun;
	__u32 place;

	if (!nesting)
		return 0;
	begun = &nesting->begun[hook];
	*(volatile __u32 *)&begun->doubling = 1;
#pragma unroll
	for (place = SONDE_NESTED_EVENTS; place-- > 0;) {
		if (place < begun->depth && begun->events[place].object == object &&
		    begun->events[place].detail == detail) {
			begun->depth = place == SONDE_NESTED_EVENTS - 1 ? SONDE_NESTED_EVENTS / 2 : place;
			return 0;
		}
	}
	__sync_fetch_and_add(&nesting->made_up, 1);
	return 1;
}

/* The double: after everything else. */
static __always_inline void sonde_end(__u32 hook)
{
	struct sonde_nesting *nesting = sonde_nesting();

	if (nesting)
		*(volatile __u32 *)&nesting->begun[hook].doubling = 0;
}

/* Program `name` and its double, for a tracepoint whose first argument is a pointer. `detail`, `event` and
 * `nested_event` are static functions of the context; the last interrupts the other, and may be the same if it keeps
 * nothing in a map of its CPU. */
#define SONDE_TWICE(name, section, hook, detail, event, nested_event)                                                  \
	SEC(section)                                                                                                   \
	int name(unsigned long long *ctx)                                                                              \
	{                                                                                                              \
		sonde_begin(hook, ctx[0], detail(ctx));                                                                \
		event(ctx);                                                                                            \
		return 0;                                                                                              \
	}                                                                                                              \
                                                                                                                       \
	SEC(section)                                                                                                   \
	int name##_nested(unsigned long long *ctx)                                                                     \
	{                                                                                                              \
		if (sonde_missed(hook, ctx[0], detail(ctx)))                                                           \
			nested_event(ctx);                                                                             \
		sonde_end(hook);                                                                                       \
		return 0;                                                                                              \
	}

#endif
