/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The owner of a packet's socket, into the scratch memory. Part of packets.bpf.c where it is built with owners.
 *
 * A sent packet brings its socket along. A received one has none yet: it is looked up as the kernel is about to do it,
 * by the addresses and ports that the parser found. A packet that goes to no socket here may still have the one that
 * sent it, when it came from another network namespace of this host.
 */
#ifndef SONDE_PACKET_OWNER_H
#define SONDE_PACKET_OWNER_H

#include "kernel.h"
#include "owner.h"
#include <bpf/bpf_core_read.h>

enum {
	TCP_TIME_WAIT_STATE = 6,
	TCP_LISTEN_STATE = 10,
	TCP_FLAG_SYN = 0x02,
	TCP_FLAG_ACK = 0x10,
	PACKET_FOR_THIS_HOST = 0, /* PACKET_HOST of linux/if_packet.h */
	ADDRESS_FAMILY_IPV4 = 2,
	ADDRESS_FAMILY_IPV6 = 10,
};

/* Part of struct sock_common that only this file reads. */
struct sock_common___flags {
	unsigned char skc_net_refcnt : 1; /* 0: the kernel made the socket for itself */
} SONDE_CORE;

/* As a number, which members may be read from; the verifier allows no arithmetic on a pointer to a socket. */
static __always_inline void *address_of(struct scratch *scratch, struct bpf_sock *socket)
{
	scratch->socket = (__u64)(unsigned long)socket;
	return (void *)(unsigned long)scratch->socket;
}

/* 0: nobody has asked for the cookie yet. */
static __always_inline __u64 read_cookie(struct sock *socket)
{
	__u64 cookie = 0;

	bpf_core_read(&cookie, sizeof(cookie), &socket->__sk_common.skc_cookie.counter);
	return cookie;
}

static __always_inline int is_kernel_socket(void *socket)
{
	struct sock_common___flags *common = socket;

	return bpf_core_field_exists(common->skc_net_refcnt) && !BPF_CORE_READ_BITFIELD_PROBED(common, skc_net_refcnt);
}

static __always_inline void read_socket_owner(struct scratch *scratch, struct bpf_sock *socket)
{
	struct sonde_socket_owner *owner = &scratch->owner;
	void *address = address_of(scratch, socket);

	sonde_read_owner(owner, socket, sonde_owner_store == SONDE_STORE_COOKIE ? read_cookie(address) : 0);
	if (owner->reason == SONDE_REASON_NOT_RECORDED && is_kernel_socket(address))
		owner->reason = SONDE_REASON_KERNEL;
}

/* A connection that is being opened has a request, not a socket; its listener has an owner. */
static __always_inline void read_listener_owner(struct scratch *scratch, struct bpf_sock *request)
{
	struct bpf_sock *listener = bpf_get_listener_sock(request);

	if (!listener)
		return;
	read_socket_owner(scratch, listener);
	if (scratch->owner.method != SONDE_METHOD_NONE)
		scratch->owner.inherited = SONDE_INHERITED_ALL;
}

/* Of a full socket, a request or what is left of a closed connection; no owner of any other. */
static __always_inline void read_any_owner(struct scratch *scratch, struct bpf_sock *socket)
{
	struct bpf_sock *full = bpf_sk_fullsock(socket);

	sonde_no_owner(&scratch->owner, SONDE_REASON_NO_SOCKET);
	if (full)
		read_socket_owner(scratch, full);
	else if (socket->state == TCP_TIME_WAIT_STATE)
		scratch->owner.reason = SONDE_REASON_TIME_WAIT;
	else
		read_listener_owner(scratch, socket);
}

static __always_inline void read_sender(struct __sk_buff *ctx, struct scratch *scratch)
{
	struct bpf_sock *socket = ctx->sk;

	if (socket)
		read_any_owner(scratch, socket);
	else
		sonde_no_owner(&scratch->owner, SONDE_REASON_NO_SOCKET);
}

static __always_inline void copy_address(__be32 *to, const __u8 *from)
{
	int i;

#pragma unroll
	for (i = 0; i < 4; i++)
		to[i] = sonde_raw32(from + 4 * i);
}

/* From where the packet goes: the peer is its source. Gives the size of the tuple, 0: a multicast packet. */
static __always_inline __u32 make_tuple(const struct sonde_packet_event *event, struct bpf_sock_tuple *tuple)
{
	if (event->flags & SONDE_PACKET_IPV4) {
		tuple->ipv4.saddr = sonde_raw32(event->source_address + 12);
		tuple->ipv4.daddr = sonde_raw32(event->destination_address + 12);
		tuple->ipv4.sport = bpf_htons(event->source_port);
		tuple->ipv4.dport = bpf_htons(event->destination_port);
		return event->destination_address[12] >= 224 ? 0 : sizeof(tuple->ipv4);
	}
	copy_address(tuple->ipv6.saddr, event->source_address);
	copy_address(tuple->ipv6.daddr, event->destination_address);
	tuple->ipv6.sport = bpf_htons(event->source_port);
	tuple->ipv6.dport = bpf_htons(event->destination_port);
	return event->destination_address[0] == 0xff ? 0 : sizeof(tuple->ipv6);
}

