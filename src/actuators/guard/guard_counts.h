/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The maps of the guard, and what it counts. */
#ifndef SONDE_GUARD_COUNTS_H
#define SONDE_GUARD_COUNTS_H

#include "guard_packet.h"
#include "guard_tables.h"

struct guard_rule_set {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, SONDE_GUARD_VALUE_SIZE);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct guard_rule_set);
} guard_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sonde_guard_totals);
} guard_totals SEC(".maps");

/*
 * The programs run with bottom halves off, so a CPU's shard has one writer. Only where a shard a CPU would be too much
 * memory do CPUs share.
 */
static __always_inline void count_rule(const struct guard_run *run, __u32 number)
{
	const struct sonde_guard_header *header = run->header;
	const struct guard_packet *packet = run->packet;
	__u32 cpu = bpf_get_smp_processor_id();
	__u32 shard = cpu < header->shards ? cpu : header->shards ? cpu % header->shards : 0;
	struct sonde_guard_counter *counters, *counter;

	counters = rule_set_element(run,
				    header->counters + shard * header->shard_elements + number / SONDE_GUARD_COUNTERS);
	if (!counters)
		return;
	counter = &counters[number % SONDE_GUARD_COUNTERS];
	if (header->shared_shards) {
		__sync_fetch_and_add(&counter->packets, packet->packets);
		__sync_fetch_and_add(&counter->bytes, packet->size);
	} else {
		counter->packets += packet->packets;
		counter->bytes += packet->size;
	}
}

#endif
