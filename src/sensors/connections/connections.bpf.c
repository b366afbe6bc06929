// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * TCP connections as they are opened, fail and are closed. Only state changes and resets run a program: a connection
 * costs three or four calls in its life and a packet none.
 */
#include "record.bpf.h"
#include "socket.h"
#include "tcp.bpf.h"
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The port at CLOSE: skc_num is 0 by then (inet_put_port), inet_sport is not. */
static __always_inline void read_socket(struct sonde_socket *out, struct sock *sk, struct tcp_sock *tcp, int state)
{
	sonde_read_socket(out, sk, bpf_get_socket_cookie(sk));
	out->local_port = __builtin_bswap16(tcp->inet_conn.icsk_inet.inet_sport);
	out->state = state;
}

static __always_inline __u8 is_repaired(struct tcp_sock *tcp)
{
	return BPF_CORE_READ_BITFIELD_PROBED(tcp, repair) ? SONDE_CONNECTION_REPAIR : 0;
}

/*
 * After close() a socket in FIN_WAIT takes no data any more: the kernel answers new data by RST, through the function
 * that a received RST goes through too (tcp_reset, TCPAbortOnData), or without a trace. Told by the segment that is
 * being processed: data came since close(), and an acknowledgment was processed just now, which is not done for RST.
 */
static __always_inline __u8 data_after_close(struct tcp_sock *tcp, struct sonde_connection_record *record, int state)
{
	if (state != SONDE_TCP_FIN_WAIT1 && state != SONDE_TCP_FIN_WAIT2)
		return 0;
	if (!record->closed_by_process || tcp->data_segs_in == record->data_segments_at_close)
		return 0;
	return (__u32)bpf_jiffies64() - tcp->rcv_tstamp <= 2 ? SONDE_CONNECTION_DATA_AFTER_CLOSE : 0;
}

static __always_inline void fill_from_record(struct sonde_connection_event *event, struct tcp_sock *tcp,
					     struct sonde_connection_record *record, int state)
{
	if (!record)
		return;
	event->syn_ns = record->syn_ns;
	event->established_ns = record->established_ns;
	event->direction = record->direction;
	event->flags |= record->flags | data_after_close(tcp, record, state);
}

static __always_inline int read_error(struct sock *sk, int state)
{
	int error = sk->sk_err;

	return error || state != SONDE_TCP_SYN_SENT ? error : sk->sk_err_soft;
}

/* `state` is the one that the socket leaves. */
static __always_inline void emit_connection(struct sock *sk, struct tcp_sock *tcp, __u8 kind, int state,
					    struct sonde_connection_record *record)
{
	struct sonde_counters *counters = sonde_counters();
	struct sonde_connection_event *event;

	if (!counters)
		return;
	event = reserve_connection(sk, kind, counters);
	if (!event)
		return;
	event->error = read_error(sk, state);
	read_socket(&event->socket, sk, tcp, state);
	sonde_read_counters(&event->counters, tcp);
	event->flags = sonde_fin_flags(sk, tcp, state) | is_repaired(tcp);
	fill_from_record(event, tcp, record, state);
	sonde_submit_event(event, counters);
}

/* Also when a socket connects again: everything of its earlier life goes. */
static __always_inline void begin_connect(struct sock *sk)
{
	struct sonde_connection_record *record = find_record(sk, BPF_SK_STORAGE_GET_F_CREATE);

	if (!record)
		return;
	__builtin_memset(record, 0, sizeof(*record));
	record->syn_ns = bpf_ktime_get_ns();
	record->direction = SONDE_CONNECTION_OUTBOUND;
}

/* From SYN_SENT, or from SYN_RECV: inbound, or outbound with both SYNs crossing (then the record has the SYN's time).
 */
static __always_inline void established(struct sock *sk, struct tcp_sock *tcp, int old_state)
{
	struct sonde_connection_record *record = find_record(sk, BPF_SK_STORAGE_GET_F_CREATE);

	if (record) {
		if (!record->direction && old_state == SONDE_TCP_SYN_RECV)
			record->direction = SONDE_CONNECTION_INBOUND;
		record->established_ns = bpf_ktime_get_ns();
	}
	emit_connection(sk, tcp, SONDE_CONNECTION_OPENED, old_state, record);
}

static __always_inline void note_close(struct sock *sk, struct tcp_sock *tcp)
{
	struct sonde_connection_record *record = find_record(sk, 0);

	if (!record || !(sk->sk_shutdown & SONDE_RCV_SHUTDOWN))
		return;
	record->data_segments_at_close = tcp->data_segs_in;
	record->closed_by_process = 1;
}

/* A child of a listener that is given up in SYN_RECV never was a connection to anybody: not reported. */
static __always_inline void ended(struct sock *sk, struct tcp_sock *tcp, int old_state)
{
	struct sonde_connection_record *record = find_record(sk, 0);
	int outbound = old_state == SONDE_TCP_SYN_SENT || (record && record->direction == SONDE_CONNECTION_OUTBOUND);

	if (old_state == SONDE_TCP_SYN_SENT || old_state == SONDE_TCP_SYN_RECV) {
		if (outbound)
			emit_connection(sk, tcp, SONDE_CONNECTION_FAILED, old_state, record);
		if (record && sk->sk_err)
			record->syn_ns = 0; /* not in connect(): see connect.bpf.c */
	} else if (old_state != SONDE_TCP_LISTEN && old_state != SONDE_TCP_CLOSE) {
		emit_connection(sk, tcp, SONDE_CONNECTION_CLOSED, old_state, record);
	}
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(sonde_connection_state, struct sock *sk, int old_state, int new_state)
{
	struct tcp_sock *tcp;

	if (sk->sk_protocol != SONDE_IPPROTO_TCP)
		return 0;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return 0;
	if (new_state == SONDE_TCP_SYN_SENT)
		begin_connect(sk);
	else if (new_state == SONDE_TCP_ESTABLISHED)
		established(sk, tcp, old_state);
	else if (new_state == SONDE_TCP_FIN_WAIT1)
		note_close(sk, tcp);
	else if (new_state == SONDE_TCP_CLOSE)
		ended(sk, tcp, old_state);
	return 0;
}

/* Before the state becomes CLOSE. */
SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(sonde_connection_receive_reset, struct sock *sk)
{
	struct sonde_connection_record *record = find_record(sk, BPF_SK_STORAGE_GET_F_CREATE);

	if (record)
		record->flags |= SONDE_CONNECTION_RESET_RECEIVED;
	return 0;
}

/* Counts only where the RST ends the connection: not as answer to a wrong segment in SYN_SENT, not after CLOSE. `sk`
 * may be null or a TIME_WAIT socket (Linux 6.10); storage is not given for these. The skb and the reason are not looked
 * at. */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(sonde_connection_send_reset, struct sock *sk)
{
	struct sonde_connection_record *record;
	int state;

	if (!sk)
		return 0;
	state = sk->__sk_common.skc_state;
	if (state == SONDE_TCP_CLOSE || state == SONDE_TCP_SYN_SENT || state == SONDE_TCP_LISTEN)
		return 0;
	record = find_record(sk, BPF_SK_STORAGE_GET_F_CREATE);
	if (record)
		record->flags |= SONDE_CONNECTION_RESET_SENT;
	return 0;
}
