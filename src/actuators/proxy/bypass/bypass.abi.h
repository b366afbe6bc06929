// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// What the programs of the local bypass and their user-space half agree on.
#ifndef SONDE_PROXY_BYPASS_ABI_H
#define SONDE_PROXY_BYPASS_ABI_H

#include <linux/types.h>

// A socket as it sees itself: key of SOCK_MAP and CONNECTION_MAP. Addresses in network byte order, IPv4 as
// ::ffff:a.b.c.d; ports in host byte order.
struct sonde_bypass_socket {
	__u32 local_address[4];
	__u32 remote_address[4];
	__u16 local_port;
	__u16 remote_port;
};

// Key of LISTENERS. 127.0.0.0 stands for all of 127.0.0.0/8.
struct sonde_bypass_listener {
	__u32 address[4];
	__u32 port; // host byte order
};

// Sequence numbers that a socket had when its connection was established: of the first byte each way.
struct sonde_bypass_origin {
	__u32 write_seq;
	__u32 copied_seq;
};

enum sonde_bypass_role {
	SONDE_BYPASS_CLIENT = 0,  // the sender is the client
	SONDE_BYPASS_BACKEND = 1, // the sender is the backend
};

// One direction of a connection, in CONNECTION_MAP under the sender's socket. What stands behind `role` is written by
// redirect_msg alone, under the lock of the sender.
struct sonde_bypass_direction {
	struct sonde_bypass_socket receiver;
	__u32 sender_origin;   // write_seq of the sender at its byte 0
	__u32 receiver_origin; // copied_seq of the receiver at the sender's byte 0
	__u32 role;            // enum sonde_bypass_role
	__u64 sender_sock;     // addresses of struct sock
	__u64 receiver_sock;
	__u64 bytes;    // redirected
	__u64 messages; // redirected
	__u64 passed;   // messages that went over TCP
	__u64 answered; // messages of the other direction when this one spoke last
	__u64 wait_at;  // `passed` from which on it pays to wait for the receiver
	__u64 backoff;  // messages
	__u32 direct;   // 1: all that the sender sent is redirected or has been read
	__u32 turns;    // this direction has answered the other
};

// What pair_sockets reads: a frame of this, and says: enum sonde_bypass_pairing.
struct sonde_bypass_pair {
	__u8 ethernet[16]; // zero; the kernel wants the room of a header
	struct sonde_bypass_socket client;
	struct sonde_bypass_socket backend;
	__u32 skew_to_backend; // position in the receiver's stream of the sender's byte 0, modulo 2^32
	__u32 skew_to_client;
};

#ifdef __cplusplus
static_assert(sizeof(struct sonde_bypass_pair) == 96); // no map has it, so it is in no BTF
#else
_Static_assert(sizeof(struct sonde_bypass_pair) == 96, "as user space has it");
#endif

enum sonde_bypass_pairing {
	SONDE_BYPASS_PAIRED = 0,
	SONDE_BYPASS_NO_CLIENT = 1, // it is not there, or was not seen when it connected
	SONDE_BYPASS_NO_BACKEND = 2,
	SONDE_BYPASS_NOT_ACCEPTED = 3, // the backend's program has not called accept() yet
	SONDE_BYPASS_BLOCKING = 4,     // one of them has no O_NONBLOCK
	SONDE_BYPASS_UNSUITED = 5,     // TLS in the kernel, MSG_ZEROCOPY
	SONDE_BYPASS_NO_ROOM = 6,      // in SOCK_MAP or CONNECTION_MAP
	SONDE_BYPASS_BAD_FRAME = 7,
};

// Messages and bytes since the start, all connections: element 0 of TRAFFIC_STATS, one a CPU.
struct sonde_bypass_traffic {
	__u64 bytes_to_backend; // redirected
	__u64 bytes_to_client;
	__u64 messages_to_backend;
	__u64 messages_to_client;
	__u64 passed;      // messages that went over TCP, by one of these reasons:
	__u64 handshake;   // the TLS handshake is not over for certain
	__u64 not_drained; // bytes sent over TCP had not been read yet
	__u64 full;        // too much lay unread
	__u64 gone;        // the receiver has no socket in SOCK_MAP (any more)
	__u64 unsuited;    // TLS in the kernel, SO_RCVLOWAT, or a reader that waits for more than there is
};

// Connections since the start: element 0 of CONNECTION_STATS.
struct sonde_bypass_connections {
	__u64 seen_clients;      // connected to a listener of the proxy
	__u64 seen_backends;     // that an upstream socket of the proxy connected to
	__u64 captured;          // sockets put into SOCK_MAP
	__u64 taken;             // connections that use the path
	__u64 ended;             // of these
	__u64 declined_short;    // connections that ended before they were taken
	__u64 declined_client;   // no client's socket: not on this host, or older than the proxy
	__u64 declined_backend;  // no backend's socket, or not accepted in time
	__u64 declined_blocking; // a socket without O_NONBLOCK
	__u64 declined_unsuited; // TLS in the kernel, MSG_ZEROCOPY
	__u64 declined_kernel;   // a map is full, or the kernel did not let us
};

#endif
