// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// What the connections programs and their user-space half agree on.
#ifndef SONDE_CONNECTIONS_ABI_H
#define SONDE_CONNECTIONS_ABI_H

#include <sonde/abi/event.h>
#include <sonde/abi/owner.h>
#include <sonde/abi/socket.h>

enum sonde_connection_kind {
	SONDE_CONNECTION_OPENED = 0,
	SONDE_CONNECTION_FAILED = 1, // never established
	SONDE_CONNECTION_CLOSED = 2,
};

enum sonde_connection_direction {
	SONDE_CONNECTION_UNDIRECTED = 0, // older than sonde
	SONDE_CONNECTION_OUTBOUND = 1,
	SONDE_CONNECTION_INBOUND = 2,
};

// What is known about the connection when it changes state.
enum sonde_connection_flags {
	SONDE_CONNECTION_FIN_ACKED = 1 << 0,        // our FIN was acknowledged
	SONDE_CONNECTION_FIN_RECEIVED = 1 << 1,     // the peer's FIN has come
	SONDE_CONNECTION_RESET_RECEIVED = 1 << 2,   // the kernel reset it because of a received segment
	SONDE_CONNECTION_RESET_SENT = 1 << 3,       // a RST was sent before the state changed
	SONDE_CONNECTION_DATA_AFTER_CLOSE = 1 << 4, // with FIN_WAIT: data came for a socket that the process has closed
	SONDE_CONNECTION_REPAIR = 1 << 5,           // under TCP_REPAIR: state changes that no segment has caused
	SONDE_CONNECTION_NO_SYN = 1 << 6,           // connect() failed before the SYN
};

// Counters of a TCP socket as the kernel keeps them.
struct sonde_tcp_counters {
	__u64 bytes_acked;    // sequence numbers that the peer acknowledged: our SYN (outbound only) and FIN count too
	__u64 bytes_received; // the peer's FIN counts too
	__u64 bytes_sent;     // payload, retransmissions included
	__u64 bytes_retransmitted; // payload
	__u32 segments_sent;
	__u32 segments_received;
	__u32 retransmissions; // segments
	__u32 smoothed_rtt_us; // 0: none measured
	__u32 in_flight;       // sequence numbers sent and not acknowledged, a FIN included
	__u32 reserved;
};

// Kept beside the socket from its SYN or establishment on.
struct sonde_connection_record {
	__u64 syn_ns;                 // CLOCK_MONOTONIC; 0: not outbound, or not seen
	__u64 established_ns;         // CLOCK_MONOTONIC; 0: not yet, or not seen
	__u32 data_segments_at_close; // received when it went to FIN_WAIT1 with the process gone
	__u8 direction;               // enum sonde_connection_direction
	__u8 flags;                   // enum sonde_connection_flags, collected on the way
	__u8 closed_by_process;       // 1: data_segments_at_close holds
	__u8 reserved;
};

struct sonde_connection_event {
	struct sonde_event_header header;
	struct sonde_socket socket; // socket.state: the state it left
	struct sonde_socket_owner owner;
	struct sonde_tcp_counters counters;
	__u64 syn_ns;         // as in the record
	__u64 established_ns; // as in the record
	__s32 error; // errno: sk_err, else sk_err_soft of a socket that was never established, or what connect() gave
	__u8 kind;   // enum sonde_connection_kind
	__u8 direction; // enum sonde_connection_direction
	__u8 flags;     // enum sonde_connection_flags
	__u8 reserved;
};

enum sonde_open_socket_kind {
	SONDE_OPEN_FULL = 0,      // a socket
	SONDE_OPEN_TIME_WAIT = 1, // what is left of one
	SONDE_OPEN_REQUEST = 2,   // a SYN that a listener has answered
};

// What the iterators write.
struct sonde_open_socket {
	struct sonde_socket socket;
	struct sonde_socket_owner owner;
	struct sonde_tcp_counters counters; // zero but for full TCP sockets that do not listen
	__u8 kind;                          // enum sonde_open_socket_kind
	__u8 flags;                         // SONDE_CONNECTION_FIN_ACKED, _FIN_RECEIVED
	__u8 reserved[6];
};

#endif
