// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Retransmissions sensor: every segment and SYN-ACK that TCP sends again, with the facts that tell why, the owner of
 * the socket, and the local loss that it makes up for.
 *
 * The sum of `segments` and `unreported` over all records is the kernel's TcpRetransSegs. A tracepoint does not always
 * fire once for each count (before Linux 6.17 a sending that failed is not traced; since then, attempts that never came
 * to sending are traced as well), so the socket's own counter, total_retrans, decides.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "emit_event.h"
#include "kernel.h"
#include "lost_packet.h"
#include "nested.h"
#include "owner.h"
#include "retransmissions.abi.h"
#include "socket.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_RECV = 3,
	TCP_CLOSE = 7,
	TCP_LISTEN = 10,
	TCP_CA_RECOVERY = 3, /* and Loss = 4 */
	TCPCB_EVER_RETRANS = 0x80,
};

/* Programs with a double (nested.h). */
enum {
	HOOK_RETRANSMIT_SKB,
	HOOK_RETRANSMIT_SYNACK,
	HOOK_CONGESTION_STATE,
	HOOK_SOCKET_STATE,
	HOOK_DROP,
};

/* Arguments of tcp_retransmit_skb: 3 with the error (Linux 6.17), else 2. */
const volatile __u32 sonde_retransmit_arguments = 2;

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sonde_retransmitter);
} sonde_retransmitters SEC(".maps");

typedef struct sonde_retransmission_event record_t;

/* A record that is begun for the socket, or nothing: left out by the owner filter, or no room. */
static __always_inline record_t *begin_record(struct sock *sk, struct tcp_sock *tp, __u8 source)
{
	struct sonde_counters *counters = sonde_counters();
	__u64 cookie = bpf_get_socket_cookie(sk);
	record_t *record;

	if (!counters)
		return 0;
	sonde_count(counters->taken);
	record = sonde_reserve_event(sizeof(*record), SONDE_EVENT_RETRANSMISSION, counters);
	if (!record)
		return 0;
	sonde_read_owner(&record->owner, sk, cookie);
	if (!sonde_owner_wanted(&record->owner)) {
		sonde_count(counters->filtered);
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
		return 0;
	}
	sonde_read_socket(&record->socket, sk, cookie);
	record->source = source;
	record->jiffies = bpf_jiffies64();
	if (!tp)
		return record;
	if (!record->socket.local_port) /* it was given back: the socket is being closed */
		record->socket.local_port = __builtin_bswap16(tp->inet_conn.icsk_inet.inet_sport);
	record->smoothed_rtt_us = tp->srtt_us >> 3;
	record->rto_jiffies = tp->inet_conn.icsk_rto;
	record->congestion_window = tp->snd_cwnd;
	record->bytes_in_flight = tp->snd_nxt - tp->snd_una;
	record->socket_total = tp->total_retrans;
	record->undo_marker = tp->undo_marker;
	record->congestion_state = BPF_CORE_READ_BITFIELD_PROBED(&tp->inet_conn, icsk_ca_state);
	record->timeouts = tp->inet_conn.icsk_retransmits;
	record->pending_timer = tp->inet_conn.icsk_pending;
	return record;
}

static __always_inline void end_record(record_t *record)
{
	struct sonde_counters *counters = sonde_counters();

	if (counters)
		sonde_submit_event(record, counters);
	else
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
}

static __always_inline struct sonde_retransmitter *find_retransmitter(struct sock *sk)
{
	return bpf_sk_storage_get(&sonde_retransmitters, sk, 0, 0);
}

/* `unseen` segments of total_retrans are still to be reported. What was before sonde is left alone. A socket that is
 * younger than sonde has nothing before: there all of total_retrans is to be reported, also what no program was run
 * for. */
static __always_inline struct sonde_retransmitter *get_retransmitter(struct sock *sk, struct tcp_sock *tp, __u32 unseen)
{
	struct sonde_retransmitter fresh = {};
	struct sonde_retransmitter *known = find_retransmitter(sk);

	if (known)
		return known;
	if (!sonde_is_new_socket(sk, bpf_get_socket_cookie(sk))) {
		fresh.total = tp->total_retrans - unseen;
		fresh.duplicates = tp->dsack_dups;
	}
	return bpf_sk_storage_get(&sonde_retransmitters, sk, &fresh, BPF_SK_STORAGE_GET_F_CREATE);
}

