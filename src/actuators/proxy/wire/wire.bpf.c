// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The wire splice: packets of a client's connection to the proxy, and of the proxy's to the upstream, become packets of
 * each other, at tc ingress of the interfaces that they come by, and go on. docs/wire-splice.md explains it.
 *
 * join_connection, run by user space, puts two established sockets on the wire. forward_packet (forward_raw_packet on
 * interfaces without link header) rewrites what their peers send. Any other packet passes untouched.
 */
#include "wire_icmp.h"
#include "wire_join.h"
#include "wire_rewrite.h"

enum {
	/* In skb->tc_index of the copy that the stack is to have: it comes by forward_packet once more. */
	FOR_STACK = 0x5357,
	/* Bytes: less than the window that any stack announces first. */
	ACKNOWLEDGED_AHEAD = 32768,
};

static __always_inline void tell_change(__u32 connection)
{
	bpf_ringbuf_output(&CHANGES, &connection, sizeof(connection), 0);
}

static __always_inline void note_position(struct sonde_wire_side_state *side, const struct wire_packet *packet)
{
	if (packet->payload && advance_position(side, packet->sequence + packet->payload) <= 0)
		__sync_fetch_and_add(&side->repeated, packet->segments);
}

static __always_inline void note_acknowledgement(struct sonde_wire_side_state *side,
						 struct sonde_wire_side_state *other, const struct wire_packet *packet,
						 __u32 connection)
{
	__s32 more = distance(packet->acknowledgement, side->acknowledgement);

	if (!(packet->word & TCP_ACK))
		return;
	if (more > 0 && more <= WINDOW_AT_MOST)
		side->acknowledgement = packet->acknowledgement;
	if ((other->seen & (SONDE_WIRE_SAW_FIN | SONDE_WIRE_FIN_ACKNOWLEDGED)) != SONDE_WIRE_SAW_FIN ||
	    distance(packet->acknowledgement + side->acknowledgement_delta, other->fin) < 0)
		return;
	__sync_fetch_and_or(&other->seen, SONDE_WIRE_FIN_ACKNOWLEDGED);
	tell_change(connection);
}

/*
 * Whether the receiver may take this reset for the sender's own: it does if the sequence number is the one that it
 * expects, and asks back about any other (RFC 5961 3). So nobody who knows no more than the ends has a connection
 * forgotten.
 */
static __always_inline int is_plausible_reset(const struct sonde_wire_side_state *side,
					      const struct sonde_wire_side_state *other, __u32 sequence)
{
	__u32 first = other->acknowledgement + other->acknowledgement_delta;
	__u32 last = (__u32)side->position + !!(side->seen & SONDE_WIRE_SAW_FIN);

	return sequence == first || (distance(sequence, first) > 0 && distance(sequence, last) <= 0);
}

/* One behind bytes that have not been seen yet stands until there is one behind those that have. */
static __always_inline int is_plausible_fin(const struct sonde_wire_side_state *side, __u32 end)
{
	__s32 ahead = distance(end, side->position);

	return side->seen & SONDE_WIRE_SAW_FIN ? !ahead : ahead >= 0 && ahead <= WINDOW_AT_MOST;
}

static __always_inline void note_end(struct sonde_wire_side_state *side, struct sonde_wire_side_state *other,
				     const struct wire_packet *packet, __u32 connection)
{
	__u32 end = packet->sequence + packet->payload, seen = 0;

	if (packet->word & TCP_FIN && is_plausible_fin(side, end)) {
		side->fin = end + 1;
		if (!(side->seen & SONDE_WIRE_SAW_FIN))
			seen = SONDE_WIRE_SAW_FIN | (other->seen & SONDE_WIRE_SAW_FIN ? 0 : SONDE_WIRE_FIRST_FIN);
	}
	if (packet->word & TCP_RST && is_plausible_reset(side, other, packet->sequence))
		seen |= SONDE_WIRE_SAW_RESET;
	if (!seen)
		return;
	__sync_fetch_and_or(&side->seen, seen);
	tell_change(connection);
}

static __always_inline void note_packet(struct sonde_wire_side_state *side, struct sonde_wire_side_state *other,
					const struct wire_packet *packet, __u32 connection, __u64 now)
{
	side->last_seen = now;
	__sync_fetch_and_add(&side->packets, packet->segments);
	note_position(side, packet);
	note_acknowledgement(side, other, packet, connection);
	if (packet->word & (TCP_FIN | TCP_RST))
		note_end(side, other, packet, connection);
	count_wire(packets, packet->segments);
	count_wire(bytes, packet->payload);
}

