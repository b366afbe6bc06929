/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The two sockets of a connection, found by their names, and what would keep them from the path. */
#ifndef SONDE_PROXY_BYPASS_PAIR_H
#define SONDE_PROXY_BYPASS_PAIR_H

#include "bypass_socket.h"

#include <bpf/bpf_core_read.h>

enum { OPEN_NONBLOCK = 04000 };

static __always_inline struct bpf_sock *find_socket(struct __sk_buff *skb, const struct sonde_bypass_socket *socket)
{
	struct bpf_sock_tuple tuple = {};

	/* As in a packet to the socket. */
	if (!socket->local_address[0] && !socket->local_address[1] && socket->local_address[2] == bpf_htonl(0xffff)) {
		tuple.ipv4.saddr = socket->remote_address[3];
		tuple.ipv4.daddr = socket->local_address[3];
		tuple.ipv4.sport = bpf_htons(socket->remote_port);
		tuple.ipv4.dport = bpf_htons(socket->local_port);
		return bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	__builtin_memcpy(tuple.ipv6.saddr, socket->remote_address, 16);
	__builtin_memcpy(tuple.ipv6.daddr, socket->local_address, 16);
	tuple.ipv6.sport = bpf_htons(socket->remote_port);
	tuple.ipv6.dport = bpf_htons(socket->local_port);
	return bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
}

/*
 * tcp_bpf_recvmsg() ends a blocking read with EAGAIN when it is woken without data: by a signal, a reset, or room to
 * write. Programs whose sockets block do not expect that.
 */
static __always_inline int file_verdict(struct sock *sk)
{
	struct file *file = BPF_CORE_READ(sk, sk_socket, file);

	if (!file)
		return SONDE_BYPASS_NOT_ACCEPTED;
	return BPF_CORE_READ(file, f_flags) & OPEN_NONBLOCK ? SONDE_BYPASS_PAIRED : SONDE_BYPASS_BLOCKING;
}

static __always_inline int socket_verdict(struct tcp_sock *tcp)
{
	struct sock *sk = (struct sock *)tcp;
	unsigned long zerocopy = bpf_core_enum_value(enum sock_flags, SOCK_ZEROCOPY);

	if (tcp->inet_conn.icsk_ulp_ops || (sk->__sk_common.skc_flags >> zerocopy & 1))
		return SONDE_BYPASS_UNSUITED;
	return file_verdict(sk);
}

/* May it be captured? Where its streams begin, and the address of its struct sock. */
static __always_inline int examine(struct __sk_buff *skb, const struct sonde_bypass_socket *socket,
				   struct sonde_bypass_origin *out, __u64 *address, int absent)
{
	struct bpf_sock *sk = find_socket(skb, socket);
	struct sonde_bypass_origin *origin;
	struct tcp_sock *tcp;
	int verdict = absent;

	if (!sk)
		return absent;
	origin = bpf_sk_storage_get(&ORIGINS, sk, 0, 0);
	tcp = bpf_skc_to_tcp_sock(sk);
	if (origin && tcp) {
		*out = *origin;
		*address = (__u64)tcp;
		verdict = socket_verdict(tcp);
	}
	bpf_sk_release(sk);
	return verdict;
}

/* Puts a socket into SOCK_MAP. 0: done. */
static __always_inline int capture(struct __sk_buff *skb, const struct sonde_bypass_socket *socket)
{
	struct bpf_sock *sk = find_socket(skb, socket);
	int error;

	if (!sk)
		return 1;
	error = bpf_map_update_elem(&SOCK_MAP, socket, sk, BPF_ANY) != 0;
	bpf_sk_release(sk);
	if (!error)
		count_connection(captured);
	return error;
}

#endif
