// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Processes as they start, run another program and exit, for those that are gone before anybody can read /proc. The
 * programs run in the context of the process in question, so `current` is the truth here.
 */
#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "compat.h"
#include "emit_event.h"
#include "processes.abi.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Of bpf/owner.h; user space puts the map of the owners object in its place. */
const volatile __u32 sonde_has_verdicts = 0;
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct sonde_process_key);
	__type(value, __u8);
} sonde_owner_verdicts SEC(".maps");

static __always_inline __u64 process_start(struct task_struct *task)
{
	return BPF_CORE_READ(task, group_leader, start_boottime);
}

/* Names from the cgroup up to below the root. Returns whether the root was reached. */
static __always_inline __u8 read_cgroup(char out[SONDE_CGROUP_SIZE], struct kernfs_node *node)
{
	struct kernfs_node *parent;
	__u64 used = 0;
	long size;

#pragma unroll
	for (int i = 0; i < SONDE_CGROUP_DEPTH; i++) {
		parent = sonde_kernfs_parent(node);
		if (!parent)
			return 1;
		if (used > SONDE_CGROUP_SIZE - SONDE_CGROUP_NAME_SIZE)
			return 0;
		size = bpf_probe_read_kernel_str(out + used, SONDE_CGROUP_NAME_SIZE, BPF_CORE_READ(node, name));
		if (size <= 0 || size >= SONDE_CGROUP_NAME_SIZE) {
			out[used] = 0;
			return 0;
		}
		used += size & (SONDE_CGROUP_NAME_SIZE - 1); /* the verifier of 6.1 does not see the bounds above */
		node = parent;
	}
	return 0;
}

/* The cgroup of a controller that is on a hierarchy of its own (cgroup v1), if it is not the root there; else NULL. */
static __always_inline struct kernfs_node *v1_node(struct css_set *set, struct cgroup *v2, __u32 controller)
{
	void *place = (void *)set + bpf_core_field_offset(struct css_set, subsys) + controller * sizeof(void *);
	struct cgroup_subsys_state *state = 0;
	struct kernfs_node *node;
	struct cgroup *cgroup;

	bpf_probe_read_kernel(&state, sizeof(state), place);
	cgroup = BPF_CORE_READ(state, cgroup);
	if (!cgroup || BPF_CORE_READ(cgroup, root) == BPF_CORE_READ(v2, root))
		return 0;
	node = BPF_CORE_READ(cgroup, kn);
	return sonde_kernfs_parent(node) ? node : 0;
}

#define find_v1_node(node, set, v2, name)                                                                              \
	do {                                                                                                           \
		if (!(node) && bpf_core_enum_value_exists(enum cgroup_subsys_id, name))                                \
			(node) = v1_node(set, v2, bpf_core_enum_value(enum cgroup_subsys_id, name));                   \
	} while (0)

/* No inlining: the verifier looks at it once a call anyhow, and its argument keeps the record's type in the BTF. */
static __noinline void read_cgroups(struct sonde_process_exec *out, struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup *v2 = BPF_CORE_READ(set, dfl_cgrp);
	struct kernfs_node *v1 = 0;

	out->cgroup_whole = read_cgroup(out->cgroup, BPF_CORE_READ(v2, kn));
	find_v1_node(v1, set, v2, memory_cgrp_id);
	find_v1_node(v1, set, v2, pids_cgrp_id);
	find_v1_node(v1, set, v2, cpu_cgrp_id);
	if (v1)
		out->cgroup_v1_whole = read_cgroup(out->cgroup_v1, v1);
}

static __always_inline void fill(struct sonde_process_event *out, __u16 size, __u32 change, struct task_struct *task)
{
	out->header.ts_ns = bpf_ktime_get_ns();
	out->header.len = size;
	out->header.type = SONDE_EVENT_PROCESS;
	out->change = change;
	out->pid = task->tgid;
	out->start_time_ns = process_start(task);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(sonde_process_forked, struct task_struct *maker, struct task_struct *child)
{
	struct sonde_counters *counters = sonde_counters();
	struct sonde_process_event *event;

	if (!counters || child->pid != child->tgid)
		return 0;
	sonde_count(counters->taken);
	event = sonde_reserve_event(sizeof(*event), SONDE_EVENT_PROCESS, counters);
	if (!event)
		return 0;
	fill(event, sizeof(*event), SONDE_PROCESS_FORKED, child);
	event->parent_pid = BPF_CORE_READ(child, real_parent, tgid);
	event->maker_pid = maker->tgid;
	event->maker_start_time_ns = process_start(maker);
	sonde_submit_event(event, counters);
	return 0;
}

/* The last thread of a process: `live` was counted down before (kernel/exit.c: do_exit). */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(sonde_process_exited, struct task_struct *task)
{
	struct sonde_counters *counters = sonde_counters();
	struct sonde_process_event *event;

	if (!counters || BPF_CORE_READ(task, signal, live.counter) != 0)
		return 0;
	sonde_count(counters->taken);
	event = sonde_reserve_event(sizeof(*event), SONDE_EVENT_PROCESS, counters);
	if (!event)
		return 0;
	fill(event, sizeof(*event), SONDE_PROCESS_EXITED, task);
	sonde_submit_event(event, counters);
	return 0;
}

static __always_inline void read_arguments(struct sonde_process_exec *out, __u64 from, __u64 size, __u64 room)
{
	if (size > room) {
		size = room;
		out->arguments_cut = 1;
	}
	if (size > 0 && bpf_probe_read_user(out + 1, size, (void *)from) == 0)
		out->arguments_size = size;
}

/* `room` is a constant. Bytes behind the arguments are what the ring had there before; nobody reads them. */
static __always_inline void emit_exec(struct task_struct *task, struct linux_binprm *program, __u64 room,
				      struct sonde_counters *counters)
{
	struct sonde_process_exec *out = sonde_reserve(sonde_select_ring(0), sizeof(*out) + room, counters);
	struct mm_struct *mm = task->mm;
	__u64 from = BPF_CORE_READ(mm, arg_start);

	if (!out)
		return;
	__builtin_memset(out, 0, sizeof(*out));
	fill(&out->event, sizeof(*out), SONDE_PROCESS_EXECUTED, task);
	out->event.parent_pid = BPF_CORE_READ(task, real_parent, tgid);
	out->uid = BPF_CORE_READ(task, cred, euid.val);
	out->network_namespace = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
	bpf_get_current_comm(out->comm, sizeof(out->comm));
	bpf_probe_read_kernel_str(out->executable, sizeof(out->executable), BPF_CORE_READ(program, interp));
	read_cgroups(out, task);
	read_arguments(out, from, BPF_CORE_READ(mm, arg_end) - from, room);
	sonde_submit_event(out, counters);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(sonde_process_executed, struct task_struct *task, int old_pid, struct linux_binprm *program)
{
	struct sonde_process_key key = {.start_time_ns = process_start(task), .pid = task->tgid};
	struct sonde_counters *counters = sonde_counters();
	struct mm_struct *mm = task->mm;

	if (sonde_has_verdicts)
		bpf_map_delete_elem(&sonde_owner_verdicts, &key);
	if (!counters)
		return 0;
	sonde_count(counters->taken);
	if (BPF_CORE_READ(mm, arg_end) - BPF_CORE_READ(mm, arg_start) <= SONDE_ARGUMENTS_SMALL)
		emit_exec(task, program, SONDE_ARGUMENTS_SMALL, counters);
	else
		emit_exec(task, program, SONDE_ARGUMENTS_LARGE, counters);
	return 0;
}