static __always_inline int is_over(const struct sonde_wire_connection *connection)
{
	__u32 client = connection->sides[SONDE_WIRE_CLIENT].seen,
	      upstream = connection->sides[SONDE_WIRE_UPSTREAM].seen;

	return (client | upstream) & SONDE_WIRE_SAW_RESET || client & upstream & SONDE_WIRE_FIN_ACKNOWLEDGED;
}

static __always_inline void other_flow(const struct sonde_wire_side_state *side, struct sonde_wire_flow *flow)
{
	__builtin_memcpy(flow->source, side->destination, 16);
	__builtin_memcpy(flow->destination, side->source, 16);
	flow->source_port = side->destination_port;
	flow->destination_port = side->source_port;
}

/* A SYN of a connection that is over begins another: the stack's. True: it does. */
static __always_inline int is_new_connection(struct sonde_wire_connection *connection,
					     struct sonde_wire_side_state *side, const struct wire_packet *packet)
{
	struct sonde_wire_flow other = {};

	if ((packet->word & (TCP_SYN | TCP_ACK)) != TCP_SYN || !is_over(connection))
		return 0;
	other_flow(side, &other);
	bpf_map_delete_elem(&FLOWS, &packet->flow);
	bpf_map_delete_elem(&FLOWS, &other);
	__sync_fetch_and_or(&connection->sides[SONDE_WIRE_CLIENT].seen, SONDE_WIRE_PORT_REUSED);
	connection->freed = bpf_ktime_get_coarse_ns();
	__sync_lock_test_and_set(&connection->phase, SONDE_WIRE_FREED);
	count_wire(port_reused, 1);
	return 1;
}

/* Bytes that the socket towards their sender has received already, or an acknowledgement from before them. */
static __always_inline int is_old(const struct wire_packet *packet, const struct wire_socket *own)
{
	__u32 end = packet->sequence + packet->payload + !!(packet->word & TCP_FIN);

	return !(packet->word & (TCP_SYN | TCP_RST)) && distance(packet->sequence, own->received) < 0 &&
	       distance(end, own->received) <= 0;
}

/*
 * Acknowledges no less than the socket towards the receiver has acknowledged; and not much more as long as that socket
 * has bytes to deliver, whose segments acknowledge what it knows of: a receiver drops segments whose acknowledgement is
 * older than the greatest window it has seen (RFC 5961 5.2). The right edge of the window stays.
 */
static __always_inline void limit_acknowledgement(struct wire_rewrite *rewrite, const struct wire_socket *towards,
						  int delivers)
{
	__s32 ahead = distance(rewrite->acknowledgement, towards->received);
	__s32 excess = 0;

	if (ahead < 0 && ahead >= -WINDOW_AT_MOST)
		excess = ahead;
	else if (delivers && ahead > ACKNOWLEDGED_AHEAD)
		excess = ahead - ACKNOWLEDGED_AHEAD;
	rewrite->acknowledgement -= excess;
	rewrite->window = excess >= 0 || rewrite->window > (__u32)-excess ? rewrite->window + excess : 0;
}

/*
 * While it joins. The proxy's socket towards the sender gets the acknowledgement too as long as it has something to
 * retransmit. What it has received already is for it alone: sent on, its timestamp would make that of what the other
 * socket delivers look old (RFC 7323 5.3).
 */
static __noinline int join_packet(struct __sk_buff *skb, const struct wire_packet *packet,
				  const struct sonde_wire_connection *connection, __u32 side_index,
				  struct wire_rewrite *rewrite)
{
	const struct sonde_wire_side_state *side = &connection->sides[side_index];
	const struct sonde_wire_side_state *other = &connection->sides[1 - side_index];
	struct wire_scratch *scratch = find_scratch();
	struct wire_socket *own, *towards;
	struct sonde_wire_flow back = {};

	if (!scratch)
		return VERDICT_DROP;
	own = &scratch->own;
	towards = &scratch->towards;
	if (!find_socket(skb, &packet->flow, 0, own))
		return skb->tc_index == FOR_STACK ? VERDICT_DROP : 0;
	if (skb->tc_index == FOR_STACK || is_old(packet, own)) {
		skb->tc_index = 0;
		return acknowledge_to_stack(skb, packet, own);
	}
	other_flow(side, &back);
	if (!find_socket(skb, &back, 0, towards))
		return 0;
	limit_acknowledgement(rewrite, towards, towards->unacknowledged != own->received + side->sequence_delta);
	if (packet->word & TCP_ACK && !(packet->word & TCP_RST) &&
	    (own->has_hole || own->unacknowledged != towards->received + other->sequence_delta)) {
		skb->tc_index = FOR_STACK;
		bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS);
		skb->tc_index = 0;
		count_wire(copied, 1);
	}
	return 0;
}

