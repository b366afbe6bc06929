// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What a client on this host sends to the proxy lands in the receive queue of a backend on this host, and back.
 *
 * track_established notes where the streams of such sockets begin, when their connections are established.
 * pair_sockets, run by user space for a connection that has lived for a moment, puts both into SOCK_MAP.
 * redirect_msg sees every send of the sockets of SOCK_MAP. It redirects a message only when all that the sender ever
 * sent over TCP has been read by the receiver: tcp_bpf_recvmsg() reads what was redirected before what came over TCP,
 * so nothing may be redirected while there is anything of the latter. Whatever else holds, SK_PASS is right: the bytes
 * go over TCP to the proxy, which relays them.
 */
#include "kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bypass.abi.h"

enum {
	FAMILY_IPV4 = 2,
	FAMILY_IPV6 = 10,
	/* A handshake is shorter; see handshake_is_over(). */
	HANDSHAKE_BYTES = 65536,
	WAITERS_AT_MOST = 4,
	DRAIN_BYTES = 1 << 20,
	DRAIN_STEPS = 8192,
	DRAIN_NS = 60000,
	DRAIN_BACKOFF = 127, /* messages */
	LEVEL_TCP = 6,
	NOTSENT_LOWAT = 25, /* include/uapi/linux/tcp.h */
	OPEN_NONBLOCK = 04000,
};

const volatile __u64 network_namespace; /* cookie */
const volatile __u32 queue_limit = 1;   /* bytes that may lie unread in a receiver */
const volatile __u32 keep_stats = 1;

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 65536);
	__type(key, struct sonde_bypass_socket);
	__type(value, __u64);
} SOCK_MAP SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_bypass_socket);
	__type(value, struct sonde_bypass_direction);
} CONNECTION_MAP SEC(".maps");

/* Addresses whose clients are noted. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sonde_bypass_listener);
	__type(value, __u32);
} LISTENERS SEC(".maps");

/* Upstream sockets of the proxy whose peer is to be noted, marked before they connect. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} UPSTREAMS SEC(".maps");

/* Backends whose handshake is under way, by the socket that they will have. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct sonde_bypass_socket);
	__type(value, __u32);
} EXPECTED SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sonde_bypass_origin);
} ORIGINS SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sonde_bypass_traffic);
} TRAFFIC_STATS SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sonde_bypass_connections);
} CONNECTION_STATS SEC(".maps");

#define count_connection(member)                                                                                       \
	do {                                                                                                           \
		__u32 zero = 0;                                                                                        \
		struct sonde_bypass_connections *connections =                                                         \
			keep_stats ? bpf_map_lookup_elem(&CONNECTION_STATS, &zero) : 0;                                \
		if (connections)                                                                                       \
			__sync_fetch_and_add(&connections->member, 1);                                                 \
	} while (0)

#define count_traffic(member, amount)                                                                                  \
	do {                                                                                                           \
		__u32 zero = 0;                                                                                        \
		struct sonde_bypass_traffic *traffic = keep_stats ? bpf_map_lookup_elem(&TRAFFIC_STATS, &zero) : 0;    \
		if (traffic)                                                                                           \
			traffic->member += (amount);                                                                   \
	} while (0)

static __always_inline void set_ipv4(__u32 *address, __u32 ipv4)
{
	address[0] = 0;
	address[1] = 0;
	address[2] = bpf_htonl(0xffff);
	address[3] = ipv4;
}

/*
 * The socket that a struct bpf_sock_ops or sk_msg_md is about. 0: it has no addresses. volatile: the verifier wants
 * each member at its place, and the compiler would merge the branches.
 */
#define read_socket(ctx, socket)                                                                                       \
	({                                                                                                             \
		volatile typeof(*(ctx)) *from = (ctx);                                                                 \
		__u32 *local = (socket)->local_address, *remote = (socket)->remote_address;                            \
		__u32 family = from->family;                                                                           \
                                                                                                                       \
		if (family == FAMILY_IPV4) {                                                                           \
			set_ipv4(local, from->local_ip4);                                                              \
			set_ipv4(remote, from->remote_ip4);                                                            \
		} else if (family == FAMILY_IPV6) {                                                                    \
			local[0] = from->local_ip6[0];                                                                 \
			local[1] = from->local_ip6[1];                                                                 \
			local[2] = from->local_ip6[2];                                                                 \
			local[3] = from->local_ip6[3];                                                                 \
			remote[0] = from->remote_ip6[0];                                                               \
			remote[1] = from->remote_ip6[1];                                                               \
			remote[2] = from->remote_ip6[2];                                                               \
			remote[3] = from->remote_ip6[3];                                                               \
		}                                                                                                      \
		(socket)->local_port = from->local_port;                                                               \
		(socket)->remote_port = bpf_ntohl(from->remote_port);                                                  \
		family == FAMILY_IPV4 || family == FAMILY_IPV6;                                                        \
	})

