// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Stands in for forward_packet and forward_raw_packet: counts packets by interface.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

enum { INTERFACES = 64 };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, INTERFACES);
	__type(key, __u32);
	__type(value, __u64);
} HITS SEC(".maps"), RAW_HITS SEC(".maps");

static __always_inline int count(void *map, struct __sk_buff *skb)
{
	__u32 interface = skb->ifindex;
	__u64 *hits = bpf_map_lookup_elem(map, &interface);

	if (hits)
		__sync_fetch_and_add(hits, 1);
	return TC_ACT_UNSPEC;
}

SEC("sonde/tc")
int count_packet(struct __sk_buff *skb)
{
	return count(&HITS, skb);
}

SEC("sonde/tc")
int count_raw_packet(struct __sk_buff *skb)
{
	return count(&RAW_HITS, skb);
}

SEC("sonde/tc")
int drop_packet(struct __sk_buff *skb)
{
	return TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