static __always_inline void emit_spurious(struct sock *sk, struct tcp_sock *tp, __u32 segments, __u8 evidence)
{
	record_t *record = begin_record(sk, tp, SONDE_RETRANSMIT_SPURIOUS);

	if (!record)
		return;
	record->spurious = segments;
	record->evidence = evidence;
	end_record(record);
}

/* Segments that D-SACKs newly tell to have been needless. A network that duplicates packets causes D-SACKs too: as the
 * kernel does, believe no more of them than there were retransmissions. */
static __always_inline __u32 take_duplicates(struct tcp_sock *tp, struct sonde_retransmitter *known, __u32 sent_now)
{
	__u32 duplicates = tp->dsack_dups, total = tp->total_retrans - sent_now, told, twice;

	if (duplicates > total)
		duplicates = total;
	if (!sonde_before(known->duplicates, duplicates))
		return 0;
	told = duplicates - known->duplicates;
	known->duplicates = duplicates;
	twice = told < known->undone ? told : known->undone;
	known->undone -= twice;
	return told - twice;
}

static __always_inline void report_duplicates(struct sock *sk, struct tcp_sock *tp, struct sonde_retransmitter *known,
					      __u32 sent_now)
{
	__u32 segments = take_duplicates(tp, known, sent_now);

	if (segments)
		emit_spurious(sk, tp, segments, SONDE_SPURIOUS_DSACK);
}

struct segment {
	__u32 sequence;
	__u32 end_sequence;
	__u32 count; /* wire segments */
	__u8 tcp_flags;
	__u8 scoreboard;
};

static __always_inline void read_segment(struct segment *segment, struct sk_buff *skb)
{
	struct tcp_skb_cb *cb = (struct tcp_skb_cb *)&skb->cb;

	segment->sequence = BPF_CORE_READ(cb, seq);
	segment->end_sequence = BPF_CORE_READ(cb, end_seq);
	segment->count = BPF_CORE_READ(cb, tcp_gso_segs);
	segment->tcp_flags = BPF_CORE_READ_BITFIELD_PROBED(cb, tcp_flags);
	segment->scoreboard = BPF_CORE_READ(cb, sacked);
}

/* Was TcpRetransSegs counted before this attempt ended? For a socket whose counter has not been watched. These errors
 * come before the counting, others from the sending after it. */
static __always_inline int counted_before_error(const struct segment *segment, int error)
{
	if (!error)
		return 1;
	if (!(segment->scoreboard & TCPCB_EVER_RETRANS))
		return 0;
	return error != -EBUSY && error != -EAGAIN && error != -ENOMEM && error != -EINVAL && error != -EHOSTUNREACH;
}

static __always_inline void find_local_drop(record_t *record, const struct segment *segment, __u32 acknowledged,
					    __u64 before_ns)
{
	struct sonde_lost_range range = {
		.acknowledged = acknowledged,
		.sequence = segment->sequence,
		.end_sequence = segment->end_sequence,
		.network_namespace = record->socket.network_namespace,
		.failed = record->error != 0,
		.before_ns = before_ns,
	};
	struct sonde_drop_flow flow = {
		.source_port = record->socket.local_port,
		.destination_port = record->socket.remote_port,
	};

	__builtin_memcpy(flow.source, record->socket.local_address, 16);
	__builtin_memcpy(flow.destination, record->socket.remote_address, 16);
	sonde_find_drop(&record->drop, &flow, &range);
}

static __always_inline void emit_segment(struct sock *sk, struct tcp_sock *tp, struct segment *segment, __u32 counted,
					 int error)
{
	record_t *record = begin_record(sk, tp, SONDE_RETRANSMIT_SKB);

	if (!record)
		return;
	record->sequence = segment->sequence;
	record->end_sequence = segment->end_sequence;
	record->segments = segment->count;
	record->unreported = counted - segment->count;
	record->tcp_flags = segment->tcp_flags;
	record->scoreboard = segment->scoreboard;
	record->error = error;
	find_local_drop(record, segment, tp->snd_una, tp->tcp_clock_cache);
	end_record(record);
}