static __always_inline void swap_ends(struct sonde_bypass_socket *socket, const struct sonde_bypass_socket *other)
{
	__builtin_memcpy(socket->local_address, other->remote_address, 16);
	__builtin_memcpy(socket->remote_address, other->local_address, 16);
	socket->local_port = other->remote_port;
	socket->remote_port = other->local_port;
}

static __always_inline int is_listener(const struct sonde_bypass_socket *socket)
{
	struct sonde_bypass_listener listener = {.port = socket->remote_port};
	__u32 *address = listener.address;

	__builtin_memcpy(address, socket->remote_address, 16);
	if (bpf_map_lookup_elem(&LISTENERS, &listener))
		return 1;
	if (address[0] || address[1] || address[2] != bpf_htonl(0xffff) || (bpf_ntohl(address[3]) >> 24) != 127)
		return 0;
	address[3] = bpf_htonl(0x7f000000);
	return bpf_map_lookup_elem(&LISTENERS, &listener) != 0;
}

static __always_inline int note_origin(struct bpf_sock_ops *ctx)
{
	struct sonde_bypass_origin origin = {.write_seq = ctx->snd_nxt, .copied_seq = ctx->rcv_nxt};
	struct bpf_sock *sk = ctx->sk;
	int one = 1;

	if (!sk || ctx->data_segs_out) /* TCP fast open: the stream has begun already */
		return 0;
	bpf_setsockopt(ctx, LEVEL_TCP, NOTSENT_LOWAT, &one, sizeof(one)); /* see wait_for_drain() */
	return bpf_sk_storage_get(&ORIGINS, sk, &origin, BPF_SK_STORAGE_GET_F_CREATE) != 0;
}

static __always_inline void note_client(struct bpf_sock_ops *ctx)
{
	struct sonde_bypass_socket socket = {};

	if (read_socket(ctx, &socket) && is_listener(&socket) && note_origin(ctx))
		count_connection(seen_clients);
}

static __always_inline void expect_backend(struct bpf_sock_ops *ctx)
{
	struct sonde_bypass_socket socket = {}, backend;
	struct bpf_sock *sk = ctx->sk;
	__u32 one = 1;

	if (!sk || !bpf_sk_storage_get(&UPSTREAMS, sk, 0, 0) || !read_socket(ctx, &socket))
		return;
	swap_ends(&backend, &socket);
	bpf_map_update_elem(&EXPECTED, &backend, &one, BPF_ANY);
}

static __always_inline void note_backend(struct bpf_sock_ops *ctx)
{
	struct sonde_bypass_socket socket = {};

	if (!read_socket(ctx, &socket) || bpf_map_delete_elem(&EXPECTED, &socket))
		return;
	if (note_origin(ctx))
		count_connection(seen_backends);
}

