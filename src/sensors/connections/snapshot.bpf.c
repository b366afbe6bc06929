// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The sockets that are open in a network namespace, one struct sonde_open_socket each. */
#include "owner.h"
#include "socket.h"
#include "tcp.bpf.h"
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* As sonde_read_socket(), also for request and TIME_WAIT sockets, which are a sock_common and little more. */
static __always_inline void read_common(struct sonde_socket *out, struct sock_common *common, __u8 protocol)
{
	out->family = common->skc_family;
	out->state = common->skc_state;
	out->protocol = protocol;
	out->network_namespace = common->skc_net.net->ns.inum;
	out->cookie = common->skc_cookie.counter;
	out->local_port = common->skc_num;
	out->remote_port = __builtin_bswap16(common->skc_dport);
	if (out->family == SONDE_AF_INET) {
		sonde_map_ipv4(out->local_address, common->skc_rcv_saddr);
		sonde_map_ipv4(out->remote_address, common->skc_daddr);
	} else if (out->family == SONDE_AF_INET6) {
		bpf_core_read(out->local_address, 16, &common->skc_v6_rcv_saddr);
		bpf_core_read(out->remote_address, 16, &common->skc_v6_daddr);
	}
	if (!out->remote_port) /* not connected */
		__builtin_memset(out->remote_address, 0, 16);
}

static __always_inline void read_tcp(struct sonde_open_socket *out, struct tcp_sock *tcp)
{
	struct sock *sk = (struct sock *)tcp;
	int state = out->socket.state;

	sonde_read_owner(&out->owner, tcp, out->socket.cookie);
	sonde_name_kernel(&out->owner, sk);
	if (state == SONDE_TCP_LISTEN)
		return;
	sonde_read_counters(&out->counters, tcp);
	out->flags = sonde_fin_flags(sk, tcp, state);
}

static __always_inline void read_time_wait(struct sonde_open_socket *out, struct tcp_timewait_sock *waiting)
{
	out->kind = SONDE_OPEN_TIME_WAIT;
	out->socket.state = waiting->tw_sk.tw_substate; /* TIME_WAIT or FIN_WAIT2 */
	sonde_no_owner(&out->owner, SONDE_REASON_TIME_WAIT);
}

SEC("iter/tcp")
int sonde_snapshot_tcp(struct bpf_iter__tcp *context)
{
	struct sock_common *common = context->sk_common;
	struct tcp_timewait_sock *waiting;
	struct sonde_open_socket record;
	struct tcp_sock *tcp;

	if (!common)
		return 0;
	__builtin_memset(&record, 0, sizeof(record));
	read_common(&record.socket, common, SONDE_IPPROTO_TCP);
	tcp = bpf_skc_to_tcp_sock(common);
	waiting = tcp ? 0 : bpf_skc_to_tcp_timewait_sock(common);
	if (tcp) {
		read_tcp(&record, tcp);
	} else if (waiting) {
		read_time_wait(&record, waiting);
	} else {
		record.kind = SONDE_OPEN_REQUEST;
		record.socket.state = SONDE_TCP_SYN_RECV; /* TCP_NEW_SYN_RECV is the kernel's own */
		sonde_no_owner(&record.owner, SONDE_REASON_NOT_RECORDED);
	}
	bpf_seq_write(context->meta->seq, &record, sizeof(record));
	return 0;
}

SEC("iter/udp")
int sonde_snapshot_udp(struct bpf_iter__udp *context)
{
	struct udp_sock *udp = context->udp_sk;
	struct sonde_open_socket record;

	if (!udp)
		return 0;
	__builtin_memset(&record, 0, sizeof(record));
	read_common(&record.socket, &udp->inet.sk.__sk_common, SONDE_IPPROTO_UDP);
	sonde_read_owner(&record.owner, udp, record.socket.cookie);
	sonde_name_kernel(&record.owner, &udp->inet.sk);
	bpf_seq_write(context->meta->seq, &record, sizeof(record));
	return 0;
}
