/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Where the streams of a client and of a backend begin, noted when their connections are established. */
#ifndef SONDE_PROXY_BYPASS_ORIGIN_H
#define SONDE_PROXY_BYPASS_ORIGIN_H

#include "bypass_socket.h"

enum {
	LEVEL_TCP = 6,
	NOTSENT_LOWAT = 25, /* include/uapi/linux/tcp.h */
};

static __always_inline int is_listener(const struct sonde_bypass_socket *socket)
{
	struct sonde_bypass_listener listener = {.port = socket->remote_port};
	__u32 *address = listener.address;

	__builtin_memcpy(address, socket->remote_address, 16);
	if (bpf_map_lookup_elem(&LISTENERS, &listener))
		return 1;
	if (address[0] || address[1] || address[2] != bpf_htonl(0xffff) || (bpf_ntohl(address[3]) >> 24) != 127)
		return 0;
	address[3] = bpf_htonl(0x7f000000);
	return bpf_map_lookup_elem(&LISTENERS, &listener) != 0;
}

static __always_inline int note_origin(struct bpf_sock_ops *ctx)
{
	struct sonde_bypass_origin origin = {.write_seq = ctx->snd_nxt, .copied_seq = ctx->rcv_nxt};
	struct bpf_sock *sk = ctx->sk;
	int one = 1;

	if (!sk || ctx->data_segs_out) /* TCP fast open: the stream has begun already */
		return 0;
	bpf_setsockopt(ctx, LEVEL_TCP, NOTSENT_LOWAT, &one, sizeof(one)); /* see wait_for_drain() */
	return bpf_sk_storage_get(&ORIGINS, sk, &origin, BPF_SK_STORAGE_GET_F_CREATE) != 0;
}

static __always_inline void note_client(struct bpf_sock_ops *ctx)
{
	struct sonde_bypass_socket socket = {};

	if (read_socket(ctx, &socket) && is_listener(&socket) && note_origin(ctx))
		count_connection(seen_clients);
}

static __always_inline void expect_backend(struct bpf_sock_ops *ctx)
{
	struct sonde_bypass_socket socket = {}, backend;
	struct bpf_sock *sk = ctx->sk;
	__u32 one = 1;

	if (!sk || !bpf_sk_storage_get(&UPSTREAMS, sk, 0, 0) || !read_socket(ctx, &socket))
		return;
	swap_ends(&backend, &socket);
	bpf_map_update_elem(&EXPECTED, &backend, &one, BPF_ANY);
}

static __always_inline void note_backend(struct bpf_sock_ops *ctx)
{
	struct sonde_bypass_socket socket = {};

	if (!read_socket(ctx, &socket) || bpf_map_delete_elem(&EXPECTED, &socket))
		return;
	if (note_origin(ctx))
		count_connection(seen_backends);
}

#endif
