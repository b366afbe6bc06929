// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Drops TCP packets to the proxy's listeners whose source is not on the list of clients. Everything else passes: other
 * ports and protocols, fragments, what is malformed, what is for other hosts.
 *
 * Replies to connections that this host opens are never taken for packets to a listener: connect() does not choose a
 * local port that a bind() holds on any address (__inet_hash_connect(), net/ipv4/inet_hashtables.c), and a socket bound
 * to the same port on purpose (SO_REUSEPORT, same user) whose connection stands is found before a packet is dropped.
 * Nor are packets of connections that stood before their client was taken off the list. What remains is a host that
 * masquerades for others from a port that it listens on itself: such a port is not to be in their ephemeral range.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "client_filter.abi.h"
#include "guard_packet.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum {
	READ_SIZE = ETHERNET_SIZE + 2 * VLAN_SIZE + IPV6_SIZE, /* most that read_addresses() looks at */
	FAMILY_IPV4 = 2,                                       /* AF_INET, AF_INET6 */
	FAMILY_IPV6 = 10,
	STATE_LISTEN = 10, /* TCP_LISTEN, include/net/tcp_states.h */
};

struct whitelist {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SONDE_CLIENT_FILTER_ENTRIES);
	__type(key, struct sonde_client_filter_key);
	__type(value, __u32); /* enum sonde_client_filter_entry */
};

struct whitelist IP_WHITELIST SEC(".maps");
struct whitelist ip_filter_spare SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct whitelist);
} ip_filter_active SEC(".maps") = {.values = {&IP_WHITELIST}};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sonde_client_filter_ports);
} ip_filter_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sonde_client_filter_counts);
} ip_filter_counts SEC(".maps");

/* Hooks of the network path run with bottom halves off, so there is one program at a time on a CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct guard_packet);
} ip_filter_scratch SEC(".maps");

static __always_inline int is_ipv4(const struct guard_packet *packet)
{
	return packet->family == SONDE_GUARD_FAMILY4;
}

/* Value of the longest entry that covers the address; 0: none. */
static __always_inline __u32 find_entry(void *list, const struct guard_packet *packet, const __u32 *address, __u16 port)
{
	struct sonde_client_filter_key key = {.prefix = SONDE_CLIENT_FILTER_HEAD_BITS + 128, .port = port};
	__u32 *words = (__u32 *)key.address;
	__u32 *found;

	key.family = is_ipv4(packet) ? 4 : 6;
	words[0] = is_ipv4(packet) ? 0 : address[0];
	words[1] = is_ipv4(packet) ? 0 : address[1];
	words[2] = is_ipv4(packet) ? bpf_htonl(0xffff) : address[2];
	words[3] = address[3];
	found = bpf_map_lookup_elem(list, &key);
	return found ? *found : 0;
}

static __always_inline int is_listen_port(__u16 port)
{
	const struct sonde_client_filter_ports *ports;
	__u32 zero = 0;

	ports = bpf_map_lookup_elem(&ip_filter_ports, &zero);
	return ports && ports->words[port / 64] >> port % 64 & 1;
}

/* A TCP packet that is no fragment. */
static __always_inline int is_segment(struct guard_run *run, int hook)
{
	struct guard_packet *packet = run->packet;

	if (!packet->family || (is_ipv4(packet) && packet->protocol != IP_TCP))
		return 0;
	read_transport(run, hook);
	return packet->protocol == IP_TCP && packet->flags & PACKET_PORTS &&
	       !(packet->flags & (PACKET_MORE_FRAGMENTS | PACKET_LATER_FRAGMENT | PACKET_MALFORMED));
}