SEC("sockops")
int track_established(struct bpf_sock_ops *ctx)
{
	__u32 op = ctx->op;

	if (op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB && op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB &&
	    op != BPF_SOCK_OPS_TCP_CONNECT_CB)
		return 1;
	if (bpf_get_netns_cookie(ctx) != network_namespace)
		return 1;
	if (op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		note_client(ctx);
	else if (op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		note_backend(ctx);
	else
		expect_backend(ctx);
	return 1;
}

extern const void woken_wake_function __ksym __weak;

/*
 * A reader that wants more than there is (MSG_WAITALL) waits in tcp_recvmsg(), which does not look at what is
 * redirected. Who waits in tcp_bpf_recvmsg() or tcp_bpf_sendmsg() holds a reference of the sk_psock; the map holds one.
 */
static __always_inline int has_plain_waiter(struct sock *sk)
{
	struct sk_psock *psock = (void *)((unsigned long)BPF_CORE_READ(sk, sk_user_data) & ~7UL);
	struct socket_wq *queue = BPF_CORE_READ(sk, sk_wq);
	void *head = (void *)queue + bpf_core_field_offset(queue->wait.head);
	void *entry = BPF_CORE_READ(queue, wait.head.next);
	int held = BPF_CORE_READ(psock, refcnt.refs.counter) - 1;
	int i;

	for (i = 0; i < WAITERS_AT_MOST && entry && entry != head; i++) {
		struct wait_queue_entry *waiter = entry - bpf_core_field_offset(((struct wait_queue_entry *)0)->entry);

		if (BPF_CORE_READ(waiter, func) == &woken_wake_function)
			held--;
		entry = BPF_CORE_READ(waiter, entry.next);
	}
	return held < 0 || i == WAITERS_AT_MOST;
}

/*
 * TLS in the kernel (kTLS) reads what was redirected as if it were deciphered. A socket gets it at the end of the
 * handshake, so all of the handshake goes over TCP: it is over once the receiver has read what the backend answered to
 * the client's second flight (TLS 1.2: Finished, 1.3: tickets or the first response), or more than a handshake has.
 */
static __always_inline int handshake_is_over(struct sonde_bypass_direction *direction, __u32 sent)
{
	struct sonde_bypass_direction *other;
	__u64 spoken;

	if (direction->turns || sent > HANDSHAKE_BYTES)
		return 1;
	other = bpf_map_lookup_elem(&CONNECTION_MAP, &direction->receiver);
	if (!other)
		return 0;
	if (direction->role == SONDE_BYPASS_CLIENT) {
		direction->turns = other->turns;
		return direction->turns;
	}
	spoken = other->passed + other->messages;
	if (spoken == direction->answered)
		return 0;
	direction->answered = spoken;
	direction->turns = 1;
	return 0; /* this message is the answer itself */
}

enum verdict {
	REDIRECT,
	HANDSHAKE,
	NOT_DRAINED,
	FULL,
	GONE,
	UNSUITED,
};

static __always_inline __u32 copied_seq(struct tcp_sock *tcp)
{
	return BPF_CORE_READ(tcp, copied_seq);
}

struct drain {
	struct tcp_sock *to;
	__u32 target; /* copied_seq when all has been read */
	__u64 deadline;
};

static long is_drained(__u32 step, struct drain *drain)
{
	return copied_seq(drain->to) == drain->target || bpf_ktime_get_ns() > drain->deadline;
}

/*
 * Who sends without a pause has always something on its way, and would never get off TCP: the sender of much waits for
 * a moment until the receiver has read it. TCP_NOTSENT_LOWAT keeps it little. In vain: not so soon again.
 */
static __always_inline int wait_for_drain(struct sonde_bypass_direction *direction, struct tcp_sock *from,
					  struct drain *drain, __u32 on_its_way)
{
	if (on_its_way > DRAIN_BYTES || from->snd_nxt != from->write_seq || direction->passed < direction->wait_at)
		return 0;
	drain->deadline = bpf_ktime_get_ns() + DRAIN_NS;
	bpf_loop(DRAIN_STEPS, is_drained, drain, 0);
	if (copied_seq(drain->to) == drain->target) {
		direction->backoff = 0;
		return 1;
	}
	direction->backoff = direction->backoff >= DRAIN_BACKOFF ? DRAIN_BACKOFF : direction->backoff * 2 + 1;
	direction->wait_at = direction->passed + direction->backoff;
	return 0;
}

/* The last message did not go direct: may this one? */
static __always_inline int begin_direct(struct sonde_bypass_direction *direction, struct tcp_sock *from,
					struct tcp_sock *to)
{
	struct sock *receiver = (struct sock *)to;
	__u32 sent = from->write_seq - direction->sender_origin;
	struct drain drain = {.to = to, .target = sent + direction->receiver_origin};
	__u32 on_its_way = drain.target - copied_seq(to);

	if (!handshake_is_over(direction, sent))
		return HANDSHAKE;
	/* Who was about to read when its socket came into SOCK_MAP is in tcp_recvmsg() until it has read something. */
	if (!direction->passed)
		return NOT_DRAINED;
	if (on_its_way && (sent <= HANDSHAKE_BYTES || !wait_for_drain(direction, from, &drain, on_its_way)))
		return NOT_DRAINED;
	if (BPF_CORE_READ(receiver, sk_rcvlowat) > 1 || BPF_CORE_READ(receiver, sk_lock.owned) ||
	    has_plain_waiter(receiver))
		return UNSUITED;
	return REDIRECT;
}

/* Then TCP would send less, and what is redirected could fail with ENOMEM (net.ipv4.tcp_mem). */
static __always_inline int is_short_of_memory(struct tcp_sock *tcp)
{
	unsigned long *pressure = BPF_CORE_READ((struct sock *)tcp, __sk_common.skc_prot, memory_pressure);
	unsigned long value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), pressure);
	return value != 0;
}

