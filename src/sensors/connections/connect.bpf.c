// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * connect() that fails before its SYN, mostly because there is no route: no state changes, so there is nothing but the
 * function's result. Where functions cannot be traced these failures are not seen.
 */
#include "record.bpf.h"
#include "socket.h"
#include "tcp.bpf.h"
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum {
	SONDE_EINPROGRESS = 115,
};

/* struct sockaddr_in and sockaddr_in6 begin alike. */
struct sonde_sockaddr {
	__u16 family;
	__be16 port;
	__be32 ipv4; /* IPv6: flow information */
	__u8 ipv6[16];
};

/* The address that was asked for: the socket does not have it yet. */
static __always_inline void read_target(struct sonde_socket *out, const void *address)
{
	struct sonde_sockaddr target = {};

	bpf_probe_read_kernel(&target, sizeof(target), address);
	out->remote_port = __builtin_bswap16(target.port);
	if (target.family == SONDE_AF_INET)
		sonde_map_ipv4(out->remote_address, target.ipv4);
	else if (target.family == SONDE_AF_INET6)
		__builtin_memcpy(out->remote_address, target.ipv6, 16);
}

/* A failure after SYN_SENT was told by that state's end; the SYN's time is still there then. */
static __always_inline int was_told(struct sock *sk)
{
	struct sonde_connection_record *record = find_record(sk, 0);

	if (!record || !record->syn_ns)
		return 0;
	record->syn_ns = 0;
	return 1;
}

static __always_inline int connect_returned(struct sock *sk, const void *address, int result)
{
	struct sonde_counters *counters = sonde_counters();
	struct sonde_connection_event *event;

	if (!counters || result >= 0 || result == -SONDE_EINPROGRESS || sk->sk_protocol != SONDE_IPPROTO_TCP)
		return 0;
	if (was_told(sk))
		return 0;
	event = reserve_connection(sk, SONDE_CONNECTION_FAILED, counters);
	if (!event)
		return 0;
	event->error = -result;
	event->direction = SONDE_CONNECTION_OUTBOUND;
	event->flags = SONDE_CONNECTION_NO_SYN;
	sonde_read_socket(&event->socket, sk, bpf_get_socket_cookie(sk));
	read_target(&event->socket, address);
	sonde_submit_event(event, counters);
	return 0;
}

/* Called by tcp_v6_connect() too, for an IPv4 address: told there. */
SEC("fexit/tcp_v4_connect")
int BPF_PROG(sonde_connection_ipv4, struct sock *sk, void *address, int size, int result)
{
	if (sk->__sk_common.skc_family != SONDE_AF_INET)
		return 0;
	return connect_returned(sk, address, result);
}

SEC("fexit/tcp_v6_connect")
int BPF_PROG(sonde_connection_ipv6, struct sock *sk, void *address, int size, int result)
{
	return connect_returned(sk, address, result);
}
