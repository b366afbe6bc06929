// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Ends packets behind the taps and hooks of the capture programs, so that none of them pays for the rest of the network
 * stack. Attached by tc(8), hence its section name.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tc")
int drop(struct __sk_buff *ctx)
{
	return TC_ACT_SHOT;
}