/*
 * The receiver may be closed and its memory another's: then what is read here is wrong, and harmless, since it is not
 * in SOCK_MAP any more and bpf_msg_redirect_hash() fails.
 */
static __always_inline int judge(struct sk_msg_md *msg, struct sonde_bypass_direction *direction)
{
	struct tcp_sock *to = (void *)direction->receiver_sock, *from;
	struct bpf_sock *sender = msg->sk;
	int unread;

	if (!sender)
		return UNSUITED;
	from = bpf_skc_to_tcp_sock(sender);
	if (!from || (__u64)from != direction->sender_sock)
		return GONE;
	if (from->inet_conn.icsk_ulp_ops || BPF_CORE_READ(to, inet_conn.icsk_ulp_ops))
		return UNSUITED;
	unread = BPF_CORE_READ((struct sock *)to, sk_backlog.rmem_alloc.counter);
	if (unread > 0 && (unread + msg->size > queue_limit || is_short_of_memory(from)))
		return FULL;
	return direction->direct ? REDIRECT : begin_direct(direction, from, to);
}

static __always_inline void count_passed(int verdict)
{
	count_traffic(passed, 1);
	if (verdict == HANDSHAKE)
		count_traffic(handshake, 1);
	else if (verdict == NOT_DRAINED)
		count_traffic(not_drained, 1);
	else if (verdict == FULL)
		count_traffic(full, 1);
	else if (verdict == GONE)
		count_traffic(gone, 1);
	else
		count_traffic(unsuited, 1);
}

static __always_inline void count_redirected(struct sonde_bypass_direction *direction, __u32 size)
{
	direction->bytes += size;
	direction->messages++;
	if (direction->role == SONDE_BYPASS_CLIENT) {
		count_traffic(bytes_to_backend, size);
		count_traffic(messages_to_backend, 1);
	} else {
		count_traffic(bytes_to_client, size);
		count_traffic(messages_to_client, 1);
	}
}

SEC("sk_msg")
int redirect_msg(struct sk_msg_md *msg)
{
	struct sonde_bypass_direction *direction;
	struct sonde_bypass_socket sender = {};
	__u32 size = msg->size;
	int verdict;

	if (!read_socket(msg, &sender))
		return SK_PASS;
	direction = bpf_map_lookup_elem(&CONNECTION_MAP, &sender);
	if (!direction)
		return SK_PASS;
	verdict = judge(msg, direction);
	/* SK_DROP: the receiver has been closed since it was looked up. */
	if (verdict == REDIRECT &&
	    bpf_msg_redirect_hash(msg, &SOCK_MAP, &direction->receiver, BPF_F_INGRESS) != SK_PASS)
		verdict = GONE;
	direction->direct = verdict == REDIRECT;
	if (verdict == REDIRECT) {
		count_redirected(direction, size);
	} else {
		direction->passed++;
		count_passed(verdict);
	}
	return SK_PASS;
}

