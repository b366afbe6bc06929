/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The owner of the socket at an end of a flow, beside the flow's slot. Part of packets.bpf.c where it counts flows with
 * owners.
 *
 * Looked at on the packets number 1, 2, 4, 8 ... of a side and on the last ones: whoever accepts a connection or is
 * given its socket is seen a little later than its first packet.
 */
#ifndef SONDE_FLOW_OWNER_H
#define SONDE_FLOW_OWNER_H

#include "flows.abi.h"
#include "packet_owner.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* as many as slots, set by user space before load */
	__type(key, __u32);
	__type(value, struct sonde_flow_owners);
} sonde_flow_owners SEC(".maps");

/* A global function: the verifier goes through it once. 1: the owner is that of the socket that takes the packet, 0: of
 * the one that sent it. */
__attribute__((noinline)) int find_flow_owner(struct __sk_buff *ctx)
{
	struct scratch *scratch = get_scratch();

	if (!scratch)
		return 0;
	if (scratch->event.direction == SONDE_DIRECTION_IN && read_receiver(ctx, scratch))
		return 1;
	read_sender(ctx, scratch);
	return 0;
}

static __always_inline void put_owner(struct sonde_flow_owner *to, const struct sonde_socket_owner *owner)
{
	__u32 version = to->version;

	*(volatile __u32 *)&to->version = version | 1;
	to->owner = *owner;
	*(volatile __u32 *)&to->version = (version | 1) + 1;
}

/* Does this packet's number have a bit that no number before had? Offload makes numbers jump. */
static __always_inline int is_owner_due(const struct flow_step *step, const struct sonde_flow_packet *packet)
{
	__u64 after = step->before + packet->segments;

	return (step->before ^ after) > step->before || packet->tcp_flags & (SONDE_TCP_FIN | SONDE_TCP_RST);
}

static __always_inline void look_for_owner(struct __sk_buff *ctx, const struct flow_step *step,
					   const struct sonde_flow_packet *packet)
{
	struct scratch *scratch = step->packet.scratch;
	struct sonde_flow_owners *owners;
	__u32 side = packet->side, slot = step->slot;

	if (!flows_config.owners || !step->flow || !is_owner_due(step, packet))
		return;
	owners = bpf_map_lookup_elem(&sonde_flow_owners, &slot);
	if (!owners)
		return;
	if (step->is_new) {
		sonde_no_owner(&owners->side[0].owner, SONDE_REASON_NOT_RECORDED);
		sonde_no_owner(&owners->side[1].owner, SONDE_REASON_NOT_RECORDED);
	}
	if (find_flow_owner(ctx))
		side = !side;
	/* What is known is not given up for what is not: the last packets often find the socket gone. */
	if (scratch->owner.method == SONDE_METHOD_NONE && owners->side[side & 1].owner.method != SONDE_METHOD_NONE)
		return;
	put_owner(&owners->side[side & 1], &scratch->owner);
}

#endif
