// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// What the retransmissions programs tell user space: facts of the kernel's TCP, not yet judged.
#ifndef SONDE_RETRANSMISSIONS_ABI_H
#define SONDE_RETRANSMISSIONS_ABI_H

#include <sonde/abi/event.h>
#include <sonde/abi/owner.h>
#include <sonde/abi/socket.h>

enum {
	SONDE_DEVICE_NAME_SIZE = 16,
	SONDE_DROP_REASONS = 256, // reasons of the kernel's core; those of subsystems have larger numbers
};

// What the record is about.
enum sonde_retransmission_source {
	SONDE_RETRANSMIT_SKB = 1,      // a segment of the socket's queue was sent again
	SONDE_RETRANSMIT_SYN_ACK = 2,  // a SYN-ACK of a request without a socket of its own
	SONDE_RETRANSMIT_SPURIOUS = 3, // nothing was sent: earlier retransmissions turned out to be needless
	SONDE_RETRANSMIT_LATE = 4,     // nothing was sent now: `unreported` came to light when the socket was closed
};

enum sonde_spurious_evidence {
	SONDE_SPURIOUS_DSACK = 1, // the peer says that it got the data twice (RFC 2883)
	SONDE_SPURIOUS_UNDO =
		2, // the kernel took back its congestion response: F-RTO or timestamps (RFC 5682, RFC 3522)
};

// A packet that was freed on this host, in any network namespace, before it reached the peer's TCP.
struct sonde_local_drop {
	__u64 time_ns;           // CLOCK_MONOTONIC; 0: there was none
	__u64 location;          // kernel address of the function that freed it
	__u32 reason;            // enum skb_drop_reason of the running kernel
	__u32 ifindex;           // 0: none
	__u32 network_namespace; // of the interface, inode number
	__u32 reserved;
	char device[SONDE_DEVICE_NAME_SIZE]; // name of the interface, NUL-terminated
};

struct sonde_retransmission_event {
	struct sonde_event_header header; // type SONDE_EVENT_RETRANSMISSION
	struct sonde_socket socket;
	struct sonde_socket_owner owner; // of a SYN-ACK: the listener's
	struct sonde_local_drop drop;    // what ate the segment that is sent again
	__u64 jiffies;                   // at the hook: with ts_ns it tells how long a jiffy is
	__u32 sequence;                  // host byte order
	__u32 end_sequence;              // behind the last byte; SYN and FIN count as one
	__u32 segments;                  // wire segments, as TcpRetransSegs counts them
	__u32 unreported;                // counted by the socket before this one without a record of their own
	__s32 error;                     // what the sending gave: 0, -errno, or NET_XMIT_DROP = 1
	__u32 smoothed_rtt_us;
	__u32 rto_jiffies;
	__u32 congestion_window; // segments
	__u32 bytes_in_flight;   // snd_nxt - snd_una
	__u32 socket_total;      // segments sent again on this socket, this one included
	__u32 spurious;          // SONDE_RETRANSMIT_SPURIOUS: segments that were needless
	__u32 undo_marker;       // 0: the congestion response cannot be, or has been, taken back
	__u8 source;             // enum sonde_retransmission_source
	__u8 evidence;           // enum sonde_spurious_evidence
	__u8 congestion_state;   // enum tcp_ca_state: Open, Disorder, CWR, Recovery, Loss
	__u8 timeouts;           // icsk_retransmits: timeouts in a row
	__u8 pending_timer; // icsk_pending: 0 none (the timer that just fired), 1 RTO, 2 RACK, 3 probe, 5 tail-loss
			    // probe
	__u8 tcp_flags;     // byte 13 of the TCP header
	__u8 scoreboard;    // TCP_SKB_CB.sacked: 4 is TCPCB_LOST
	__u8 reserved;
};

// Beside a socket that retransmits.
struct sonde_retransmitter {
	__u32 total;         // tcp_sock.total_retrans that has been reported
	__u32 duplicates;    // tcp_sock.dsack_dups that has been reported, as far as it was believed
	__u32 undone;        // segments reported by SONDE_SPURIOUS_UNDO that D-SACKs may still tell again
	__u32 episode_total; // total_retrans when the socket entered Recovery or Loss
	__u8 undo_armed;     // the response of this episode could be taken back when it began
	__u8 reserved[7];
};

#endif
