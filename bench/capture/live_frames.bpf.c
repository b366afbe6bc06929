// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Packet generator: run by BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES (Linux 5.18), it sends every frame out of
 * an interface. The frames are Ethernet, IPv4 without options and UDP; the source port tells the flows apart.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 ifindex = 0;
const volatile __u32 flows = 1; /* at most 32,768 */

enum { FIRST_PORT = 1024 };

__u32 flow = 0; /* one CPU runs the generator */

SEC("sonde/xdp")
int live_frames(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct udphdr *udp = data + sizeof(struct ethhdr) + sizeof(struct iphdr);

	if ((void *)(udp + 1) > end)
		return XDP_ABORTED;
	udp->source = bpf_htons(FIRST_PORT + flow);
	flow = flow + 1 < flows ? flow + 1 : 0;
	return bpf_redirect(ifindex, 0);
}
