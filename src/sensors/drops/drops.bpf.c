// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Drops sensor: each packet that the kernel frees in error, in all network namespaces, with reason, place and owner.
 *
 * The packet's socket is the one that refused it (rx_sk, Linux 6.11) or the one that it belongs to (skb->sk: the
 * sender's, or the receiver's where it was found early). What has neither is looked up by user space, by
 * sonde_find_socket.
 */
#include "kernel.h"
#include <linux/pkt_cls.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "parse.h"
#include "match.h"
#include "nested.h"
#include "compat.h"
#include "emit_event.h"
#include "owner.h"
#include "socket.h"
#include "drops.abi.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 sonde_has_rx_sk = 0;  /* the tracepoint's fourth argument is there */
const volatile __u32 sonde_has_fields = 0; /* filter is to be asked */
const volatile struct sonde_filter filter = {};
const volatile __u8 sonde_reasons[SONDE_DROP_REASONS] = {}; /* enum sonde_reason_trait bits by drop reason */

enum {
	FAMILY_UNSPECIFIED = 0, /* the socket of BPF_PROG_TEST_RUN */
	FAMILY_UNIX = 1,
	FAMILY_NETLINK = 16,
	STATE_TIME_WAIT = 6,
	STATE_NEW_SYN_RECV = 12, /* a request socket; higher numbers are no state of a socket */
	ARPHRD_ETHERNET = 1,
	ARPHRD_LOOPBACK_DEVICE = 772,
	NOT_SET = 0xffff,
};

/*
 * Working memory of the CPU's running program: a tracing program does not interrupt itself. The bytes are followed by
 * as many as the parser could address if there were more, because the verifier does not see that it stops at their end.
 */
struct scratch {
	struct sonde_drop_event drop;
	struct sonde_packet_event event;
	struct sonde_progress progress;
	__u8 bytes[SONDE_MAX_HEADERS_SIZE + 64];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2); /* of the program and of its double, which may interrupt it */
	__type(key, __u32);
	__type(value, struct scratch);
} sonde_drop_scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct sonde_lost_drop);
	__type(value, __u64);
} sonde_lost_drops SEC(".maps");

static __always_inline struct scratch *get_scratch(__u32 nested)
{
	return bpf_map_lookup_elem(&sonde_drop_scratch, &nested);
}

static __always_inline int is_kernel_address(__u64 address)
{
	return address >> 56 == 0xff;
}

/*
 * skb->dev shares its place with a size (UDP receive queue) and with a tree's node (TCP queue), so it is believed only
 * when it leads to a namespace whose loopback device is in that very namespace. 0: there is no device.
 */
static __always_inline __u64 believed_device(__u64 address)
{
	struct net_device *device = (void *)address, *loopback;
	struct net *net;

	if (!is_kernel_address(address))
		return 0;
	net = BPF_CORE_READ(device, nd_net.net);
	if (!is_kernel_address((__u64)net))
		return 0;
	loopback = BPF_CORE_READ(net, loopback_dev);
	if (!is_kernel_address((__u64)loopback) || BPF_CORE_READ(loopback, nd_net.net) != net)
		return 0;
	return address;
}

/* TCP takes the device off a packet that it receives; the route that led it there still has one of the namespace. */
static __always_inline __u32 namespace_of_route(struct sk_buff *skb)
{
	struct dst_entry *route = (void *)(skb->_skb_refdst & ~1UL);
	__u64 device = 0;

	if (is_kernel_address((__u64)route))
		device = believed_device((__u64)BPF_CORE_READ(route, dev));
	return device ? BPF_CORE_READ((struct net_device *)device, nd_net.net, ns.inum) : 0;
}

static __always_inline int is_full_socket(struct sock *sk)
{
	__u8 state = sk->__sk_common.skc_state;

	return state && state < STATE_NEW_SYN_RECV && state != STATE_TIME_WAIT;
}

/*
 * Is the socket one that packets of a network belong to? Not those of netlink and unix(7), nor the one that
 * BPF_PROG_TEST_RUN makes up, which has no protocol.
 */
static __always_inline int is_network_socket(struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family;

	if (family == FAMILY_UNSPECIFIED || family == FAMILY_UNIX || family == FAMILY_NETLINK)
		return 0;
	if ((family == SONDE_AF_INET || family == SONDE_AF_INET6) && is_full_socket(sk))
		return sk->sk_protocol != 0;
	return 1;
}