static __always_inline struct bpf_sock *find_socket(struct __sk_buff *skb, const struct sonde_bypass_socket *socket)
{
	struct bpf_sock_tuple tuple = {};

	/* As in a packet to the socket. */
	if (!socket->local_address[0] && !socket->local_address[1] && socket->local_address[2] == bpf_htonl(0xffff)) {
		tuple.ipv4.saddr = socket->remote_address[3];
		tuple.ipv4.daddr = socket->local_address[3];
		tuple.ipv4.sport = bpf_htons(socket->remote_port);
		tuple.ipv4.dport = bpf_htons(socket->local_port);
		return bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	__builtin_memcpy(tuple.ipv6.saddr, socket->remote_address, 16);
	__builtin_memcpy(tuple.ipv6.daddr, socket->local_address, 16);
	tuple.ipv6.sport = bpf_htons(socket->remote_port);
	tuple.ipv6.dport = bpf_htons(socket->local_port);
	return bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
}

/*
 * tcp_bpf_recvmsg() ends a blocking read with EAGAIN when it is woken without data: by a signal, a reset, or room to
 * write. Programs whose sockets block do not expect that.
 */
static __always_inline int file_verdict(struct sock *sk)
{
	struct file *file = BPF_CORE_READ(sk, sk_socket, file);

	if (!file)
		return SONDE_BYPASS_NOT_ACCEPTED;
	return BPF_CORE_READ(file, f_flags) & OPEN_NONBLOCK ? SONDE_BYPASS_PAIRED : SONDE_BYPASS_BLOCKING;
}

static __always_inline int socket_verdict(struct tcp_sock *tcp)
{
	struct sock *sk = (struct sock *)tcp;
	unsigned long zerocopy = bpf_core_enum_value(enum sock_flags, SOCK_ZEROCOPY);

	if (tcp->inet_conn.icsk_ulp_ops || (sk->__sk_common.skc_flags >> zerocopy & 1))
		return SONDE_BYPASS_UNSUITED;
	return file_verdict(sk);
}

/* May it be captured? Where its streams begin, and the address of its struct sock. */
static __always_inline int examine(struct __sk_buff *skb, const struct sonde_bypass_socket *socket,
				   struct sonde_bypass_origin *out, __u64 *address, int absent)
{
	struct bpf_sock *sk = find_socket(skb, socket);
	struct sonde_bypass_origin *origin;
	struct tcp_sock *tcp;
	int verdict = absent;

	if (!sk)
		return absent;
	origin = bpf_sk_storage_get(&ORIGINS, sk, 0, 0);
	tcp = bpf_skc_to_tcp_sock(sk);
	if (origin && tcp) {
		*out = *origin;
		*address = (__u64)tcp;
		verdict = socket_verdict(tcp);
	}
	bpf_sk_release(sk);
	return verdict;
}

/* Puts a socket into SOCK_MAP. 0: done. */
static __always_inline int capture(struct __sk_buff *skb, const struct sonde_bypass_socket *socket)
{
	struct bpf_sock *sk = find_socket(skb, socket);
	int error;

	if (!sk)
		return 1;
	error = bpf_map_update_elem(&SOCK_MAP, socket, sk, BPF_ANY) != 0;
	bpf_sk_release(sk);
	if (!error)
		count_connection(captured);
	return error;
}

/* Run by user space (BPF_PROG_TEST_RUN), never attached: captures a connection's sockets, and writes both directions.
 */
SEC("tc")
int pair_sockets(struct __sk_buff *skb)
{
	struct sonde_bypass_pair *pair = (void *)(long)skb->data;
	struct sonde_bypass_direction forth = {.role = SONDE_BYPASS_CLIENT}, back = {.role = SONDE_BYPASS_BACKEND};
	struct sonde_bypass_origin client = {}, backend = {};
	int verdict;

	if ((void *)(pair + 1) > (void *)(long)skb->data_end)
		return SONDE_BYPASS_BAD_FRAME;
	forth.receiver = pair->backend;
	back.receiver = pair->client;
	forth.receiver_origin = pair->skew_to_backend;
	back.receiver_origin = pair->skew_to_client;
	verdict = examine(skb, &forth.receiver, &backend, &back.sender_sock, SONDE_BYPASS_NO_BACKEND);
	if (!verdict)
		verdict = examine(skb, &back.receiver, &client, &forth.sender_sock, SONDE_BYPASS_NO_CLIENT);
	if (verdict)
		return verdict;
	forth.receiver_sock = back.sender_sock;
	back.receiver_sock = forth.sender_sock;
	forth.sender_origin = client.write_seq;
	forth.receiver_origin += backend.copied_seq;
	back.sender_origin = backend.write_seq;
	back.receiver_origin += client.copied_seq;
	if (capture(skb, &forth.receiver) || capture(skb, &back.receiver) ||
	    bpf_map_update_elem(&CONNECTION_MAP, &forth.receiver, &back, BPF_ANY))
		goto release;
	if (!bpf_map_update_elem(&CONNECTION_MAP, &back.receiver, &forth, BPF_ANY))
		return SONDE_BYPASS_PAIRED;
	bpf_map_delete_elem(&CONNECTION_MAP, &forth.receiver);
release:
	bpf_map_delete_elem(&SOCK_MAP, &forth.receiver);
	bpf_map_delete_elem(&SOCK_MAP, &back.receiver);
	return SONDE_BYPASS_NO_ROOM;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
