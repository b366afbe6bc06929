/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* May what a socket is about to send go straight to its receiver? */
#ifndef SONDE_PROXY_BYPASS_REDIRECT_H
#define SONDE_PROXY_BYPASS_REDIRECT_H

#include "bypass_socket.h"

#include <bpf/bpf_core_read.h>

enum {
	/* A handshake is shorter; see handshake_is_over(). */
	HANDSHAKE_BYTES = 65536,
	WAITERS_AT_MOST = 4,
	DRAIN_BYTES = 1 << 20,
	DRAIN_STEPS = 8192,
	DRAIN_NS = 60000,
	DRAIN_BACKOFF = 127, /* messages */
};

extern const void woken_wake_function __ksym __weak;

/*
 * A reader that wants more than there is (MSG_WAITALL) waits in tcp_recvmsg(), which does not look at what is
 * redirected. Who waits in tcp_bpf_recvmsg() or tcp_bpf_sendmsg() holds a reference of the sk_psock; the map holds one.
 */
static __always_inline int has_plain_waiter(struct sock *sk)
{
	struct sk_psock *psock = (void *)((unsigned long)BPF_CORE_READ(sk, sk_user_data) & ~7UL);
	struct socket_wq *queue = BPF_CORE_READ(sk, sk_wq);
	void *head = (void *)queue + bpf_core_field_offset(queue->wait.head);
	void *entry = BPF_CORE_READ(queue, wait.head.next);
	int held = BPF_CORE_READ(psock, refcnt.refs.counter) - 1;
	int i;

	for (i = 0; i < WAITERS_AT_MOST && entry && entry != head; i++) {
		struct wait_queue_entry *waiter = entry - bpf_core_field_offset(((struct wait_queue_entry *)0)->entry);

		if (BPF_CORE_READ(waiter, func) == &woken_wake_function)
			held--;
		entry = BPF_CORE_READ(waiter, entry.next);
	}
	return held < 0 || i == WAITERS_AT_MOST;
}

/*
 * TLS in the kernel (kTLS) reads what was redirected as if it were deciphered. A socket gets it at the end of the
 * handshake, so all of the handshake goes over TCP: it is over once the receiver has read what the backend answered to
 * the client's second flight (TLS 1.2: Finished, 1.3: tickets or the first response), or more than a handshake has.
 */
static __always_inline int handshake_is_over(struct sonde_bypass_direction *direction, __u32 sent)
{
	struct sonde_bypass_direction *other;
	__u64 spoken;

	if (direction->turns || sent > HANDSHAKE_BYTES)
		return 1;
	other = bpf_map_lookup_elem(&CONNECTION_MAP, &direction->receiver);
	if (!other)
		return 0;
	if (direction->role == SONDE_BYPASS_CLIENT) {
		direction->turns = other->turns;
		return direction->turns;
	}
	spoken = other->passed + other->messages;
	if (spoken == direction->answered)
		return 0;
	direction->answered = spoken;
	direction->turns = 1;
	return 0; /* this message is the answer itself */
}

enum verdict {
	REDIRECT,
	HANDSHAKE,
	NOT_DRAINED,
	FULL,
	GONE,
	UNSUITED,
};

static __always_inline __u32 copied_seq(struct tcp_sock *tcp)
{
	return BPF_CORE_READ(tcp, copied_seq);
}

struct drain {
	struct tcp_sock *to;
	__u32 target; /* copied_seq when all has been read */
	__u64 deadline;
};

static long is_drained(__u32 step, struct drain *drain)
{
	return copied_seq(drain->to) == drain->target || bpf_ktime_get_ns() > drain->deadline;
}

/*
 * Who sends without a pause has always something on its way, and would never get off TCP: the sender of much waits for
 * a moment until the receiver has read it. TCP_NOTSENT_LOWAT keeps it little. In vain: not so soon again.
 */