/* Linux before 6.9 keeps the offset of a fragment in the place of skb->sk: no pointer. */
static __always_inline struct sock *socket_of(struct sk_buff *skb)
{
	__u64 address = 0;

	bpf_core_read(&address, sizeof(address), &skb->sk);
	return is_kernel_address(address) ? skb->sk : 0;
}

static __always_inline void read_owner(struct sonde_drop_event *drop, struct sock *sk)
{
	if (sk->__sk_common.skc_state == STATE_TIME_WAIT) {
		sonde_no_owner(&drop->owner, SONDE_REASON_TIME_WAIT);
		return;
	}
	if (!is_full_socket(sk))
		return;
	sonde_read_owner(&drop->owner, sk, sk->__sk_common.skc_cookie.counter);
	if (!drop->owner.method && sk->sk_kern_sock)
		drop->owner.reason = SONDE_REASON_KERNEL;
	if (!drop->network_namespace)
		drop->network_namespace = sk->__sk_common.skc_net.net->ns.inum;
	if (drop->start == SONDE_START_NONE)
		sonde_read_socket(&drop->socket, sk, sk->__sk_common.skc_cookie.counter);
}

/* Does an Ethernet header stand at mac_header? It may be left from an interface the packet came through before. */
static __always_inline int has_ethernet_header(struct sk_buff *skb, __u64 device, __u32 data)
{
	__u32 mac = skb->mac_header, distance = skb->network_header - mac;
	__u16 type = device ? BPF_CORE_READ((struct net_device *)device, type) : (__u16)ARPHRD_ETHERNET;

	if (mac == NOT_SET || (type != ARPHRD_ETHERNET && type != ARPHRD_LOOPBACK_DEVICE))
		return 0;
	if (distance == 14 || distance == 18 || distance == 22)
		return 1;
	/* received, and the network header is not found yet */
	return skb->network_header <= mac && data == mac + 14;
}

static __always_inline int has_network_header(struct sk_buff *skb)
{
	return skb->protocol && skb->network_header && skb->network_header != NOT_SET;
}

/* Fills start, packet_size and captured_size; returns where the bytes are. */
static __always_inline __u64 find_headers(struct sonde_drop_event *drop, struct sk_buff *skb, __u64 device)
{
	__u32 data = (__u64)skb->data - (__u64)skb->head, end = data + skb->len;
	__u32 linear_end = end - skb->data_len, start, captured;

	if (has_ethernet_header(skb, device, data)) {
		drop->start = SONDE_START_ETHERNET;
		start = skb->mac_header;
	} else if (has_network_header(skb)) {
		drop->start = SONDE_START_NETWORK;
		start = skb->network_header;
	} else {
		drop->start = SONDE_START_NONE;
		drop->packet_size = skb->len;
		return 0;
	}
	drop->packet_size = end > start ? end - start : 0;
	captured = linear_end > start ? linear_end - start : 0;
	drop->captured_size = captured < SONDE_DROP_BYTES ? captured : SONDE_DROP_BYTES;
	return (__u64)skb->head + start;
}

static __always_inline __u8 find_direction(struct sk_buff *skb, __u32 reason, __u32 device_ifindex)
{
	__u8 traits = reason < SONDE_DROP_REASONS ? sonde_reasons[reason] : 0;

	if (traits & (SONDE_REASON_RECEIVED | SONDE_REASON_SENT))
		return traits & SONDE_REASON_SENT ? SONDE_DIRECTION_OUT : SONDE_DIRECTION_IN;
	if (!skb->skb_iif || (device_ifindex && device_ifindex != (__u32)skb->skb_iif))
		return SONDE_DIRECTION_OUT;
	return SONDE_DIRECTION_IN;
}

static __always_inline void read_device(struct sonde_drop_event *drop, struct sk_buff *skb, __u64 device)
{
	struct net_device *from = (void *)device;

	if (!device) {
		drop->header.ifindex = skb->skb_iif;
		drop->network_namespace = namespace_of_route(skb);
		return;
	}
	drop->header.ifindex = BPF_CORE_READ(from, ifindex);
	drop->network_namespace = BPF_CORE_READ(from, nd_net.net, ns.inum);
	bpf_core_read(drop->interface, sizeof(drop->interface), &from->name);
}