static __always_inline int retransmit_skb(unsigned long long *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct sk_buff *skb = (void *)ctx[1];
	int error = sonde_retransmit_arguments == 3 ? (int)ctx[2] : 0;
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct sonde_retransmitter *known;
	struct segment segment;
	__u32 counted;

	if (!tp)
		return 0;
	read_segment(&segment, skb);
	counted = counted_before_error(&segment, error) ? segment.count : 0;
	known = get_retransmitter(sk, tp, counted);
	if (known) {
		counted = tp->total_retrans - known->total;
		report_duplicates(sk, tp, known, counted);
	}
	/* An attempt that was not counted. What is left of earlier ones waits for one that was. */
	if (counted < segment.count || !segment.count)
		return 0;
	if (known)
		known->total = tp->total_retrans;
	emit_segment(sk, tp, &segment, counted, error);
	return 0;
}

static __always_inline __u64 retransmitted(unsigned long long *ctx)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock((struct sock *)ctx[0]);

	return tp ? tp->total_retrans : 0;
}
SONDE_TWICE(sonde_retransmit_skb, "tp_btf/tcp_retransmit_skb", HOOK_RETRANSMIT_SKB, retransmitted, retransmit_skb,
	    retransmit_skb)

static __always_inline void read_request(struct sonde_socket *out, struct request_sock *req)
{
	out->family = req->__req_common.skc_family;
	out->state = TCP_SYN_RECV;
	out->local_port = req->__req_common.skc_num;
	out->remote_port = __builtin_bswap16(req->__req_common.skc_dport);
	out->cookie = req->__req_common.skc_cookie.counter;
	if (out->family == SONDE_AF_INET6) {
		bpf_core_read(out->local_address, 16, &req->__req_common.skc_v6_rcv_saddr);
		bpf_core_read(out->remote_address, 16, &req->__req_common.skc_v6_daddr);
	} else {
		sonde_map_ipv4(out->local_address, req->__req_common.skc_rcv_saddr);
		sonde_map_ipv4(out->remote_address, req->__req_common.skc_daddr);
	}
}

/* Fires once for each count, on all kernels. `sk` is the listener; with TCP Fast Open the new socket, which counts too.
 */
static __always_inline int BPF_PROG(retransmit_synack, struct sock *sk, struct request_sock *req)
{
	struct segment segment = {.count = 1, .tcp_flags = SONDE_TCP_SYN | SONDE_TCP_ACK};
	struct tcp_request_sock *request = (void *)req;
	struct sonde_retransmitter *known = find_retransmitter(sk);
	record_t *record;

	if (known && sk->__sk_common.skc_state != TCP_LISTEN)
		known->total++;
	record = begin_record(sk, 0, SONDE_RETRANSMIT_SYN_ACK);
	if (!record)
		return 0;
	read_request(&record->socket, req);
	segment.sequence = BPF_CORE_READ(request, snt_isn);
	segment.end_sequence = segment.sequence + 1;
	record->sequence = segment.sequence;
	record->end_sequence = segment.end_sequence;
	record->segments = segment.count;
	record->tcp_flags = segment.tcp_flags;
	record->socket_total = req->num_retrans + 1;
	find_local_drop(record, &segment, segment.sequence, bpf_ktime_get_ns());
	end_record(record);
	return 0;
}

static __always_inline __u64 request(unsigned long long *ctx)
{
	return ctx[1];
}
SONDE_TWICE(sonde_retransmit_synack, "tp_btf/tcp_retransmit_synack", HOOK_RETRANSMIT_SYNACK, request, retransmit_synack,
	    retransmit_synack)

/* The marker that was there on entering is gone on leaving: the kernel took its response back, because what it had sent
 * again was needless (tcp_undo_cwnd_reduction). D-SACKs can be its reason; then they tell how much. */
static __always_inline void end_episode(struct sock *sk, struct tcp_sock *tp, struct sonde_retransmitter *known)
{
	__u32 segments = tp->total_retrans - known->episode_total;
	__u32 duplicates = take_duplicates(tp, known, 0);

	if (duplicates)
		emit_spurious(sk, tp, duplicates, SONDE_SPURIOUS_DSACK);
	else if (known->undo_armed && !tp->undo_marker && segments) {
		known->undone += segments;
		emit_spurious(sk, tp, segments, SONDE_SPURIOUS_UNDO);
	}
	known->undo_armed = 0;
}

