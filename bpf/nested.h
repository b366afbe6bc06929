/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Tracing programs that do not miss what happens in an interrupt.
 *
 * The kernel skips a program that is running on the CPU already (bpf_prog.active). While TCP works off a socket's
 * backlog in process context, bottom halves are on: the softirq that interrupts the program there may come to the same
 * tracepoint for another socket. So a program has a double on the same hook, which does what the first one missed.
 * Softirqs do not interrupt softirqs, so two are enough.
 *
 * The double must know what the first one has seen, and a note "I am at work" would leave out the instructions between
 * the kernel's mark and the note. So the first one notes which event it has: one note for sockets that a system call
 * works on (sk_lock.owned) and one for those of softirqs, which so cannot overwrite each other's.
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

/* The note of an event of the socket. `hook` is below SONDE_NESTED_HOOKS. */
static __always_inline struct sonde_seen *sonde_seen(__u32 hook, int in_system_call)
{
	__u32 zero = 0;
	struct sonde_nesting *nesting = bpf_map_lookup_elem(&sonde_nestings, &zero);

	return nesting ? &nesting->seen[hook][in_system_call != 0] : 0;
}

/* The first program: before it does anything else. */
static __always_inline void sonde_see(struct sonde_seen *seen, const void *object, __u64 detail)
{
	if (!seen)
		return;
	seen->object = (__u64)object;
	seen->detail = detail;
}

/* The double: 1 when the first program missed this event. */
static __always_inline int sonde_missed(struct sonde_seen *seen, const void *object, __u64 detail)
{
	__u32 zero = 0;
	struct sonde_nesting *nesting;

	if (!seen)
		return 0;
	if (seen->object == (__u64)object && seen->detail == detail) {
		seen->object = 0;
		return 0;
	}
	nesting = bpf_map_lookup_elem(&sonde_nestings, &zero);
	if (nesting)
		__sync_fetch_and_add(&nesting->made_up, 1);
	return 1;
}

/* Program `name` and its double, for a tracepoint whose first argument is a socket. `detail` and `event` are static
 * functions of the context; the detail tells this event of the socket from the last one. `system_call` is
 * sonde_in_system_call, or sonde_in_softirq where the hook is in softirqs only. */
#define SONDE_TWICE(name, section, hook, system_call, detail, event)                                                   \
	SEC(section)                                                                                                   \
	int name(unsigned long long *ctx)                                                                              \
	{                                                                                                              \
		sonde_see(sonde_seen(hook, system_call(ctx)), (void *)ctx[0], detail(ctx));                            \
		return event(ctx);                                                                                     \
	}                                                                                                              \
                                                                                                                       \
	SEC(section)                                                                                                   \
	int name##_nested(unsigned long long *ctx)                                                                     \
	{                                                                                                              \
		if (!sonde_missed(sonde_seen(hook, system_call(ctx)), (void *)ctx[0], detail(ctx)))                    \
			return 0;                                                                                      \
		return event(ctx);                                                                                     \
	}

static __always_inline int sonde_in_system_call(unsigned long long *ctx)
{
	struct sock *sk = (void *)ctx[0];

	return sk->sk_lock.owned;
}

static __always_inline int sonde_in_softirq(unsigned long long *ctx)
{
	return 0;
}

#endif
