/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How two sockets become a connection on the wire. */
#ifndef SONDE_PROXY_WIRE_JOIN_H
#define SONDE_PROXY_WIRE_JOIN_H

#include "wire_route.h"
#include "wire_socket.h"

enum {
	/*
	 * Milliseconds that the TSval of the first rewritten packet is ahead of the proxy's own: while a connection joins,
	 * packets of the proxy's socket and rewritten ones reach the peer in any order, and none of the latter may look
	 * old to it (PAWS, RFC 7323 5).
	 */
	TIMESTAMP_MARGIN = 500,
	/* Bytes. The kernel tells a peer that is to send no more of about 1,152 (SOCK_MIN_RCVBUF / 2). */
	ROOM_OF_NOTE = 2 * 1448,
	/* A sequence number that is farther away is nobody's: no window is greater (RFC 7323 2.3). */
	WINDOW_AT_MOST = 1 << 30,
};

/* By how many bytes `end`, the sequence number behind some, is ahead of all before; 0 or less: they have been before. */
static __always_inline __s32 advance_position(struct sonde_wire_side_state *side, __u32 end)
{
	__s32 more = 0;

	for (int turn = 0; turn < 4; turn++) {
		__u64 before = *(volatile __u64 *)&side->position;

		more = distance(end, before);
		if (more <= 0 || more > WINDOW_AT_MOST ||
		    __sync_val_compare_and_swap(&side->position, before, before + more) == before)
			break;
	}
	return more;
}

static __always_inline int is_ipv4(const __u32 *address)
{
	return !address[0] && !address[1] && address[2] == bpf_htonl(0xffff);
}

static __always_inline int socket_verdict(const struct wire_socket *socket)
{
	if (socket->ended)
		return SONDE_WIRE_STREAM_ENDED;
	if (socket->state != STATE_ESTABLISHED)
		return SONDE_WIRE_NO_SOCKET;
	if (socket->unsuited)
		return SONDE_WIRE_UNSUITED_SOCKET;
	if (socket->has_hole)
		return SONDE_WIRE_OUT_OF_ORDER;
	return SONDE_WIRE_JOINED;
}

/*
 * What comes by the wire must not overrun the window of who receives, which the sender has not been told of yet, while
 * the proxy's sockets deliver what they hold up of this direction. So either everything that the sender may send fits
 * behind what is held, or the sender has no room left and must wait to be told of more: by the receiver. One that does
 * not use its room will not overrun anything: insisted, it is enough that little is held and the receiver reads. 0: it
 * will fit, else the bytes held. `held`: of these, what user space has.
 */
static __always_inline __u32 held_up(const struct wire_socket *from, const struct wire_socket *to, __u32 held, int insists)
{
	__u64 total = (from->received - from->read) + held + (to->written - to->unacknowledged);

	if (total + from->room <= to->window || from->room <= ROOM_OF_NOTE || (insists && total * 2 <= to->window))
		return 0;
	return total ? total : 1;
}

/*
 * Whether segments of `from`'s peer, at most as long as `from` announced, are taken by `to`'s peer. Where the packet
 * grows (IPv4 to IPv6), its sender is told the MTU by ICMP.
 */
static __always_inline int fits_segment(const struct wire_socket *from, const struct wire_socket *to, int grows)
{
	return from->own_segment <= to->peer_segment + (grows ? FAMILY_DIFFERENCE : 0);
}

static __always_inline int pair_verdict(struct sonde_wire_join *join, const struct wire_socket *client,
					const struct wire_socket *upstream)
{
	int client_ipv4 = is_ipv4(join->client.source), upstream_ipv4 = is_ipv4(join->upstream.source);
	__u32 held_to_upstream, held_to_client;

	if (client->timestamps != upstream->timestamps)
		return SONDE_WIRE_TIMESTAMPS_DIFFER;
	if (!fits_segment(client, upstream, client_ipv4 && !upstream_ipv4) ||
	    !fits_segment(upstream, client, upstream_ipv4 && !client_ipv4))
		return SONDE_WIRE_SEGMENT_DIFFERS;
	held_to_upstream = held_up(client, upstream, join->held_to_upstream, join->insists);
	held_to_client = held_up(upstream, client, join->held_to_client, join->insists);
	if (!held_to_upstream && !held_to_client)
		return SONDE_WIRE_JOINED;
	join->held_to_upstream = held_to_upstream;
	join->held_to_client = held_to_client;
	return SONDE_WIRE_UNSENT;
}

/*
 * Packets of `from`'s peer, which leave as if `to` sent them. Where the bytes stand in the two numberings: `to` has been
 * given everything that was read from `from`, but for `held`.
 */
static __always_inline void fill_side(struct sonde_wire_side_state *side, const struct wire_socket *from,
				      const struct wire_socket *to, __u32 held, const struct sonde_wire_flow *own,
				      const struct sonde_wire_flow *other)
{
	__builtin_memcpy(side->source, other->destination, 16);
	__builtin_memcpy(side->destination, other->source, 16);
	side->source_port = other->destination_port;
	side->destination_port = other->source_port;
	side->sequence_delta = to->written - (from->read - held);
	side->window_shift_in = from->window_shift_in;
	side->window_shift_out = to->window_shift_out;
	side->flags = (is_ipv4(own->source) ? 0 : SONDE_WIRE_FROM_IPV6) | (is_ipv4(other->source) ? 0 : SONDE_WIRE_TO_IPV6) |
		      (from->timestamps ? SONDE_WIRE_TIMESTAMPS : 0) | (from->sack && !to->sack ? SONDE_WIRE_NO_SACK : 0) |
		      (from->ecn && !to->ecn ? SONDE_WIRE_NO_ECN : 0);
	side->timestamp_delta = to->clock + TIMESTAMP_MARGIN - from->echo;
	side->echo_floor = to->echo;
	side->start = from->read - held; /* the relay has counted what it has written */
	side->position = (__u64)side->start + (from->received - side->start); /* 32 bits may wrap between the two */
	side->acknowledgement = from->unacknowledged;
}

