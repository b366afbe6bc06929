// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* A stranger's program for NetworkMonitor::from_object_file(): counts packets by length class and tells of each. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct length_event {
	__u32 length;
	__u32 threshold; /* as user space has set it */
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} lengths SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static __always_inline void count(__u32 key)
{
	__u64 one = 1, *value = bpf_map_lookup_elem(&counts, &key);

	if (value)
		__sync_fetch_and_add(value, 1);
	else
		bpf_map_update_elem(&counts, &key, &one, BPF_ANY);
}

SEC("tc")
int count_ingress(struct __sk_buff *ctx)
{
	__u32 settings = 100;
	__u64 *threshold = bpf_map_lookup_elem(&counts, &settings);
	struct length_event *event;

	count(0);
	event = bpf_ringbuf_reserve(&lengths, sizeof(*event), 0);
	if (!event)
		return TC_ACT_UNSPEC;
	event->length = ctx->len;
	event->threshold = threshold ? *threshold : 0;
	bpf_ringbuf_submit(event, 0);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int count_egress(struct __sk_buff *ctx)
{
	count(1);
	return TC_ACT_UNSPEC;
}
