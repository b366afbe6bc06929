/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a default_drop rule leaves alone, so that a host which drops what nobody asked for still has addresses,
 * neighbours and the answers to what it sends.
 */
#ifndef SONDE_GUARD_SPARE_H
#define SONDE_GUARD_SPARE_H

#include "guard_packet.h"

enum {
	/* include/net/tcp_states.h */
	STATE_ESTABLISHED = 1,
	STATE_CLOSE = 7,
	STATE_LISTEN = 10,

	TCP_SYN = 2,
	TCP_ACK = 16,

	/* RFC 792 */
	ICMP_UNREACHABLE = 3,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
	/* RFC 4443: errors are 1 (unreachable) to 4 (parameter problem) */
	ICMPV6_FIRST_ERROR = 1,
	ICMPV6_LAST_ERROR = 4,
	/* RFC 2710, RFC 4861, RFC 3810 */
	ICMPV6_LISTENER_QUERY = 130,
	ICMPV6_REDIRECT = 137,
	ICMPV6_LISTENER_REPORT2 = 143,
	ICMP_HEADER_SIZE = 8,

	DHCP_SERVER = 67,
	DHCP_CLIENT = 68,
	DHCPV6_CLIENT = 546,
	DHCPV6_SERVER = 547,
};

/* Listener queries, reports and ends (130 to 132) and neighbour discovery (133 to 137) follow each other. */
static __always_inline int is_discovery(const struct guard_packet *packet)
{
	if (packet->family != SONDE_GUARD_FAMILY6 || packet->protocol != IP_ICMPV6 || !(packet->flags & PACKET_ICMP))
		return 0;
	return (packet->icmp_type >= ICMPV6_LISTENER_QUERY && packet->icmp_type <= ICMPV6_REDIRECT) ||
	       packet->icmp_type == ICMPV6_LISTENER_REPORT2;
}

/* As far as the IPv6 header tells, before the transport was read: what follows extension headers is not known yet. */
static __always_inline int may_be_discovery(const struct guard_packet *packet)
{
	return packet->family == SONDE_GUARD_FAMILY6 &&
	       (packet->protocol == IP_ICMPV6 || extension_size(packet->protocol, 0));
}

static __always_inline int is_loopback6(const __u32 *address)
{
	return !address[0] && !address[1] && !address[2] && address[3] == bpf_htonl(1);
}

static __always_inline int is_loopback(const struct guard_packet *packet)
{
	if (packet->family == SONDE_GUARD_FAMILY4)
		return (bpf_ntohl(packet->source[3]) >> 24) == 127 && (bpf_ntohl(packet->destination[3]) >> 24) == 127;
	return is_loopback6(packet->source) && is_loopback6(packet->destination);
}

/* Answers of servers that come in, questions of clients that go out. */
static __always_inline int is_dhcp(const struct guard_packet *packet)
{
	int incoming = packet->direction == SONDE_GUARD_IN;
	__u16 server = incoming ? packet->source_port : packet->destination_port;
	__u16 client = incoming ? packet->destination_port : packet->source_port;

	if (packet->protocol != IP_UDP || !(packet->flags & PACKET_PORTS))
		return 0;
	if (packet->family == SONDE_GUARD_FAMILY4)
		return server == DHCP_SERVER && client == DHCP_CLIENT;
	return server == DHCPV6_SERVER && client == DHCPV6_CLIENT;
}

/* Any TCP socket but a listener: a connection that is being opened waits for its answer, too. */
static __always_inline int is_connected_tcp(void *context, struct bpf_sock_tuple *tuple, __u32 size)
{
	struct bpf_sock *socket = bpf_skc_lookup_tcp(context, tuple, size, BPF_F_CURRENT_NETNS, 0);
	int connected;

	if (!socket)
		return 0;
	connected = socket->state != STATE_LISTEN && socket->state != STATE_CLOSE;
	bpf_sk_release(socket);
	return connected;
}

/* A UDP socket that called connect(). */
static __always_inline int is_connected_udp(void *context, struct bpf_sock_tuple *tuple, __u32 size)
{
	struct bpf_sock *socket = bpf_sk_lookup_udp(context, tuple, size, BPF_F_CURRENT_NETNS, 0);
	int connected;

	if (!socket)
		return 0;
	connected = socket->state == STATE_ESTABLISHED;
	bpf_sk_release(socket);
	return connected;
}

static __always_inline int is_connected(void *context, __u8 protocol, struct bpf_sock_tuple *tuple, __u32 size)
{
	if (protocol == IP_TCP)
		return is_connected_tcp(context, tuple, size);
	return protocol == IP_UDP && is_connected_udp(context, tuple, size);
}

