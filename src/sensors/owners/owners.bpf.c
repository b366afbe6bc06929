// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Records who opens and who uses a socket, in process context only, where `current` is the truth. Every hook ends in
 * record_opener() or record_user(); which hooks are attached is decided by user space (owner_tracking.cpp).
 */
#include "kernel.h"

#include <asm/ptrace.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "owner.h"
#include "owners.abi.h"
#include "socket.h"

enum {
	TCP_ESTABLISHED_STATE = 1,
	TCP_SYN_RECV_STATE = 3,
	TCP_FIN_WAIT1_STATE = 4,
	TCP_LAST_ACK_STATE = 9,
	PROTOCOL_TCP = 6,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sonde_owner_counters);
} sonde_owner_counts SEC(".maps");

#define count(member)                                                                                                  \
	do {                                                                                                           \
		__u32 zero = 0;                                                                                        \
		struct sonde_owner_counters *counters = bpf_map_lookup_elem(&sonde_owner_counts, &zero);               \
		if (counters)                                                                                          \
			__sync_fetch_and_add(&counters->member, 1);                                                    \
	} while (0)

static const struct sonde_owner no_owner;

static __always_inline struct sonde_owner *owner_by_cookie(__u64 cookie)
{
	struct sonde_owner *owner = bpf_map_lookup_elem(&sonde_owners_by_cookie, &cookie);

	if (owner || !cookie)
		return owner;
	if (!bpf_map_update_elem(&sonde_owners_by_cookie, &cookie, &no_owner, BPF_NOEXIST))
		count(added);
	return bpf_map_lookup_elem(&sonde_owners_by_cookie, &cookie);
}

/* The socket's record, made if it has none. Only the kind of store in use is compiled. */
static __always_inline struct sonde_owner *make_owner(void *socket, __u64 cookie)
{
	struct sonde_owner *owner = 0;

	if (sonde_owner_store == SONDE_STORE_SK_STORAGE)
		owner = bpf_sk_storage_get(&sonde_owners, socket, 0, BPF_SK_STORAGE_GET_F_CREATE);
	else if (sonde_owner_store == SONDE_STORE_COOKIE)
		owner = owner_by_cookie(cookie);
	if (!owner)
		count(unrecorded);
	return owner;
}

/* One writer at a time; who comes second leaves the record to the first. 0: somebody is writing. */
static __always_inline int begin_write(struct sonde_owner *owner)
{
	__u32 version = owner->version;

	return !(version & 1) && __sync_val_compare_and_swap(&owner->version, version, version + 1) == version;
}

static __always_inline void end_write(struct sonde_owner *owner)
{
	__sync_fetch_and_add(&owner->version, 1);
	count(recorded);
}

static __always_inline void write_task(struct sonde_task *out, struct task_struct *task, __u32 evidence)
{
	out->start_time_ns = task->group_leader->start_boottime;
	out->cgroup_id = task->cgroups->dfl_cgrp->kn->id;
	out->pid = task->tgid;
	out->tid = task->pid;
	out->uid = task->cred->euid.val;
	out->evidence = evidence;
	bpf_probe_read_kernel(out->comm, sizeof(out->comm), task->comm);
}

static __always_inline int is_same(const struct sonde_task *known, struct task_struct *task, __u32 evidence)
{
	return known->tid == (__u32)task->pid && known->evidence == evidence &&
	       known->start_time_ns == task->group_leader->start_boottime;
}

static __always_inline void record_opener(struct sonde_owner *owner, struct task_struct *task, __u32 evidence)
{
	if (!owner || owner->opener.start_time_ns || !begin_write(owner))
		return;
	write_task(&owner->opener, task, evidence);
	end_write(owner);
}

static __always_inline void record_user(struct sonde_owner *owner, struct task_struct *task, __u32 evidence)
{
	if (!owner || is_same(&owner->user, task, evidence) || !begin_write(owner))
		return;
	write_task(&owner->user, task, evidence);
	if (owner->inherited == SONDE_INHERITED_ALL)
		owner->inherited = SONDE_INHERITED_OPENER;
	end_write(owner);
}

/* Who accepts a socket is its opener, whoever opened the listener. */
static __always_inline void record_accept(struct sonde_owner *owner, struct task_struct *task)
{
	if (!owner || !begin_write(owner))
		return;
	write_task(&owner->opener, task, SONDE_OWNER_ACCEPTED);
	__builtin_memset(&owner->user, 0, sizeof(owner->user));
	owner->inherited = SONDE_INHERITED_NOTHING;
	end_write(owner);
}

/* Cookies are given out on demand, and kprobes cannot demand one: those that can do it for every socket that they see.
 */
