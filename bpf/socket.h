/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A kernel socket as struct sonde_socket. For tracing programs, whose `struct sock *` is a BTF pointer. */
#ifndef SONDE_BPF_SOCKET_H
#define SONDE_BPF_SOCKET_H

#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <sonde/abi/socket.h>

enum {
	SONDE_AF_INET = 2,
	SONDE_AF_INET6 = 10,
};

static __always_inline void sonde_map_ipv4(__u8 *out, __be32 address)
{
	__builtin_memset(out, 0, 10);
	out[10] = out[11] = 0xff;
	__builtin_memcpy(out + 12, &address, 4);
}

/* IPv4, IPv6 or neither: *out is filled in any case. skc_num is in host byte order, skc_dport in network byte order.
 * skc_num is 0 once the port was given back (inet_put_port), which is before the state becomes TCP_CLOSE. */
static __always_inline void sonde_read_socket(struct sonde_socket *out, struct sock *sk, __u64 cookie)
{
	__builtin_memset(out, 0, sizeof(*out));
	out->family = sk->__sk_common.skc_family;
	out->state = sk->__sk_common.skc_state;
	out->protocol = sk->sk_protocol;
	out->network_namespace = sk->__sk_common.skc_net.net->ns.inum;
	out->local_port = sk->__sk_common.skc_num;
	out->remote_port = __builtin_bswap16(sk->__sk_common.skc_dport);
	out->cookie = cookie;
	if (out->family == SONDE_AF_INET) {
		sonde_map_ipv4(out->local_address, sk->__sk_common.skc_rcv_saddr);
		sonde_map_ipv4(out->remote_address, sk->__sk_common.skc_daddr);
	} else if (out->family == SONDE_AF_INET6) {
		bpf_core_read(out->local_address, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_core_read(out->remote_address, 16, &sk->__sk_common.skc_v6_daddr);
	}
}

#endif
