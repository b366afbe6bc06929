// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What the table of flows is compared with: the same parser and the same counters in hash maps of the kernel's, and the
 * parser alone. Every packet is dropped. change_source makes every packet of a test run one of another flow.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "flow.h"
#include "sensors/packets/plain_packet.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct sonde_flow_key);
	__type(value, struct sonde_flow);
} flows_lru SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct sonde_flow_key);
	__type(value, struct sonde_flow);
} flows_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1);
	__type(key, struct sonde_flow_key);
	__type(value, struct sonde_flow);
} flows_per_cpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sonde_flow);
} fresh SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} taken SEC(".maps");

static __always_inline int parse(struct xdp_md *ctx, struct sonde_flow_key *key, struct sonde_flow_packet *packet)
{
	__u32 zero = 0, payload_offset;
	__u64 *count = bpf_map_lookup_elem(&taken, &zero);

	if (count)
		*count += 1;
	return take_plain_packet(ctx, ctx->ingress_ifindex, key, packet, &payload_offset);
}

static __always_inline void count(void *map, const struct sonde_flow_key *key, const struct sonde_flow_packet *packet)
{
	struct sonde_flow *flow = bpf_map_lookup_elem(map, key);
	__u32 zero = 0;

	if (!flow) {
		flow = bpf_map_lookup_elem(&fresh, &zero);
		if (!flow)
			return;
		sonde_flow_start(flow, packet, bpf_ktime_get_ns());
		flow->key = *key;
		bpf_map_update_elem(map, key, flow, BPF_NOEXIST);
		flow = bpf_map_lookup_elem(map, key);
		if (!flow)
			return;
	}
	sonde_flow_update(flow, packet, bpf_ktime_get_coarse_ns());
}

#define TABLE(name, map)                                                                                               \
	SEC("sonde/xdp")                                                                                               \
	int name(struct xdp_md *ctx)                                                                                   \
	{                                                                                                              \
		struct sonde_flow_key key __attribute__((aligned(8)));                                                 \
		struct sonde_flow_packet packet;                                                                       \
                                                                                                                       \
		if (parse(ctx, &key, &packet))                                                                         \
			count(&map, &key, &packet);                                                                    \
		return XDP_DROP;                                                                                       \
	}
TABLE(table_lru, flows_lru)
TABLE(table_hash, flows_hash)
TABLE(table_per_cpu, flows_per_cpu)

/* The key must be used for something. */
__u64 sink;

SEC("sonde/xdp")
int table_none(struct xdp_md *ctx)
{
	struct sonde_flow_key key __attribute__((aligned(8)));
	struct sonde_flow_packet packet;

	if (parse(ctx, &key, &packet) && sonde_flow_hash(&key, 1) == 1)
		sink = packet.size;
	return XDP_DROP;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

const volatile __u32 flows = 1;
__u64 random = 0x9e3779b97f4a7c15ULL;

/* The flows come in no order: in turn, they would lie in the elements of an LRU map one behind the other. */
SEC("sonde/xdp")
int change_source(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 flow;

	if (data + 38 > end)
		return XDP_ABORTED;
	random ^= random << 13; /* Marsaglia's xorshift */
	random ^= random >> 7;
	random ^= random << 17;
	flow = ((random >> 32) * flows) >> 32;
	*(__u32 *)(data + 26) = bpf_htonl(0x0a000000 + flow);
	bpf_tail_call(ctx, &next, 0);
	return XDP_DROP;
}