static __always_inline int send_on(struct __sk_buff *skb, __u32 link, struct sonde_wire_side_state *side)
{
	if (!side->ifindex) {
		count_wire(dropped_no_route, 1);
		return VERDICT_DROP;
	}
	/* bpf_redirect_neigh() takes a frame. */
	if (!link && bpf_skb_change_head(skb, ETHERNET_HEADER, 0))
		return VERDICT_DROP;
	return bpf_redirect_neigh(side->ifindex, 0, 0, 0);
}

/* Bytes of the longest packet on the wire, as it leaves. */
static __always_inline __u32 longest_segment(struct __sk_buff *skb, const struct wire_packet *packet,
					     const struct sonde_wire_side_state *side)
{
	__u32 length = packet->length;

	if (skb->gso_size && packet->segments > 1)
		length = packet->tcp - packet->ip + packet->header + skb->gso_size;
	return length + (side->flags & SONDE_WIRE_TO_IPV6 ? IPV6_HEADER : IPV4_HEADER) -
	       (packet->is_ipv6 ? IPV6_HEADER : IPV4_HEADER);
}

static __always_inline int forward_tcp(struct __sk_buff *skb, __u32 link)
{
	struct sonde_wire_side_state *side, *other;
	struct sonde_wire_connection *connection;
	struct wire_packet packet = {};
	struct wire_rewrite rewrite;
	struct sonde_wire_place *place;
	__u64 now;
	__u32 side_index;
	int verdict;

	if (!parse_ends(skb, link, &packet))
		return VERDICT_NEXT;
	place = bpf_map_lookup_elem(&FLOWS, &packet.flow);
	if (!place)
		return VERDICT_NEXT;
	connection = bpf_map_lookup_elem(&CONNECTIONS, &place->connection);
	if (!connection || connection->phase < SONDE_WIRE_JOINING || connection->phase > SONDE_WIRE_ABORTED)
		return VERDICT_NEXT;
	if (packet.is_fragment) {
		count_wire(dropped_fragment, 1);
		return VERDICT_DROP;
	}
	if (!parse_tcp(skb, &packet)) {
		count_wire(dropped_malformed, 1);
		return VERDICT_DROP;
	}
	side_index = place->side & 1;
	side = &connection->sides[side_index];
	other = &connection->sides[1 - side_index];
	if (is_new_connection(connection, side, &packet))
		return VERDICT_NEXT;
	if (connection->phase == SONDE_WIRE_ABORTED)
		return answer_with_reset(skb, &packet);
	rewrite.acknowledgement = packet.acknowledgement + side->acknowledgement_delta;
	rewrite.window = (packet.word & 0xffff) << (side->window_shift_in & 15);
	rewrite.joining = connection->phase == SONDE_WIRE_JOINING;
	if (rewrite.joining) {
		verdict = join_packet(skb, &packet, connection, side_index & 1, &rewrite);
		if (verdict)
			return verdict;
	}
	now = bpf_ktime_get_coarse_ns();
	refresh_route(skb, side, now);
	if (side->mtu && longest_segment(skb, &packet, side) > side->mtu) {
		count_wire(dropped_too_big, packet.segments);
		return answer_too_big(skb, link, &packet, side, other->ifindex);
	}
	if (rewrite_packet(skb, &packet, side, &rewrite))
		return VERDICT_DROP;
	note_packet(side, other, &packet, place->connection, now);
	return send_on(skb, link, side);
}

static __always_inline int forward(struct __sk_buff *skb, __u32 link)
{
	return is_icmp(skb, link) ? forward_icmp_error(skb, link) : forward_tcp(skb, link);
}

SEC("sonde/tc")
int forward_packet(struct __sk_buff *skb)
{
	return forward(skb, ETHERNET_HEADER);
}

SEC("sonde/tc")
int forward_raw_packet(struct __sk_buff *skb)
{
	return forward(skb, 0);
}

/* Run by user space (BPF_PROG_TEST_RUN), never attached, like the next. */
SEC("sonde/tc")
int join_connection(struct __sk_buff *skb)
{
	struct sonde_wire_join join;

	if (bpf_skb_load_bytes(skb, 0, &join, sizeof(join)))
		return VERDICT_DROP;
	join.verdict = join_sockets(skb, &join);
	bpf_skb_store_bytes(skb, 0, &join, sizeof(join), 0);
	return VERDICT_NEXT;
}

/* Whether the sockets of a connection that joins hold nothing any more. */
SEC("sonde/tc")
int inspect_connection(struct __sk_buff *skb)
{
	struct sonde_wire_join join;

	if (bpf_skb_load_bytes(skb, 0, &join, sizeof(join)))
		return VERDICT_DROP;
	join.verdict = inspect_sockets(skb, &join);
	bpf_skb_store_bytes(skb, 0, &join, sizeof(join), 0);
	return VERDICT_NEXT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
