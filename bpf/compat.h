/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What differs between kernels, one accessor each, with the commit that made it necessary. */
#ifndef SONDE_BPF_COMPAT_H
#define SONDE_BPF_COMPAT_H

#include "kernel.h"
#include <bpf/bpf_core_read.h>

struct sk_buff___with_vlan_all {
	__u32 vlan_all; /* vlan_proto and vlan_tci */
} SONDE_CORE;

struct sk_buff___with_vlan_present {
	__u8 vlan_present : 1;
} SONDE_CORE;

/* Is there a VLAN tag beside the packet? Linux 6.2 (354259fa73e2) took the bit away. */
static __always_inline int sonde_packet_has_tag(struct sk_buff *skb)
{
	struct sk_buff___with_vlan_all *newer = (void *)skb;

	if (bpf_core_field_exists(newer->vlan_all))
		return BPF_CORE_READ(newer, vlan_all) != 0;
	return BPF_CORE_READ_BITFIELD_PROBED((struct sk_buff___with_vlan_present *)skb, vlan_present);
}

struct kernfs_node___before_rcu {
	struct kernfs_node *parent;
} SONDE_CORE;

struct kernfs_node___with_rcu {
	struct kernfs_node *__parent;
} SONDE_CORE;

/* NULL: the node is the root. Linux 6.15 (633488947ef6) renamed the member. */
static __always_inline struct kernfs_node *sonde_kernfs_parent(struct kernfs_node *node)
{
	struct kernfs_node___with_rcu *newer = (void *)node;

	if (bpf_core_field_exists(newer->__parent))
		return BPF_CORE_READ(newer, __parent);
	return BPF_CORE_READ((struct kernfs_node___before_rcu *)node, parent);
}

#endif