/* A socket that listens on any address would also be found for packets that this host only forwards. */
static __always_inline int is_forwarded(struct __sk_buff *ctx, const struct sonde_packet_event *event)
{
	struct bpf_fib_lookup route = {.ifindex = ctx->ifindex, .l4_protocol = event->protocol};
	long found;

	if (event->flags & SONDE_PACKET_IPV4) {
		route.family = ADDRESS_FAMILY_IPV4;
		route.ipv4_src = sonde_raw32(event->source_address + 12);
		route.ipv4_dst = sonde_raw32(event->destination_address + 12);
	} else {
		route.family = ADDRESS_FAMILY_IPV6;
		copy_address(route.ipv6_src, event->source_address);
		copy_address(route.ipv6_dst, event->destination_address);
	}
	found = bpf_fib_lookup(ctx, &route, sizeof(route), 0);
	return found != BPF_FIB_LKUP_RET_NOT_FWDED && found != BPF_FIB_LKUP_RET_FWD_DISABLED;
}

/* A connected socket is found as the kernel itself will find it, by both ends; of one that only has its own end known it
 * is said that it was looked up. */
static __always_inline void set_method_tuple(struct sonde_socket_owner *owner, int connected)
{
	if (!connected && owner->method != SONDE_METHOD_NONE)
		owner->method = SONDE_METHOD_TUPLE;
}

/* A listener takes nothing but the opening of connections; its own answer to anything else is a reset. */
static __always_inline int is_tcp_taken(struct __sk_buff *ctx, const struct sonde_packet_event *event,
					const struct bpf_sock *socket)
{
	if (socket->state != TCP_LISTEN_STATE)
		return 1;
	return (event->tcp_flags & (TCP_FLAG_SYN | TCP_FLAG_ACK)) == TCP_FLAG_SYN && !is_forwarded(ctx, event);
}

/* 1: a socket of this host takes the packet. The size of a tuple must be a constant for the verifier. */
static __always_inline int read_tcp_receiver(struct __sk_buff *ctx, struct scratch *scratch)
{
	struct bpf_sock_tuple tuple = {};
	__u32 size = make_tuple(&scratch->event, &tuple);
	struct bpf_sock *socket = 0;
	int taken;

	if (size == sizeof(tuple.ipv4))
		socket = bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	else if (size)
		socket = bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	if (!socket)
		return 0;
	taken = is_tcp_taken(ctx, &scratch->event, socket);
	if (taken) {
		int connected = socket->state != TCP_LISTEN_STATE;

		read_any_owner(scratch, socket);
		set_method_tuple(&scratch->owner, connected);
	}
	bpf_sk_release(socket);
	return taken;
}

/* Likewise. Here the helper gives a full socket, which is another type for the verifier. */
static __always_inline int read_udp_receiver(struct __sk_buff *ctx, struct scratch *scratch)
{
	struct bpf_sock_tuple tuple = {};
	__u32 size = make_tuple(&scratch->event, &tuple);
	struct bpf_sock *socket = 0;
	int taken;

	if (size == sizeof(tuple.ipv4))
		socket = bpf_sk_lookup_udp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	else if (size)
		socket = bpf_sk_lookup_udp(ctx, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	if (!socket)
		return 0;
	taken = socket->dst_port || !is_forwarded(ctx, &scratch->event);
	if (taken) {
		int connected = socket->dst_port != 0;

		read_socket_owner(scratch, socket);
		set_method_tuple(&scratch->owner, connected);
	}
	bpf_sk_release(socket);
	return taken;
}

static __always_inline int read_receiver(struct __sk_buff *ctx, struct scratch *scratch)
{
	const struct sonde_packet_event *event = &scratch->event;

	if (ctx->pkt_type != PACKET_FOR_THIS_HOST || !(event->flags & SONDE_PACKET_PORTS))
		return 0;
	if (event->protocol == SONDE_IP_TCP)
		return read_tcp_receiver(ctx, scratch);
	return event->protocol == SONDE_IP_UDP && read_udp_receiver(ctx, scratch);
}

/* A global function: the verifier goes through it once. The event of the packet is in the scratch memory. */
__attribute__((noinline)) int find_owner(struct __sk_buff *ctx)
{
	struct scratch *scratch = get_scratch();

	if (scratch && (scratch->event.direction == SONDE_DIRECTION_OUT || !read_receiver(ctx, scratch)))
		read_sender(ctx, scratch);
	return 0;
}

/* XDP runs before there is an skb, and cannot read what is kept with a socket. */
static __always_inline void find_packet_owner(const struct hook_packet *packet)
{
	if (packet->is_xdp)
		sonde_no_owner(&packet->scratch->owner, SONDE_REASON_NOT_TRACKED);
	else
		find_owner(packet->context);
}

/* 0: the owner filter leaves the packet out, counted. An unknown owner is nobody whom the filter names. */
static __always_inline int is_owner_wanted(const struct sonde_socket_owner *owner, struct sonde_counters *counters)
{
	int known = owner->method != SONDE_METHOD_NONE;

	if (!sonde_owner_filtered || (known && sonde_owner_wanted(owner)))
		return 1;
	counters->filtered++;
	if (!known)
		counters->unowned++;
	return 0;
}

#endif