static __always_inline int insert_flows(const struct sonde_wire_join *join)
{
	struct sonde_wire_place client = {.connection = join->connection, .side = SONDE_WIRE_CLIENT};
	struct sonde_wire_place upstream = {.connection = join->connection, .side = SONDE_WIRE_UPSTREAM};

	if (bpf_map_update_elem(&FLOWS, &join->client, &client, BPF_NOEXIST))
		return 0;
	if (!bpf_map_update_elem(&FLOWS, &join->upstream, &upstream, BPF_NOEXIST))
		return 1;
	bpf_map_delete_elem(&FLOWS, &join->client);
	return 0;
}

static __always_inline int join_sockets(struct __sk_buff *skb, struct sonde_wire_join *join)
{
	struct sonde_wire_connection *connection = bpf_map_lookup_elem(&CONNECTIONS, &join->connection);
	struct sonde_wire_side_state *of_client, *of_upstream;
	struct wire_socket client = {}, upstream = {};
	__u64 now = bpf_ktime_get_coarse_ns();
	int verdict;

	if (!connection || connection->phase != SONDE_WIRE_TAKEN)
		return SONDE_WIRE_BAD_FRAME;
	if (!find_socket(skb, &join->client, 1, &client) || !find_socket(skb, &join->upstream, 1, &upstream))
		return SONDE_WIRE_NO_SOCKET;
	verdict = socket_verdict(&client);
	if (!verdict)
		verdict = socket_verdict(&upstream);
	if (!verdict)
		verdict = pair_verdict(join, &client, &upstream);
	if (verdict)
		return verdict;
	of_client = &connection->sides[SONDE_WIRE_CLIENT];
	of_upstream = &connection->sides[SONDE_WIRE_UPSTREAM];
	fill_side(of_client, &client, &upstream, join->held_to_upstream, &join->client, &join->upstream);
	fill_side(of_upstream, &upstream, &client, join->held_to_client, &join->upstream, &join->client);
	of_client->acknowledgement_delta = -of_upstream->sequence_delta;
	of_upstream->acknowledgement_delta = -of_client->sequence_delta;
	of_client->echo_delta = -of_upstream->timestamp_delta;
	of_upstream->echo_delta = -of_client->timestamp_delta;
	of_client->last_seen = of_upstream->last_seen = connection->joined = now;
	if (!find_route(skb, of_client) || !find_route(skb, of_upstream))
		return SONDE_WIRE_NO_ROUTE;
	if (!insert_flows(join))
		return SONDE_WIRE_NO_ROOM;
	/* Both directions at once. x86 and arm64 let no program see this before what was written above it. */
	__sync_lock_test_and_set(&connection->phase, SONDE_WIRE_JOINING);
	return SONDE_WIRE_JOINED;
}

/* Whether what one peer sent has all been sent on by the proxy's sockets, and acknowledged by the other. */
static __always_inline int has_passed(const struct wire_socket *from, const struct wire_socket *to, __u32 delta)
{
	return from->read == from->received && to->written == to->unacknowledged && to->written == from->received + delta;
}

/* Bytes that reached the socket, but not forward_packet. */
static __always_inline void note_passed_bytes(struct sonde_wire_side_state *side, const struct wire_socket *from)
{
	advance_position(side, from->received - !!from->ended);
}

/* A FIN that reached the socket, before the packets took the wire or across: forward_packet has not seen it. */
static __always_inline void note_passed_end(struct sonde_wire_side_state *side, struct sonde_wire_side_state *other,
					    const struct wire_socket *from)
{
	if (!from->ended || side->seen & SONDE_WIRE_SAW_FIN)
		return;
	side->fin = from->received;
	__sync_fetch_and_or(&side->seen, SONDE_WIRE_SAW_FIN |
						 (other->seen & SONDE_WIRE_SAW_FIN ? 0 : SONDE_WIRE_FIRST_FIN));
	if (distance(other->acknowledgement + other->acknowledgement_delta, side->fin) >= 0)
		__sync_fetch_and_or(&side->seen, SONDE_WIRE_FIN_ACKNOWLEDGED);
}

/* SONDE_WIRE_JOINED: the sockets are needed no more. */
static __always_inline int inspect_sockets(struct __sk_buff *skb, const struct sonde_wire_join *join)
{
	struct sonde_wire_connection *connection = bpf_map_lookup_elem(&CONNECTIONS, &join->connection);
	struct sonde_wire_side_state *of_client, *of_upstream;
	struct wire_socket client = {}, upstream = {};

	if (!connection)
		return SONDE_WIRE_BAD_FRAME;
	of_client = &connection->sides[SONDE_WIRE_CLIENT];
	of_upstream = &connection->sides[SONDE_WIRE_UPSTREAM];
	if (!find_socket(skb, &join->client, 0, &client) || !find_socket(skb, &join->upstream, 0, &upstream))
		return SONDE_WIRE_NO_SOCKET;
	if (client.has_hole || upstream.has_hole)
		return SONDE_WIRE_OUT_OF_ORDER;
	if (!has_passed(&client, &upstream, of_client->sequence_delta) ||
	    !has_passed(&upstream, &client, of_upstream->sequence_delta))
		return SONDE_WIRE_UNSENT;
	note_passed_bytes(of_client, &client);
	note_passed_bytes(of_upstream, &upstream);
	note_passed_end(of_client, of_upstream, &client);
	note_passed_end(of_upstream, of_client, &upstream);
	return SONDE_WIRE_JOINED;
}

#endif