/* Some socket has this connection already. */
static __always_inline int is_connected(struct guard_run *run)
{
	const struct guard_packet *packet = run->packet;
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *socket;
	__u32 state;

	if (is_ipv4(packet)) {
		tuple.ipv4.saddr = packet->source[3];
		tuple.ipv4.daddr = packet->destination[3];
		tuple.ipv4.sport = bpf_htons(packet->source_port);
		tuple.ipv4.dport = bpf_htons(packet->destination_port);
		socket = bpf_skc_lookup_tcp(run->context, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, packet->source, sizeof(tuple.ipv6.saddr));
		__builtin_memcpy(tuple.ipv6.daddr, packet->destination, sizeof(tuple.ipv6.daddr));
		tuple.ipv6.sport = bpf_htons(packet->source_port);
		tuple.ipv6.dport = bpf_htons(packet->destination_port);
		socket = bpf_skc_lookup_tcp(run->context, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	}
	if (!socket)
		return 0;
	state = socket->state;
	bpf_sk_release(socket);
	return state != STATE_LISTEN;
}

/* This host routes it to another, which may well have a server of its own on that port. */
static __always_inline int is_forwarded(struct guard_run *run)
{
	const struct guard_packet *packet = run->packet;
	struct bpf_fib_lookup route = {};

	route.family = is_ipv4(packet) ? FAMILY_IPV4 : FAMILY_IPV6;
	route.l4_protocol = IP_TCP;
	route.sport = bpf_htons(packet->source_port);
	route.dport = bpf_htons(packet->destination_port);
	route.ifindex = packet->ifindex;
	if (is_ipv4(packet)) {
		route.ipv4_src = packet->source[3];
		route.ipv4_dst = packet->destination[3];
	} else {
		__builtin_memcpy(route.ipv6_src, packet->source, sizeof(route.ipv6_src));
		__builtin_memcpy(route.ipv6_dst, packet->destination, sizeof(route.ipv6_dst));
	}
	switch (bpf_fib_lookup(run->context, &route, sizeof(route), 0)) {
	case BPF_FIB_LKUP_RET_SUCCESS:
	case BPF_FIB_LKUP_RET_UNSUPP_LWT:
	case BPF_FIB_LKUP_RET_NO_NEIGH:
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		return 1;
	default:
		return 0;
	}
}

static __always_inline __u64 *judge(struct guard_run *run, int hook, struct sonde_client_filter_counts *counts)
{
	const struct guard_packet *packet = run->packet;
	__u32 zero = 0, listener;
	void *list;

	if (!is_segment(run, hook) || !is_listen_port(packet->destination_port))
		return &counts->others;
	list = bpf_map_lookup_elem(&ip_filter_active, &zero);
	if (!list)
		return &counts->others;
	listener = find_entry(list, packet, packet->destination, bpf_htons(packet->destination_port));
	if (!listener)
		return &counts->others;
	if (find_entry(list, packet, packet->source, 0) || is_connected(run))
		return &counts->passed;
	if (listener == SONDE_CLIENT_FILTER_WILDCARD && is_forwarded(run))
		return &counts->others;
	return &counts->dropped;
}

static __always_inline struct guard_packet *begin(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&ip_filter_scratch, &zero);
}

/* 1: drop it. */
static __always_inline int filter(void *context, struct guard_packet *packet, int hook)
{
	struct guard_run run = {.context = context, .packet = packet};
	struct sonde_client_filter_counts *counts;
	__u32 zero = 0;
	__u64 *count;

	counts = bpf_map_lookup_elem(&ip_filter_counts, &zero);
	if (!counts)
		return 0;
	count = judge(&run, hook, counts);
	*count += packet->packets;
	return count == &counts->dropped;
}

SEC("sonde/xdp")
int xdp_ip_filter(struct xdp_md *context)
{
	struct guard_packet *packet = begin();

	if (!packet)
		return XDP_PASS;
	packet->size = bpf_xdp_get_buff_len(context);
	packet->packets = 1;
	packet->ifindex = context->ingress_ifindex;
	packet->raw = 0;
	read_addresses(packet, (void *)(long)context->data, (void *)(long)context->data_end);
	return filter(context, packet, GUARD_XDP) ? XDP_DROP : XDP_PASS;
}

/* Headers that are not in the linear part are fetched there. */
static __always_inline int filter_tc(struct __sk_buff *context, __u8 raw)
{
	struct guard_packet *packet = begin();
	__u32 wanted;

	if (!packet)
		return TC_ACT_UNSPEC;
	packet->size = context->len;
	packet->packets = context->gso_segs > 1 ? context->gso_segs : 1;
	packet->ifindex = context->ifindex;
	packet->raw = raw;
	if (!read_addresses(packet, (void *)(long)context->data, (void *)(long)context->data_end) &&
	    context->data_end - context->data < context->len) {
		wanted = context->len < READ_SIZE ? context->len : READ_SIZE;
		if (!bpf_skb_pull_data(context, wanted))
			read_addresses(packet, (void *)(long)context->data, (void *)(long)context->data_end);
	}
	return filter(context, packet, GUARD_TC) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

SEC("sonde/tc")
int tc_ip_filter(struct __sk_buff *context)
{
	return filter_tc(context, 0);
}

SEC("sonde/tc")
int tc_ip_filter_raw(struct __sk_buff *context)
{
	return filter_tc(context, 1);
}