static __always_inline void read_packet(struct sonde_drop_event *drop, struct sk_buff *skb, __u64 device)
{
	struct skb_shared_info *shared = (void *)((__u64)skb->head + skb->end);
	__u64 bytes = find_headers(drop, skb, device);
	__u32 size = drop->captured_size;

	drop->segments = BPF_CORE_READ(shared, gso_segs);
	drop->copied = BPF_CORE_READ_BITFIELD_PROBED(skb, cloned);
	if (sonde_packet_has_tag(skb)) {
		drop->tag_tpid = __builtin_bswap16(skb->vlan_proto);
		drop->tag_tci = skb->vlan_tci;
	}
	asm volatile("%0 &= 255" : "+r"(size)); /* the verifier does not learn this bound from a comparison */
	if (size && bpf_probe_read_kernel(drop->bytes, size, (void *)bytes))
		drop->captured_size = 0;
}

/* A global function: the verifier goes through it once. */
__attribute__((noinline)) int sonde_parse_drop(int link, __u32 nested)
{
	struct scratch *scratch = get_scratch(nested);
	struct sonde_bytes bytes;

	if (!scratch || scratch->drop.captured_size > SONDE_DROP_BYTES)
		return 0;
	bytes.data = scratch->bytes;
	bytes.end = scratch->bytes + scratch->drop.captured_size;
	bytes.wire = scratch->drop.packet_size;
	bytes.progress = &scratch->progress;
	sonde_parse(&bytes, link, &scratch->event);
	return 1;
}

static __always_inline int matches_fields(struct scratch *scratch, __u32 nested)
{
	struct sonde_drop_event *drop = &scratch->drop;

	if (!sonde_has_fields || drop->start == SONDE_START_NONE) /* user space fills in and judges the latter */
		return 1;
	__builtin_memset(&scratch->event, 0, sizeof(scratch->event));
	__builtin_memcpy(scratch->bytes, drop->bytes, SONDE_DROP_BYTES);
	scratch->event.direction = drop->direction;
	scratch->progress.tag_tpid = drop->tag_tpid;
	scratch->progress.tag_tci = drop->tag_tci;
	sonde_parse_drop(drop->start == SONDE_START_NETWORK ? SONDE_LINK_RAW_IP : SONDE_LINK_ETHERNET, nested);
	return sonde_filter_matches(&filter, &scratch->event);
}

static __always_inline void count_lost(const struct sonde_drop_event *drop)
{
	struct sonde_lost_drop key = {.location = drop->location, .reason = drop->reason};
	__u64 one = 1, *count = bpf_map_lookup_elem(&sonde_lost_drops, &key);

	if (!count && bpf_map_update_elem(&sonde_lost_drops, &key, &one, BPF_NOEXIST))
		count = bpf_map_lookup_elem(&sonde_lost_drops, &key);
	else if (!count)
		return;
	if (count)
		__sync_fetch_and_add(count, 1);
}

static __always_inline void emit(const struct sonde_drop_event *drop, struct sonde_counters *counters)
{
	struct sonde_drop_event *record = sonde_reserve_event(sizeof(*record), SONDE_EVENT_DROP, counters);
	struct sonde_event_header header;

	if (!record) {
		count_lost(drop);
		return;
	}
	header = record->header;
	header.ifindex = drop->header.ifindex;
	*record = *drop;
	record->header = header;
	sonde_submit_event(record, counters);
}

static __always_inline void read_drop(struct sonde_drop_event *drop, struct sk_buff *skb, struct sock *receiver)
{
	__u64 device = 0;
	struct sock *sk;

	bpf_core_read(&device, sizeof(device), &skb->dev);
	device = believed_device(device);
	read_device(drop, skb, device);
	read_packet(drop, skb, device);
	drop->direction = find_direction(skb, drop->reason, device ? drop->header.ifindex : 0);
	drop->forwarded = drop->direction == SONDE_DIRECTION_OUT && skb->skb_iif;
	sonde_no_owner(&drop->owner, SONDE_REASON_NO_SOCKET);
	if (receiver) {
		read_owner(drop, receiver);
		return;
	}
	sk = socket_of(skb);
	if (sk)
		read_owner(drop, sk);
}

static __always_inline int is_network_packet(struct sk_buff *skb, struct sock *receiver)
{
	struct sock *sk;

	if (receiver)
		return is_network_socket(receiver);
	sk = socket_of(skb);
	return sk ? is_network_socket(sk) : skb->protocol != 0;
}

