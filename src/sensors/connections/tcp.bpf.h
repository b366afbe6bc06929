/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the connections programs read from a TCP socket. */
#ifndef SONDE_CONNECTIONS_TCP_H
#define SONDE_CONNECTIONS_TCP_H

#include "kernel.h"
#include "connections.abi.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* include/net/tcp_states.h: ABI of /proc/net/tcp and of struct tcp_info. */
enum {
	SONDE_TCP_ESTABLISHED = 1,
	SONDE_TCP_SYN_SENT = 2,
	SONDE_TCP_SYN_RECV = 3,
	SONDE_TCP_FIN_WAIT1 = 4,
	SONDE_TCP_FIN_WAIT2 = 5,
	SONDE_TCP_TIME_WAIT = 6,
	SONDE_TCP_CLOSE = 7,
	SONDE_TCP_CLOSE_WAIT = 8,
	SONDE_TCP_LAST_ACK = 9,
	SONDE_TCP_LISTEN = 10,
	SONDE_TCP_CLOSING = 11,
	SONDE_IPPROTO_TCP = 6,
	SONDE_IPPROTO_UDP = 17,
	SONDE_RCV_SHUTDOWN = 1, /* sk_shutdown: the process reads no more */
	/* States that are reached only after a FIN of ours was queued. */
	SONDE_FIN_SENT_STATES =
		1 << SONDE_TCP_FIN_WAIT1 | 1 << SONDE_TCP_FIN_WAIT2 | 1 << SONDE_TCP_CLOSING | 1 << SONDE_TCP_LAST_ACK,
};

/* The kernel's own sockets (tunnels, NFS) have no process. */
static __always_inline void sonde_name_kernel(struct sonde_socket_owner *owner, struct sock *sk)
{
	if (owner->reason == SONDE_REASON_NOT_RECORDED && BPF_CORE_READ_BITFIELD_PROBED(sk, sk_kern_sock))
		owner->reason = SONDE_REASON_KERNEL;
}

static __always_inline void sonde_read_counters(struct sonde_tcp_counters *out, struct tcp_sock *tcp)
{
	out->bytes_acked = tcp->bytes_acked;
	out->bytes_received = tcp->bytes_received;
	out->bytes_sent = tcp->bytes_sent;
	out->bytes_retransmitted = tcp->bytes_retrans;
	out->segments_sent = tcp->segs_out;
	out->segments_received = tcp->segs_in;
	out->retransmissions = tcp->total_retrans;
	out->smoothed_rtt_us = tcp->srtt_us >> 3; /* kept as eight times the value */
	out->in_flight = tcp->snd_nxt - tcp->snd_una;
	out->reserved = 0;
}

/* SOCK_DONE is set by the peer's FIN, and reset only by disconnect. */
static __always_inline __u8 sonde_fin_flags(struct sock *sk, struct tcp_sock *tcp, int state)
{
	__u64 done = 1ULL << bpf_core_enum_value(enum sock_flags, SOCK_DONE);
	__u8 flags = 0;

	if (sk->__sk_common.skc_flags & done)
		flags |= SONDE_CONNECTION_FIN_RECEIVED;
	if ((1 << state & SONDE_FIN_SENT_STATES) && tcp->snd_una == tcp->write_seq)
		flags |= SONDE_CONNECTION_FIN_ACKED;
	return flags;
}

#endif
