// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What a client on this host sends to the proxy lands in the receive queue of a backend on this host, and back.
 *
 * track_established notes where the streams of such sockets begin, when their connections are established.
 * pair_sockets, run by user space for a connection that has lived for a moment, puts both into SOCK_MAP.
 * redirect_msg sees every send of the sockets of SOCK_MAP. It redirects a message only when all that the sender ever
 * sent over TCP has been read by the receiver: tcp_bpf_recvmsg() reads what was redirected before what came over TCP,
 * so nothing may be redirected while there is anything of the latter. Whatever else holds, SK_PASS is right: the bytes
 * go over TCP to the proxy, which relays them.
 */
#include "bypass_maps.h"
#include "bypass_origin.h"
#include "bypass_pair.h"
#include "bypass_redirect.h"
#include "bypass_socket.h"

SEC("sockops")
int track_established(struct bpf_sock_ops *ctx)
{
	__u32 op = ctx->op;

	if (op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB && op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB &&
	    op != BPF_SOCK_OPS_TCP_CONNECT_CB)
		return 1;
	if (bpf_get_netns_cookie(ctx) != network_namespace)
		return 1;
	if (op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		note_client(ctx);
	else if (op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		note_backend(ctx);
	else
		expect_backend(ctx);
	return 1;
}

SEC("sk_msg")
int redirect_msg(struct sk_msg_md *msg)
{
	struct sonde_bypass_direction *direction;
	struct sonde_bypass_socket sender = {};
	__u32 size = msg->size;
	int verdict;

	if (!read_socket(msg, &sender))
		return SK_PASS;
	direction = bpf_map_lookup_elem(&CONNECTION_MAP, &sender);
	if (!direction)
		return SK_PASS;
	verdict = judge(msg, direction);
	/* SK_DROP: the receiver has been closed since it was looked up. */
	if (verdict == REDIRECT &&
	    bpf_msg_redirect_hash(msg, &SOCK_MAP, &direction->receiver, BPF_F_INGRESS) != SK_PASS)
		verdict = GONE;
	direction->direct = verdict == REDIRECT;
	if (verdict == REDIRECT) {
		count_redirected(direction, size);
	} else {
		direction->passed++;
		count_passed(verdict);
	}
	return SK_PASS;
}

/* Run by user space (BPF_PROG_TEST_RUN), never attached: captures a connection's sockets, and writes both directions.
 */
SEC("tc")
int pair_sockets(struct __sk_buff *skb)
{
	struct sonde_bypass_pair *pair = (void *)(long)skb->data;
	struct sonde_bypass_direction forth = {.role = SONDE_BYPASS_CLIENT}, back = {.role = SONDE_BYPASS_BACKEND};
	struct sonde_bypass_origin client = {}, backend = {};
	int verdict;

	if ((void *)(pair + 1) > (void *)(long)skb->data_end)
		return SONDE_BYPASS_BAD_FRAME;
	forth.receiver = pair->backend;
	back.receiver = pair->client;
	forth.receiver_origin = pair->skew_to_backend;
	back.receiver_origin = pair->skew_to_client;
	verdict = examine(skb, &forth.receiver, &backend, &back.sender_sock, SONDE_BYPASS_NO_BACKEND);
	if (!verdict)
		verdict = examine(skb, &back.receiver, &client, &forth.sender_sock, SONDE_BYPASS_NO_CLIENT);
	if (verdict)
		return verdict;
	forth.receiver_sock = back.sender_sock;
	back.receiver_sock = forth.sender_sock;
	forth.sender_origin = client.write_seq;
	forth.receiver_origin += backend.copied_seq;
	back.sender_origin = backend.write_seq;
	back.receiver_origin += client.copied_seq;
	if (capture(skb, &forth.receiver) || capture(skb, &back.receiver) ||
	    bpf_map_update_elem(&CONNECTION_MAP, &forth.receiver, &back, BPF_ANY))
		goto release;
	if (!bpf_map_update_elem(&CONNECTION_MAP, &back.receiver, &forth, BPF_ANY))
		return SONDE_BYPASS_PAIRED;
	bpf_map_delete_elem(&CONNECTION_MAP, &forth.receiver);
release:
	bpf_map_delete_elem(&SOCK_MAP, &forth.receiver);
	bpf_map_delete_elem(&SOCK_MAP, &back.receiver);
	return SONDE_BYPASS_NO_ROOM;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