static __always_inline int handle_drop(unsigned long long *ctx, __u32 nested)
{
	struct sk_buff *skb = (void *)ctx[0];
	struct sock *receiver = sonde_has_rx_sk ? (struct sock *)ctx[3] : 0;
	struct sonde_counters *counters = sonde_counters();
	struct scratch *scratch = get_scratch(nested);
	__u32 number = ctx[2];

	if (!counters || !scratch)
		return 0;
	sonde_count(counters->taken);
	if ((number < SONDE_DROP_REASONS && sonde_reasons[number] & SONDE_REASON_NORMAL) ||
	    !is_network_packet(skb, receiver)) {
		sonde_count(counters->filtered);
		return 0;
	}
	__builtin_memset(&scratch->drop, 0, sizeof(scratch->drop));
	scratch->drop.location = ctx[1];
	scratch->drop.reason = number;
	read_drop(&scratch->drop, skb, receiver);
	if (!sonde_owner_wanted(&scratch->drop.owner) || !matches_fields(scratch, nested)) {
		sonde_count(counters->filtered);
		return 0;
	}
	emit(&scratch->drop, counters);
	return 0;
}

static __always_inline __u64 location(unsigned long long *ctx)
{
	return ctx[1];
}

static __always_inline int drop(unsigned long long *ctx)
{
	return handle_drop(ctx, 0);
}

static __always_inline int nested_drop(unsigned long long *ctx)
{
	return handle_drop(ctx, 1);
}
SONDE_TWICE(sonde_drop, "tp_btf/kfree_skb", 0, location, drop, nested_drop)

static __always_inline struct bpf_sock *find_socket(struct __sk_buff *ctx, const struct sonde_tuple *tuple)
{
	struct bpf_sock_tuple key = {};
	__u32 size = tuple->ipv4 ? sizeof(key.ipv4) : sizeof(key.ipv6);

	if (tuple->ipv4) {
		__builtin_memcpy(&key.ipv4.saddr, tuple->remote_address + 12, 4);
		__builtin_memcpy(&key.ipv4.daddr, tuple->local_address + 12, 4);
		key.ipv4.sport = tuple->remote_port;
		key.ipv4.dport = tuple->local_port;
	} else {
		__builtin_memcpy(key.ipv6.saddr, tuple->remote_address, 16);
		__builtin_memcpy(key.ipv6.daddr, tuple->local_address, 16);
		key.ipv6.sport = tuple->remote_port;
		key.ipv6.dport = tuple->local_port;
	}
	if (tuple->protocol == SONDE_IP_TCP)
		return bpf_sk_lookup_tcp(ctx, &key, size, BPF_F_CURRENT_NETNS, 0);
	return bpf_sk_lookup_udp(ctx, &key, size, BPF_F_CURRENT_NETNS, 0);
}

static __always_inline int is_connected(const struct bpf_sock *socket, __u8 protocol)
{
	return protocol == SONDE_IP_TCP ? socket->state != BPF_TCP_LISTEN : socket->state == BPF_TCP_ESTABLISHED;
}

/* By way of memory, because the verifier keeps this program type from reading more of a socket than struct bpf_sock
 * has. */
static __always_inline __u64 cookie_of(struct bpf_sock *const *socket)
{
	struct sock *sk = 0;

	if (bpf_probe_read_kernel(&sk, sizeof(sk), socket))
		return 0;
	return BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
}

/*
 * Never attached: BPF_PROG_TEST_RUN in the packet's network namespace. The frame is an empty Ethernet header, struct
 * sonde_tuple, and room for struct sonde_tuple_answer.
 */
SEC("tc")
int sonde_find_socket(struct __sk_buff *ctx)
{
	enum { TUPLE_OFFSET = 14, ANSWER_OFFSET = TUPLE_OFFSET + sizeof(struct sonde_tuple) };
	struct sonde_tuple_answer answer = {};
	struct sonde_tuple tuple;
	struct bpf_sock *socket;

	if (bpf_skb_load_bytes(ctx, TUPLE_OFFSET, &tuple, sizeof(tuple)))
		return TC_ACT_OK;
	socket = find_socket(ctx, &tuple);
	if (!socket)
		return TC_ACT_OK;
	answer.found = !tuple.exact || is_connected(socket, tuple.protocol);
	sonde_read_owner(&answer.owner, socket, sonde_owner_store == SONDE_STORE_COOKIE ? cookie_of(&socket) : 0);
	bpf_sk_release(socket);
	bpf_skb_store_bytes(ctx, ANSWER_OFFSET, &answer, sizeof(answer), 0);
	return TC_ACT_OK;
}