/* SYN without ACK opens a connection, whatever socket there was. */
static __always_inline int opens_connection(const struct guard_run *run, int hook)
{
	const struct guard_packet *packet = run->packet;
	__u8 flags;

	if (packet->transport + TCP_FLAGS_OFFSET >= packet->limit ||
	    load_bytes(run, hook, packet->transport + TCP_FLAGS_OFFSET, &flags, sizeof(flags)))
		return 0;
	return (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* The packet's own connection. What is sent is turned round. UDP that is sent answers nobody that we could know. */
static __always_inline int is_established(const struct guard_run *run, int hook)
{
	const struct guard_packet *packet = run->packet;
	int incoming = packet->direction == SONDE_GUARD_IN;
	const __u32 *remote = incoming ? packet->source : packet->destination;
	const __u32 *local = incoming ? packet->destination : packet->source;
	__be16 remote_port = bpf_htons(incoming ? packet->source_port : packet->destination_port);
	__be16 local_port = bpf_htons(incoming ? packet->destination_port : packet->source_port);
	struct bpf_sock_tuple tuple = {};

	if (!(packet->flags & PACKET_PORTS) || (!incoming && packet->protocol != IP_TCP))
		return 0;
	if (packet->protocol == IP_TCP && opens_connection(run, hook))
		return 0;
	if (packet->family == SONDE_GUARD_FAMILY4) {
		tuple.ipv4.saddr = remote[3];
		tuple.ipv4.daddr = local[3];
		tuple.ipv4.sport = remote_port;
		tuple.ipv4.dport = local_port;
		return is_connected(run->context, packet->protocol, &tuple, sizeof(tuple.ipv4));
	}
	__builtin_memcpy(tuple.ipv6.saddr, remote, 16);
	__builtin_memcpy(tuple.ipv6.daddr, local, 16);
	tuple.ipv6.sport = remote_port;
	tuple.ipv6.dport = local_port;
	return is_connected(run->context, packet->protocol, &tuple, sizeof(tuple.ipv6));
}

/* The quoted packet is one that this host has sent: its destination is the remote end. */
static __always_inline int quotes_established4(const struct guard_run *run, int hook)
{
	const struct guard_packet *packet = run->packet;
	__u32 quoted = packet->transport + ICMP_HEADER_SIZE;
	struct bpf_sock_tuple tuple = {};
	__u8 header[IPV4_SIZE];
	__be16 ports[2];

	if (packet->icmp_type != ICMP_UNREACHABLE && packet->icmp_type != ICMP_TIME_EXCEEDED &&
	    packet->icmp_type != ICMP_PARAMETER_PROBLEM)
		return 0;
	if (load_bytes(run, hook, quoted, header, sizeof(header)))
		return 0;
	if (header[0] >> 4 != 4 || *(__be16 *)(header + 6) & bpf_htons(0x1fff))
		return 0;
	if (load_bytes(run, hook, quoted + (header[0] & 15) * 4, ports, sizeof(ports)))
		return 0;
	tuple.ipv4.saddr = *(__u32 *)(header + 16);
	tuple.ipv4.daddr = *(__u32 *)(header + 12);
	tuple.ipv4.sport = ports[1];
	tuple.ipv4.dport = ports[0];
	return is_connected(run->context, header[9], &tuple, sizeof(tuple.ipv4));
}

static __always_inline int quotes_established6(const struct guard_run *run, int hook)
{
	const struct guard_packet *packet = run->packet;
	__u32 quoted = packet->transport + ICMP_HEADER_SIZE;
	struct bpf_sock_tuple tuple = {};
	__u8 protocol;

	if (packet->icmp_type < ICMPV6_FIRST_ERROR || packet->icmp_type > ICMPV6_LAST_ERROR)
		return 0;
	if (load_bytes(run, hook, quoted + 6, &protocol, sizeof(protocol)) ||
	    load_bytes(run, hook, quoted + 8, tuple.ipv6.daddr, 16) ||
	    load_bytes(run, hook, quoted + 24, tuple.ipv6.saddr, 16) ||
	    load_bytes(run, hook, quoted + IPV6_SIZE, &tuple.ipv6.dport, 2) ||
	    load_bytes(run, hook, quoted + IPV6_SIZE + 2, &tuple.ipv6.sport, 2))
		return 0;
	return is_connected(run->context, protocol, &tuple, sizeof(tuple.ipv6));
}

/* Without these errors, connections hang where a link's MTU is smaller (RFC 1191, RFC 8201). */
static __always_inline int quotes_established(const struct guard_run *run, int hook)
{
	const struct guard_packet *packet = run->packet;
	if (packet->direction != SONDE_GUARD_IN || !(packet->flags & PACKET_ICMP))
		return 0;
	if (packet->family == SONDE_GUARD_FAMILY4)
		return packet->protocol == IP_ICMP && quotes_established4(run, hook);
	return packet->protocol == IP_ICMPV6 && quotes_established6(run, hook);
}

/* The outcome of a packet that default_drop rules do not concern; SONDE_GUARD_DROPPED_DEFAULT: they do. */
static __always_inline __u8 spare(const struct guard_run *run, int hook)
{
	const struct guard_packet *packet = run->packet;
	if (packet->flags & PACKET_EVASIVE)
		return SONDE_GUARD_DROPPED_DEFAULT;
	if (packet->flags & PACKET_LATER_FRAGMENT)
		return SONDE_GUARD_SPARED_FRAGMENT;
	if (packet->flags & PACKET_MALFORMED)
		return SONDE_GUARD_MALFORMED;
	if (is_discovery(packet))
		return SONDE_GUARD_SPARED_DISCOVERY;
	if (is_loopback(packet))
		return SONDE_GUARD_SPARED_LOOPBACK;
	if (is_dhcp(packet))
		return SONDE_GUARD_SPARED_DHCP;
	if (is_established(run, hook) || quotes_established(run, hook))
		return SONDE_GUARD_SPARED_ESTABLISHED;
	return SONDE_GUARD_DROPPED_DEFAULT;
}

#endif
