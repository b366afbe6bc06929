// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What arrives at one socket of a relay leaves by the other without user space: sk_skb, stream_verdict.
 *
 * The kernel queues what is redirected without bound, so bytes are redirected only as long as the peer's send queue has
 * room for them. Else they go to user space, whose reading opens the window of the sender. To keep the order:
 * - after a byte was passed to user space, none is redirected until the peer's write_seq says that all have been
 *   written;
 * - user space writes what was passed only once everything before `passed_at` has been written by the kernel.
 *
 * The kernel hands over whole segments, also where the reader has had the beginning (tcp_read_skb() knows no offset):
 * it is trimmed here.
 */
#include "kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "sockmap.abi.h"

enum {
	TRIM_AT_MOST = 4095, /* bytes, of bpf_skb_adjust_room() */
	TRIM_STEPS = 20,
};

struct sock___send_queue {
	int sk_wmem_queued; /* bytes in the send queue, with their overhead */
	int sk_sndbuf;
} SONDE_CORE;

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 65536);
	__type(key, __u64); /* cookie */
	__type(value, __u64);
} RELAY_MAP SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64); /* cookie */
	__type(value, struct sonde_relay_direction);
} RELAY_STATE SEC(".maps");

#ifndef barrier
#define barrier() asm volatile("" ::: "memory")
#endif

/* Takes away what user space or the peer has had. False: the direction is broken. */
static __always_inline bool trim(struct __sk_buff *skb, struct sonde_relay_direction *direction)
{
	/* cb[0] is the first word of struct tcp_skb_cb, seq: struct sk_skb_cb leaves it as it was. */
	__s32 ahead = direction->next - skb->cb[0];
	__u32 left = ahead;
	int i;

	if (ahead == 0)
		return true;
	if (ahead < 0)
		return false;
	for (i = 0; i < TRIM_STEPS && left != 0; i++) {
		__u32 part = left < TRIM_AT_MOST ? left : TRIM_AT_MOST;

		if (part > skb->len || bpf_skb_adjust_room(skb, -(__s32)part, 0, 0))
			return false;
		left -= part;
	}
	direction->trimmed += ahead;
	return left == 0;
}

static __always_inline bool find_start(struct __sk_buff *skb, struct sonde_relay_direction *direction)
{
	struct bpf_sock *sk = skb->sk;
	struct tcp_sock *own;

	if (!sk)
		return false;
	own = bpf_skc_to_tcp_sock(sk);
	if (!own)
		return false;
	direction->next = own->copied_seq;
	direction->started = 1;
	return true;
}

/* Whether a segment of this size may be redirected, without waiting for a reader anywhere. */
static __always_inline bool has_room(struct sonde_relay_direction *direction, __u32 size)
{
	struct bpf_sock *sk = bpf_map_lookup_elem(&RELAY_MAP, &direction->peer);
	struct sock___send_queue *queue;
	struct tcp_sock *peer;
	bool room = false;
	__u32 under_way;

	if (!sk)
		return false;
	peer = bpf_skc_to_tcp_sock(sk);
	if (peer) {
		/* In this order: what moves from one to the other meanwhile counts twice. */
		under_way = (__u32)direction->taken - (peer->write_seq - direction->base);
		barrier();
		queue = (void *)peer;
		room = (!direction->passing || under_way == 0) &&
		       queue->sk_wmem_queued + (__s64)under_way + size <= queue->sk_sndbuf;
	}
	bpf_sk_release(sk);
	return room;
}

SEC("sk_skb/stream_verdict")
int redirect_skb(struct __sk_buff *skb)
{
	__u64 cookie = bpf_get_socket_cookie(skb);
	struct sonde_relay_direction *direction = bpf_map_lookup_elem(&RELAY_STATE, &cookie);
	bool room;

	if (!direction)
		return SK_PASS;
	if (direction->broken || (!direction->started && !find_start(skb, direction)) || !trim(skb, direction)) {
		direction->broken = 1;
		return SK_DROP;
	}
	/*
	 * An end of stream, which user space learns from RCV_SHUTDOWN. Passed, it might come to the work queue, which
	 * takes a length of 0 for an error (sk_psock_backlog()).
	 */
	if (skb->len == 0)
		return SK_DROP;
	room = direction->open && has_room(direction, skb->len);
	if (!room && !direction->passing) {
		direction->passed_at = direction->taken;
		direction->passing = 1;
	} else if (room) {
		direction->passing = 0;
	}
	direction->taken += skb->len;
	direction->next += skb->len;
	if (!room)
		return SK_PASS;
	direction->redirected += skb->len;
	return bpf_sk_redirect_hash(skb, &RELAY_MAP, &direction->peer, 0);
}

static __always_inline bool open_direction(__u64 from, __u64 to)
{
	struct sonde_relay_direction *direction = bpf_map_lookup_elem(&RELAY_STATE, &from);
	struct bpf_sock *sk;
	struct tcp_sock *peer;

	if (!direction)
		return false;
	sk = bpf_map_lookup_elem(&RELAY_MAP, &to);
	if (!sk)
		return false;
	peer = bpf_skc_to_tcp_sock(sk);
	if (peer) {
		direction->base = peer->write_seq;
		barrier();
		direction->open = 1;
	}
	bpf_sk_release(sk);
	return peer;
}

/* Run by user space (BPF_PROG_TEST_RUN), never attached: both sockets are in the map and user space holds nothing. */
SEC("tc")
int open_relay(struct __sk_buff *skb)
{
	struct sonde_relay_pair *pair = (void *)(long)skb->data;

	if ((void *)(pair + 1) > (void *)(long)skb->data_end)
		return 0;
	return open_direction(pair->client, pair->upstream) && open_direction(pair->upstream, pair->client);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