static __always_inline int wait_for_drain(struct sonde_bypass_direction *direction, struct tcp_sock *from,
					  struct drain *drain, __u32 on_its_way)
{
	if (on_its_way > DRAIN_BYTES || from->snd_nxt != from->write_seq || direction->passed < direction->wait_at)
		return 0;
	drain->deadline = bpf_ktime_get_ns() + DRAIN_NS;
	bpf_loop(DRAIN_STEPS, is_drained, drain, 0);
	if (copied_seq(drain->to) == drain->target) {
		direction->backoff = 0;
		return 1;
	}
	direction->backoff = direction->backoff >= DRAIN_BACKOFF ? DRAIN_BACKOFF : direction->backoff * 2 + 1;
	direction->wait_at = direction->passed + direction->backoff;
	return 0;
}

/* The last message did not go direct: may this one? */
static __always_inline int begin_direct(struct sonde_bypass_direction *direction, struct tcp_sock *from,
					struct tcp_sock *to)
{
	struct sock *receiver = (struct sock *)to;
	__u32 sent = from->write_seq - direction->sender_origin;
	struct drain drain = {.to = to, .target = sent + direction->receiver_origin};
	__u32 on_its_way = drain.target - copied_seq(to);

	if (!handshake_is_over(direction, sent))
		return HANDSHAKE;
	/* Who was about to read when its socket came into SOCK_MAP is in tcp_recvmsg() until it has read something. */
	if (!direction->passed)
		return NOT_DRAINED;
	if (on_its_way && (sent <= HANDSHAKE_BYTES || !wait_for_drain(direction, from, &drain, on_its_way)))
		return NOT_DRAINED;
	if (BPF_CORE_READ(receiver, sk_rcvlowat) > 1 || BPF_CORE_READ(receiver, sk_lock.owned) ||
	    has_plain_waiter(receiver))
		return UNSUITED;
	return REDIRECT;
}

/* Then TCP would send less, and what is redirected could fail with ENOMEM (net.ipv4.tcp_mem). */
static __always_inline int is_short_of_memory(struct tcp_sock *tcp)
{
	unsigned long *pressure = BPF_CORE_READ((struct sock *)tcp, __sk_common.skc_prot, memory_pressure);
	unsigned long value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), pressure);
	return value != 0;
}

/*
 * The receiver may be closed and its memory another's: then what is read here is wrong, and harmless, since it is not
 * in SOCK_MAP any more and bpf_msg_redirect_hash() fails.
 */
static __always_inline int judge(struct sk_msg_md *msg, struct sonde_bypass_direction *direction)
{
	struct tcp_sock *to = (void *)direction->receiver_sock, *from;
	struct bpf_sock *sender = msg->sk;
	int unread;

	if (!sender)
		return UNSUITED;
	from = bpf_skc_to_tcp_sock(sender);
	if (!from || (__u64)from != direction->sender_sock)
		return GONE;
	if (from->inet_conn.icsk_ulp_ops || BPF_CORE_READ(to, inet_conn.icsk_ulp_ops))
		return UNSUITED;
	unread = BPF_CORE_READ((struct sock *)to, sk_backlog.rmem_alloc.counter);
	if (unread > 0 && (unread + msg->size > queue_limit || is_short_of_memory(from)))
		return FULL;
	return direction->direct ? REDIRECT : begin_direct(direction, from, to);
}

static __always_inline void count_passed(int verdict)
{
	count_traffic(passed, 1);
	if (verdict == HANDSHAKE)
		count_traffic(handshake, 1);
	else if (verdict == NOT_DRAINED)
		count_traffic(not_drained, 1);
	else if (verdict == FULL)
		count_traffic(full, 1);
	else if (verdict == GONE)
		count_traffic(gone, 1);
	else
		count_traffic(unsuited, 1);
}

static __always_inline void count_redirected(struct sonde_bypass_direction *direction, __u32 size)
{
	direction->bytes += size;
	direction->messages++;
	if (direction->role == SONDE_BYPASS_CLIENT) {
		count_traffic(bytes_to_backend, size);
		count_traffic(messages_to_backend, 1);
	} else {
		count_traffic(bytes_to_client, size);
		count_traffic(messages_to_client, 1);
	}
}

#endif
