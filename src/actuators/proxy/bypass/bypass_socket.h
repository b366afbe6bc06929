/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Names of sockets: of the one that a program runs for, and of its peer. */
#ifndef SONDE_PROXY_BYPASS_SOCKET_H
#define SONDE_PROXY_BYPASS_SOCKET_H

#include "bypass_maps.h"

#include <bpf/bpf_endian.h>

enum {
	FAMILY_IPV4 = 2,
	FAMILY_IPV6 = 10,
};

static __always_inline void set_ipv4(__u32 *address, __u32 ipv4)
{
	address[0] = 0;
	address[1] = 0;
	address[2] = bpf_htonl(0xffff);
	address[3] = ipv4;
}

/*
 * The socket that a struct bpf_sock_ops or sk_msg_md is about. 0: it has no addresses. volatile: the verifier wants
 * each member at its place, and the compiler would merge the branches.
 */
#define read_socket(ctx, socket)                                                                                       \
	({                                                                                                             \
		volatile typeof(*(ctx)) *from = (ctx);                                                                 \
		__u32 *local = (socket)->local_address, *remote = (socket)->remote_address;                            \
		__u32 family = from->family;                                                                           \
                                                                                                                       \
		if (family == FAMILY_IPV4) {                                                                           \
			set_ipv4(local, from->local_ip4);                                                              \
			set_ipv4(remote, from->remote_ip4);                                                            \
		} else if (family == FAMILY_IPV6) {                                                                    \
			local[0] = from->local_ip6[0];                                                                 \
			local[1] = from->local_ip6[1];                                                                 \
			local[2] = from->local_ip6[2];                                                                 \
			local[3] = from->local_ip6[3];                                                                 \
			remote[0] = from->remote_ip6[0];                                                               \
			remote[1] = from->remote_ip6[1];                                                               \
			remote[2] = from->remote_ip6[2];                                                               \
			remote[3] = from->remote_ip6[3];                                                               \
		}                                                                                                      \
		(socket)->local_port = from->local_port;                                                               \
		(socket)->remote_port = bpf_ntohl(from->remote_port);                                                  \
		family == FAMILY_IPV4 || family == FAMILY_IPV6;                                                        \
	})

static __always_inline void swap_ends(struct sonde_bypass_socket *socket, const struct sonde_bypass_socket *other)
{
	__builtin_memcpy(socket->local_address, other->remote_address, 16);
	__builtin_memcpy(socket->remote_address, other->local_address, 16);
	socket->local_port = other->remote_port;
	socket->remote_port = other->local_port;
}

#endif
