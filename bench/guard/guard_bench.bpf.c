// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What `./dev bench guard` sends with and compares with: frames whose IPv4 source is another one each time, a program
 * that does nothing, and a filter of single addresses by a hash map, as xdp-filter has it, that holds more of them.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 ifindex = 0;
const volatile __u32 rules = 0;      /* sources are those of the first so many rules; 0: any address */
const volatile __u32 multiplier = 1; /* rule i is for address i * multiplier */

__u64 state = 88172645463325252ULL; /* one CPU runs these programs */

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1);
	__type(key, __be32);
	__type(value, __u64);
} addresses SEC(".maps");

struct datarec {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, XDP_REDIRECT + 1);
	__type(key, __u32);
	__type(value, struct datarec);
} statistics SEC(".maps");

/* xorshift64 (Marsaglia 2003) */
static __always_inline __u32 next_random(void)
{
	__u64 x = state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	state = x;
	return x >> 32;
}

static __always_inline int set_source(struct xdp_md *context)
{
	void *data = (void *)(long)context->data;
	void *end = (void *)(long)context->data_end;
	struct iphdr *header = data + sizeof(struct ethhdr);
	__u32 number = next_random();

	if ((void *)(header + 1) > end)
		return -1;
	if (rules)
		number = (__u32)((__u64)number * rules >> 32) * multiplier;
	header->saddr = bpf_htonl(number);
	return 0;
}

SEC("sonde/xdp")
int send_frame(struct xdp_md *context)
{
	if (set_source(context))
		return XDP_ABORTED;
	return bpf_redirect(ifindex, 0);
}

SEC("sonde/xdp")
int run_target(struct xdp_md *context)
{
	if (set_source(context))
		return XDP_ABORTED;
	bpf_tail_call(context, &target, 0);
	return XDP_ABORTED;
}

SEC("sonde/xdp")
int empty_pass(struct xdp_md *context)
{
	return XDP_PASS;
}

SEC("sonde/xdp")
int empty_drop(struct xdp_md *context)
{
	return XDP_DROP;
}

/* Two tags at most, the source address, counters of the address and of the action. */
SEC("sonde/xdp")
int hash_filter(struct xdp_md *context)
{
	__u8 *data = (void *)(long)context->data;
	__u8 *end = (void *)(long)context->data_end;
	__u8 *network = data + sizeof(struct ethhdr);
	__u32 action = XDP_PASS;
	struct iphdr *header;
	struct datarec *total;
	__u64 *hits;
	__be16 type;
	int i;

	if (network > end)
		return XDP_PASS;
	type = *(__be16 *)(data + 12);
#pragma clang loop unroll(full)
	for (i = 0; i < 2; i++) {
		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		if (network + 4 > end)
			return XDP_PASS;
		type = *(__be16 *)(network + 2);
		network += 4;
	}
	header = (void *)network;
	if (type == bpf_htons(ETH_P_IP) && (void *)(header + 1) <= (void *)end) {
		hits = bpf_map_lookup_elem(&addresses, &header->saddr);
		if (hits) {
			(*hits)++;
			action = XDP_DROP;
		}
	}
	total = bpf_map_lookup_elem(&statistics, &action);
	if (total) {
		total->packets++;
		total->bytes += end - data;
	}
	return action;
}
