/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The proxy's own sockets, read where they are. */
#ifndef SONDE_PROXY_WIRE_SOCKET_H
#define SONDE_PROXY_WIRE_SOCKET_H

#include <bpf/bpf_core_read.h>

#include "wire_packet.h"

enum {
	STATE_ESTABLISHED = 1,
	RECEIVE_SHUTDOWN = 1,
	ECN_OK = 1,
	ECN_ACCURATE = 16, /* TCP_ECN_MODE_ACCECN, Linux 6.18; no meaning before */
};

/* Of one socket, at one moment. It is not locked: a packet may be on its way into it. */
struct wire_socket {
	__u32 unacknowledged; /* snd_una */
	__u32 sent;           /* snd_nxt */
	__u32 written;        /* write_seq */
	__u32 received;       /* rcv_nxt */
	__u32 read;           /* copied_seq */
	__u32 window;         /* bytes behind `unacknowledged` that the peer takes */
	__u32 room;           /* bytes behind `received` that the peer has been told it may send */
	__u32 echo;           /* ts_recent: what the peer's last TSval was */
	__u32 clock;          /* what our TSval would be now */
	__u16 peer_segment;   /* the peer takes segments of so many bytes, options included */
	__u16 own_segment;    /* and we do */
	__u8 window_shift_in; /* of the windows that the peer announces */
	__u8 window_shift_out;
	__u8 timestamps;
	__u8 sack;
	__u8 ecn;
	__u8 state;
	__u8 ended;    /* the peer's stream: its FIN has been received */
	__u8 unsuited; /* its bytes are not what packets carry, or more than TCP stands in them */
	__u8 has_hole; /* it holds bytes that came out of order */
};

static __always_inline void read_socket(struct tcp_sock *tcp, struct wire_socket *socket)
{
	struct sock *sk = (struct sock *)tcp;
	__s32 room;

	socket->unacknowledged = tcp->snd_una;
	socket->sent = tcp->snd_nxt;
	socket->written = tcp->write_seq;
	socket->received = tcp->rcv_nxt;
	socket->read = tcp->copied_seq;
	socket->window = tcp->snd_wnd;
	room = distance(tcp->rcv_wup + tcp->rcv_wnd, tcp->rcv_nxt);
	socket->room = room > 0 ? room : 0;
	socket->state = sk->__sk_common.skc_state;
	socket->has_hole = tcp->out_of_order_queue.rb_node != 0;
	socket->ended = sk->sk_shutdown & RECEIVE_SHUTDOWN;
}

static __always_inline int is_unsuited(struct tcp_sock *tcp)
{
	if (tcp->inet_conn.icsk_ulp_ops || tcp->fastopen_rsk || tcp->ecn_flags & ECN_ACCURATE)
		return 1;
	if (bpf_core_field_exists(tcp->is_mptcp) && BPF_CORE_READ_BITFIELD_PROBED(tcp, is_mptcp))
		return 1;
	if (bpf_core_field_exists(tcp->md5sig_info) && tcp->md5sig_info)
		return 1;
	return bpf_core_field_exists(tcp->ao_info) && tcp->ao_info;
}

/* What was agreed on when it connected; constant. */
static __always_inline void read_options(struct tcp_sock *tcp, struct wire_socket *socket)
{
	socket->echo = tcp->rx_opt.ts_recent;
	/* TCP_TS_HZ is 1000; tcp_clock_ms() */
	socket->clock = (__u32)(bpf_ktime_get_ns() / 1000000) + tcp->tsoffset;
	socket->peer_segment = tcp->rx_opt.mss_clamp;
	socket->own_segment = tcp->advmss;
	socket->window_shift_in = BPF_CORE_READ_BITFIELD_PROBED(tcp, rx_opt.snd_wscale);
	socket->window_shift_out = BPF_CORE_READ_BITFIELD_PROBED(tcp, rx_opt.rcv_wscale);
	socket->timestamps = BPF_CORE_READ_BITFIELD_PROBED(tcp, rx_opt.tstamp_ok);
	socket->sack = BPF_CORE_READ_BITFIELD_PROBED(tcp, rx_opt.sack_ok) != 0;
	socket->ecn = tcp->ecn_flags & ECN_OK;
	socket->unsuited = is_unsuited(tcp);
	if (bpf_core_field_exists(tcp->tcp_usec_ts) && BPF_CORE_READ_BITFIELD_PROBED(tcp, tcp_usec_ts))
		socket->unsuited = 1;
}

/* The socket that packets of this flow are for. False: there is none. Not static: verified once, not at each call. */
__noinline int find_socket(struct __sk_buff *skb, const struct sonde_wire_flow *flow, int with_options,
			   struct wire_socket *socket)
{
	struct bpf_sock_tuple tuple = {};
	struct tcp_sock *tcp;
	struct bpf_sock *sk;

	if (!flow || !socket)
		return 0;
	if (!flow->source[0] && !flow->source[1] && flow->source[2] == bpf_htonl(0xffff)) {
		tuple.ipv4.saddr = flow->source[3];
		tuple.ipv4.daddr = flow->destination[3];
		tuple.ipv4.sport = flow->source_port;
		tuple.ipv4.dport = flow->destination_port;
		sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, flow->source, 16);
		__builtin_memcpy(tuple.ipv6.daddr, flow->destination, 16);
		tuple.ipv6.sport = flow->source_port;
		tuple.ipv6.dport = flow->destination_port;
		sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	}
	if (!sk)
		return 0;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (tcp) {
		read_socket(tcp, socket);
		if (with_options)
			read_options(tcp, socket);
	}
	bpf_sk_release(sk);
	return tcp != 0;
}

#endif
