/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The routes of rewritten packets: those that a socket of this host would take. */
#ifndef SONDE_PROXY_WIRE_ROUTE_H
#define SONDE_PROXY_WIRE_ROUTE_H

#include "wire_packet.h"

enum {
	FAMILY_IPV4 = 2,
	FAMILY_IPV6 = 10,
	LOOPBACK_IFINDEX = 1,
};

static __always_inline void set_lookup(struct bpf_fib_lookup *lookup, const struct sonde_wire_side_state *side,
				       __u16 length)
{
	__builtin_memset(lookup, 0, sizeof(*lookup));
	lookup->l4_protocol = IP_TCP;
	lookup->sport = side->source_port;
	lookup->dport = side->destination_port;
	lookup->tot_len = length;
	/* As if the packet came from this host itself. */
	lookup->ifindex = LOOPBACK_IFINDEX;
	if (side->flags & SONDE_WIRE_TO_IPV6) {
		lookup->family = FAMILY_IPV6;
		__builtin_memcpy(lookup->ipv6_src, side->source, 16);
		__builtin_memcpy(lookup->ipv6_dst, side->destination, 16);
	} else {
		lookup->family = FAMILY_IPV4;
		lookup->ipv4_src = side->source[3];
		lookup->ipv4_dst = side->destination[3];
	}
}

/*
 * Sets ifindex and mtu of the side. Two questions: bpf_fib_lookup() tells the MTU of the route, with what ICMP has made
 * of it, only of a packet that is too long for it. The neighbour is bpf_redirect_neigh()'s. Not static: verified once.
 */
__noinline int find_route(struct __sk_buff *skb, struct sonde_wire_side_state *side)
{
	struct bpf_fib_lookup lookup;
	long answer;

	if (!side)
		return 0;
	set_lookup(&lookup, side, 0);
	answer = bpf_fib_lookup(skb, &lookup, sizeof(lookup), 0);
	if (answer != BPF_FIB_LKUP_RET_SUCCESS && answer != BPF_FIB_LKUP_RET_NO_NEIGH &&
	    answer != BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return 0;
	if (lookup.ifindex == LOOPBACK_IFINDEX)
		return 0;
	side->ifindex = lookup.ifindex;
	set_lookup(&lookup, side, 0xffff);
	answer = bpf_fib_lookup(skb, &lookup, sizeof(lookup), 0);
	side->mtu = answer == BPF_FIB_LKUP_RET_FRAG_NEEDED ? lookup.mtu_result : 0;
	return 1;
}

/* Once a second. A route that is gone for a moment leaves the one before: the neighbour will say so. */
static __always_inline void refresh_route(struct __sk_buff *skb, struct sonde_wire_side_state *side, __u64 now)
{
	__u32 seconds = now / 1000000000;

	if (side->route_checked == seconds)
		return;
	side->route_checked = seconds;
	find_route(skb, side);
}

#endif