static __always_inline void begin_episode(struct sock *sk, struct tcp_sock *tp, int continued)
{
	struct sonde_retransmitter *known = get_retransmitter(sk, tp, 0);

	if (!known)
		return;
	if (!continued)
		known->episode_total = tp->total_retrans;
	known->undo_armed = tp->undo_marker != 0;
}

/* Called before the state changes, but with the marker of the new one. */
static __always_inline int BPF_PROG(congestion_state, struct sock *sk, __u8 state)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct sonde_retransmitter *known;
	__u8 old;

	if (!tp)
		return 0;
	old = BPF_CORE_READ_BITFIELD_PROBED(&tp->inet_conn, icsk_ca_state);
	if (state >= TCP_CA_RECOVERY) {
		begin_episode(sk, tp, old >= TCP_CA_RECOVERY);
		return 0;
	}
	known = find_retransmitter(sk);
	if (known)
		end_episode(sk, tp, known);
	return 0;
}

static __always_inline __u64 new_congestion_state(unsigned long long *ctx)
{
	return ctx[1];
}
SONDE_TWICE(sonde_congestion_state, "tp_btf/tcp_cong_state_set", HOOK_CONGESTION_STATE, new_congestion_state,
	    congestion_state, congestion_state)

/* The last chance to tell what has come to light since the last retransmission. */
static __always_inline void close_retransmitter(struct sock *sk, struct tcp_sock *tp, struct sonde_retransmitter *known)
{
	__u32 counted = tp->total_retrans - known->total;
	record_t *record;

	report_duplicates(sk, tp, known, 0);
	if (!counted)
		return;
	record = begin_record(sk, tp, SONDE_RETRANSMIT_LATE);
	if (!record)
		return;
	record->unreported = counted;
	end_record(record);
}

/* An accepted socket's count begins with the retransmissions of the SYN-ACK: they were reported of the request. */
static __always_inline void begin_accepted(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct sonde_retransmitter *known;

	if (!tp || !tp->total_retrans)
		return;
	known = get_retransmitter(sk, tp, 0);
	if (known)
		known->total = tp->total_retrans;
}

/* Called before the state is set; connect() to AF_UNSPEC, too, gives a socket back with its counters at zero. */
static __always_inline int BPF_PROG(socket_state, struct sock *sk, int old_state, int new_state)
{
	struct sonde_retransmitter *known;
	struct tcp_sock *tp;

	if (old_state == TCP_SYN_RECV && new_state == TCP_ESTABLISHED)
		begin_accepted(sk);
	if (new_state != TCP_CLOSE)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	known = tp->total_retrans ? get_retransmitter(sk, tp, 0) : find_retransmitter(sk);
	if (!known)
		return 0;
	close_retransmitter(sk, tp, known);
	bpf_sk_storage_delete(&sonde_retransmitters, sk);
	return 0;
}

static __always_inline __u64 new_state(unsigned long long *ctx)
{
	return ctx[2];
}
SONDE_TWICE(sonde_socket_state, "tp_btf/inet_sock_set_state", HOOK_SOCKET_STATE, new_state, socket_state, socket_state)

static __always_inline int ignored_reason(__u32 reason)
{
	return reason < SONDE_DROP_REASONS && sonde_ignored_reasons[reason / 64 & 3] >> (reason & 63) & 1;
}

static __always_inline int drop(unsigned long long *ctx)
{
	struct sk_buff *skb = (void *)ctx[0];
	__u32 reason = ctx[2];
	struct sonde_drop_flow flow = {};
	struct sonde_drop_slot slot = {};

	if (ignored_reason(reason) || !sonde_read_lost_packet(&flow, &slot, skb))
		return 0;
	slot.drop.time_ns = bpf_ktime_get_ns();
	slot.drop.location = ctx[1];
	slot.drop.reason = reason;
	sonde_read_device(&slot.drop, skb);
	sonde_remember_drop(&flow, &slot);
	return 0;
}

static __always_inline __u64 location(unsigned long long *ctx)
{
	return ctx[1];
}
SONDE_TWICE(sonde_drop, "tp_btf/kfree_skb", HOOK_DROP, location, drop, drop)
