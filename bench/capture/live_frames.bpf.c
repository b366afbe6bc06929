// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Packet generator: run by BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES (Linux 5.18), it sends every frame out of
 * an interface. The frames are Ethernet, IPv4 without options and UDP; the source port tells the flows apart, or the
 * source address, which then is a random one of so many.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 ifindex = 0;
const volatile __u32 flows = 1;     /* at most 32,768 */
const volatile __u32 addresses = 0; /* 0: the frame's own */

enum { FIRST_PORT = 1024, FIRST_ADDRESS = 0x0a000000 };

/* One CPU runs the generator. */
__u32 flow = 0;
__u64 random = 0x9e3779b97f4a7c15ULL;

static __always_inline void change_address(struct iphdr *ip)
{
	random ^= random << 13; /* Marsaglia's xorshift */
	random ^= random >> 7;
	random ^= random << 17;
	ip->saddr = bpf_htonl(FIRST_ADDRESS + (__u32)(((random >> 32) * addresses) >> 32));
}

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
	if (addresses)
		change_address(data + sizeof(struct ethhdr));
	return bpf_redirect(ifindex, 0);
}
