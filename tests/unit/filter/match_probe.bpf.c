// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The packet of the run is a struct sonde_packet_event: does the kernel decide about it as user space does?
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <match.h>

const volatile struct sonde_filter filter;

SEC("xdp")
int match_probe(struct xdp_md *ctx)
{
	struct sonde_packet_event event;

	if (bpf_xdp_load_bytes(ctx, 0, &event, sizeof(event)))
		return -1;
	return sonde_filter_matches(&filter, &event);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