static __always_inline __u64 demand_cookie(void *socket)
{
	return sonde_owner_store == SONDE_STORE_COOKIE ? bpf_get_socket_cookie(socket) : 0;
}

static __always_inline struct sonde_owner *owner_in_tracing(struct sock *sk)
{
	return make_owner(sk, demand_cookie(sk));
}

/* kprobes: the cookie as it lies in the socket; 0 when nobody has demanded it. */
static __always_inline struct sonde_owner *owner_in_kprobe(struct sock *sk)
{
	return make_owner(0, sk ? BPF_CORE_READ(sk, __sk_common.skc_cookie.counter) : 0);
}

/* socket(2): every rung has it. Kernel sockets do not come by here. */
SEC("cgroup/sock_create")
int sonde_created(struct bpf_sock *socket)
{
	record_opener(make_owner(socket, demand_cookie(socket)), bpf_get_current_task_btf(), SONDE_OWNER_CREATED);
	return 1;
}

/* UDP only: a TCP socket sends on after close(2), its entry goes with sonde_destroyed. */
SEC("cgroup/sock_release")
int sonde_released(struct bpf_sock *socket)
{
	__u64 cookie = bpf_get_socket_cookie(socket);

	if (socket->protocol != PROTOCOL_TCP && !bpf_map_delete_elem(&sonde_owners_by_cookie, &cookie))
		count(removed);
	return 1;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(sonde_destroyed, struct sock *sk)
{
	__u64 cookie = bpf_get_socket_cookie(sk);

	if (!bpf_map_delete_elem(&sonde_owners_by_cookie, &cookie))
		count(removed);
	return 0;
}

/*
 * A new connection's socket has a copy of its listener's record (BPF_F_CLONE); current means nothing there, it is
 * softirq. To FIN_WAIT1 and LAST_ACK only close(2) and shutdown(2) lead (tcp_close_state), in process context: at the
 * latest there who has the accepted socket is known, though it has never sent on it.
 *
 * A socket without a record is one whose accept a kprobe has not seen: the kernel runs no kprobe's program while it is
 * at work on a map for user space on the same CPU, and a socket that is accepted before it is established has no
 * cookie.
 */
static __always_inline void record_closed(struct sock *sk)
{
	struct sonde_owner *owner = sonde_find_owner(sk, demand_cookie(sk));

	if (!owner && sonde_owner_store == SONDE_STORE_COOKIE && !sk->sk_kern_sock)
		owner = owner_in_tracing(sk);
	if (!owner)
		return;
	if (owner->inherited == SONDE_INHERITED_ALL || !(owner->opener.start_time_ns || owner->user.start_time_ns))
		record_user(owner, bpf_get_current_task_btf(), SONDE_OWNER_CLOSED);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(sonde_state, struct sock *sk, int old_state, int new_state)
{
	struct sonde_owner *owner;

	if (new_state == TCP_FIN_WAIT1_STATE || new_state == TCP_LAST_ACK_STATE) {
		record_closed(sk);
	} else if (new_state == TCP_ESTABLISHED_STATE && old_state == TCP_SYN_RECV_STATE) {
		owner = sonde_find_owner(sk, demand_cookie(sk));
		/* A process may accept it before it is established. */
		if (owner && owner->opener.evidence != SONDE_OWNER_ACCEPTED)
			owner->inherited = SONDE_INHERITED_ALL;
	}
	return 0;
}

/*
 * Where a process sends: functions by fentry or kprobe. The socket lock is held in the TCP ones, so no two senders
 * write at once. tcp_sendpage is sendfile and splice before Linux 6.5 (its tcp_sendpage_locked is inlined there).
 */
#define FENTRY_SEND(name, function)                                                                                    \
	SEC("fentry/" #function)                                                                                       \
	int BPF_PROG(name, struct sock *sk)                                                                            \
	{                                                                                                              \
		record_user(owner_in_tracing(sk), bpf_get_current_task_btf(), SONDE_OWNER_SENT);                       \
		return 0;                                                                                              \
	}
FENTRY_SEND(sonde_fentry_tcp_send, tcp_sendmsg_locked)
FENTRY_SEND(sonde_fentry_tcp_sendpage, tcp_sendpage)
FENTRY_SEND(sonde_fentry_udp_send, udp_sendmsg)
FENTRY_SEND(sonde_fentry_udpv6_send, udpv6_sendmsg)

#define KPROBE_SEND(name, function)                                                                                    \
	SEC("kprobe/" #function)                                                                                       \
	int BPF_KPROBE(name, struct sock *sk)                                                                          \
	{                                                                                                              \
		record_user(owner_in_kprobe(sk), bpf_get_current_task_btf(), SONDE_OWNER_SENT);                        \
		return 0;                                                                                              \
	}
KPROBE_SEND(sonde_kprobe_tcp_send, tcp_sendmsg_locked)
KPROBE_SEND(sonde_kprobe_tcp_sendpage, tcp_sendpage)
KPROBE_SEND(sonde_kprobe_udp_send, udp_sendmsg)
KPROBE_SEND(sonde_kprobe_udpv6_send, udpv6_sendmsg)

static __always_inline int record_accepted(struct sock *sk)
{
	if (sk)
		record_accept(owner_in_tracing(sk), bpf_get_current_task_btf());
	return 0;
}

SEC("fexit/inet_csk_accept")
int BPF_PROG(sonde_fexit_accept, struct sock *listener, void *argument, struct sock *sk)
{
	return record_accepted(sk);
}

/* Before Linux 6.10 (92ef0fd55ac8) the function had four arguments. */
SEC("fexit/inet_csk_accept")
int BPF_PROG(sonde_fexit_accept_4, struct sock *listener, int flags, int *error, bool kernel, struct sock *sk)
{
	return record_accepted(sk);
}

/* Linux 6.16. */
SEC("tp_btf/tcp_sendmsg_locked")
int BPF_PROG(sonde_tracepoint_tcp_send, struct sock *sk)
{
	record_user(owner_in_tracing(sk), bpf_get_current_task_btf(), SONDE_OWNER_SENT);
	return 0;
}

static __always_inline int is_inet(struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family;

	return family == SONDE_AF_INET || family == SONDE_AF_INET6;
}

/* Linux 6.3: after every send(2) of any socket. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(sonde_tracepoint_send, struct sock *sk)
{
	if (!is_inet(sk))
		return 0;
	record_user(owner_in_tracing(sk), bpf_get_current_task_btf(), SONDE_OWNER_SENT);
	return 0;
}

SEC("kretprobe/inet_csk_accept")
int BPF_KRETPROBE(sonde_kprobe_accept, struct sock *sk)
{
	if (sk)
		record_accept(owner_in_kprobe(sk), bpf_get_current_task_btf());
	return 0;
}

/* Where a process names the peer of a socket; what it sends on a connected one does not come by. */
#define CGROUP_ADDRESS(name, hook)                                                                                     \
	SEC("cgroup/" #hook)                                                                                           \
	int name(struct bpf_sock_addr *context)                                                                        \
	{                                                                                                              \
		struct bpf_sock *socket = context->sk;                                                                 \
                                                                                                                       \
		if (socket)                                                                                            \
			record_user(make_owner(socket, demand_cookie(context)), bpf_get_current_task_btf(),            \
				    SONDE_OWNER_SENT);                                                                 \
		return 1;                                                                                              \
	}
CGROUP_ADDRESS(sonde_connect4, connect4)
CGROUP_ADDRESS(sonde_connect6, connect6)
CGROUP_ADDRESS(sonde_sendmsg4, sendmsg4)
CGROUP_ADDRESS(sonde_sendmsg6, sendmsg6)

/* Of several holders the oldest is taken for the opener and the youngest for the user. Who was seen using the socket
 * stays: that says more. */
static __always_inline void record_holder(struct sonde_owner *owner, struct task_struct *task)
{
	__u64 start = task->group_leader->start_boottime;
	struct sonde_task *opener = &owner->opener;

	if (!opener->start_time_ns) {
		record_opener(owner, task, SONDE_OWNER_HOLDS);
		return;
	}
	if (owner->inherited == SONDE_INHERITED_ALL) {
		record_user(owner, task, SONDE_OWNER_HOLDS);
		return;
	}
	if (opener->evidence != SONDE_OWNER_HOLDS || owner->user.evidence > SONDE_OWNER_HOLDS)
		return;
	if (start > opener->start_time_ns && start > owner->user.start_time_ns) {
		record_user(owner, task, SONDE_OWNER_HOLDS);
		return;
	}
	if (start >= opener->start_time_ns || !begin_write(owner))
		return;
	if (!owner->user.start_time_ns)
		owner->user = *opener;
	write_task(opener, task, SONDE_OWNER_HOLDS);
	end_write(owner);
}

/* Sockets that are open already: every file of every process. */
SEC("iter/task_file")
int sonde_seed(struct bpf_iter__task_file *context)
{
	struct task_struct *task = context->task;
	struct file *file = context->file;
	struct sonde_owner *owner;
	struct socket *socket;
	struct sock *sk;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || !is_inet(sk))
		return 0;
	owner = owner_in_tracing(sk);
	if (owner)
		record_holder(owner, task);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
