// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// What the programs of the wire splice and their user-space half agree on, and what one process of the proxy leaves to
// the next: the maps are pinned. Whoever changes a struct changes SONDE_WIRE_VERSION.
#ifndef SONDE_PROXY_WIRE_ABI_H
#define SONDE_PROXY_WIRE_ABI_H

#include <linux/types.h>

enum { SONDE_WIRE_VERSION = 1 };

// Who sends: the client to the proxy, or the upstream to the proxy.
enum sonde_wire_side {
	SONDE_WIRE_CLIENT = 0,
	SONDE_WIRE_UPSTREAM = 1,
};

// Key of FLOWS: source and destination of the packets that a peer sends to the proxy. All in network byte order, IPv4
// as ::ffff:a.b.c.d.
struct sonde_wire_flow {
	__u32 source[4];
	__u32 destination[4];
	__u16 source_port;
	__u16 destination_port;
};

// Value of FLOWS.
struct sonde_wire_place {
	__u32 connection; // index in CONNECTIONS
	__u32 side;       // enum sonde_wire_side: whose packets these are
};

enum sonde_wire_phase {
	SONDE_WIRE_FREE = 0,
	SONDE_WIRE_TAKEN = 1,   // a process fills it; its packets go to the stack
	SONDE_WIRE_JOINING = 2, // packets are forwarded, and acknowledge what the proxy's sockets have sent; `owner`
				// relays what these hold still
	SONDE_WIRE_SPLICED = 3, // packets are forwarded, the sockets are frozen or gone
	SONDE_WIRE_ABORTED = 4, // who sends a packet is answered with a reset
	SONDE_WIRE_FREED = 5,   // out of FLOWS; a program may look at it still
};

// Of a side.
enum sonde_wire_flags {
	SONDE_WIRE_TIMESTAMPS = 1, // RFC 7323
	SONDE_WIRE_NO_SACK = 2,    // who receives knows no SACK: blocks become NOP
	SONDE_WIRE_NO_ECN = 4,     // who receives knows no ECN: ECT, ECE and CWR are cleared, CE is a loss (RFC 3168)
	SONDE_WIRE_FROM_IPV6 = 8,  // its packets arrive as IPv6
	SONDE_WIRE_TO_IPV6 = 16,   // and leave so
};

// Written by the programs, for good.
enum sonde_wire_seen {
	SONDE_WIRE_SAW_FIN = 1,
	SONDE_WIRE_SAW_RESET = 2,
	SONDE_WIRE_FIN_ACKNOWLEDGED = 4, // by the other side
	SONDE_WIRE_FIRST_FIN = 8,        // of the two sides, this one's FIN came first
	SONDE_WIRE_PORT_REUSED = 16,     // of the client: its FLOWS keys are gone, the element is FREED, and nobody has
					 // said yet that it is over; user space clears it
};

// Packets of one side: how they are rewritten, and what has been seen of them. 128 bytes.
struct sonde_wire_side_state {
	// Constant once JOINING, but for ifindex, mtu and route_checked.
	__u32 source[4]; // they leave from: an address of the proxy's; network byte order, IPv4 mapped
	__u32 destination[4];
	__u16 source_port; // network byte order
	__u16 destination_port;
	__u32 sequence_delta;        // added to the sequence number
	__u32 acknowledgement_delta; // added to the acknowledgement number and to SACK blocks
	__u32 timestamp_delta;       // added to TSval
	__u32 echo_delta;            // added to TSecr
	__u32 echo_floor;            // TSecr never goes below it while JOINING
	__u8 window_shift_in;        // of the window as it arrives (RFC 7323)
	__u8 window_shift_out;       // as it leaves
	__u8 flags;                  // enum sonde_wire_flags
	__u8 reserved;
	__u32 ifindex;       // they leave by; 0: there is no route
	__u32 mtu;           // of the route, IP header included
	__u32 route_checked; // seconds of CLOCK_MONOTONIC

	// Written for each packet.
	__u32 start;           // sequence number of the first byte that counts below
	__u32 acknowledgement; // greatest that this side has sent, as it sent it: the sequence number it expects next
	__u32 fin;             // sequence number behind its FIN, once SONDE_WIRE_SAW_FIN
	__u32 seen;            // enum sonde_wire_seen
	__u64 position;        // sequence number behind its last byte, in 64 bits: bytes = position - start
	__u64 packets;         // as the network had them: GSO segments count one each
	__u64 repeated;        // of these, with bytes that had been sent before
	__u64 last_seen;       // CLOCK_MONOTONIC, ns
	__u64 counted;         // of user space: bytes that it has added to its statistics
};

// Element of CONNECTIONS, an array that user space maps. 320 bytes.
struct sonde_wire_connection {
	__u32 phase;  // enum sonde_wire_phase
	__u32 owner;  // process that fills or joins it; 0: whoever keeps the table
	__u64 id;     // of the connection, never used twice until the host boots
	__u64 joined; // CLOCK_MONOTONIC, ns; the same for the next two
	__u64 spliced;
	__u64 freed;
	__u32 record_parts; // in RECORDS
	__u32 record_bytes;
	__u32 ended; // of user space: its end has been told, and only late packets are waited for
	__u32 reserved[3];
	struct sonde_wire_side_state sides[2]; // by enum sonde_wire_side
};

// Key of RECORDS: what user space wants to know of a connection when it is over, in parts.
struct sonde_wire_record_key {
	__u32 connection;
	__u32 part;
};
enum { SONDE_WIRE_RECORD_BYTES = 128 };
struct sonde_wire_record {
	__u8 bytes[SONDE_WIRE_RECORD_BYTES]; // the last part is filled with zeros
};

// Since the maps were made: element 0 of STATISTICS, one a CPU.
struct sonde_wire_statistics {
	__u64 packets;           // forwarded, GSO segments count one each
	__u64 bytes;             // of payload, forwarded
	__u64 copied;            // acknowledgements that the stack got too, while joining
	__u64 resets_answered;   // packets of ABORTED connections
	__u64 errors_translated; // ICMP errors passed on to the peer whose packet caused them
	__u64 errors_sent;       // ICMP "too big" that the program sent
	__u64 dropped_too_big;   // they were caused by these
	__u64 dropped_fragment;  // a piece of an IP datagram cannot be rewritten
	__u64 dropped_no_route;
	__u64 dropped_expired;    // TTL or hop limit
	__u64 dropped_congestion; // CE to a receiver without ECN
	__u64 dropped_malformed;
	__u64 port_reused; // SYNs of a connection that was over: the stack has them
};

// What join_connection reads: a frame of this. `verdict` is written back; if it is SONDE_WIRE_UNSENT, the bytes held
// tell which direction holds up too many: 0: not this one.
struct sonde_wire_join {
	__u8 ethernet[16];             // zero; the kernel wants the room of a header
	struct sonde_wire_flow client; // of the packets of either side
	struct sonde_wire_flow upstream;
	__u32 connection;       // index; TAKEN
	__u32 held_to_upstream; // bytes read from the client's socket that are not in the upstream's yet
	__u32 held_to_client;
	__u32 verdict; // enum sonde_wire_verdict
	__u32 insists; // 1: a sender that may overrun the other's window is no hindrance, if little is held
};

enum sonde_wire_verdict {
	SONDE_WIRE_JOINED = 0,
	SONDE_WIRE_NO_SOCKET,         // one of the two is not there, or not established
	SONDE_WIRE_STREAM_ENDED,      // one of the streams has
	SONDE_WIRE_UNSUITED_SOCKET,   // TLS in the kernel, MPTCP, TCP-MD5 or TCP-AO, fast open under way
	SONDE_WIRE_TIMESTAMPS_DIFFER, // one side has them, or has them in microseconds
	SONDE_WIRE_SEGMENT_DIFFERS,   // one side sends segments that the other does not take
	SONDE_WIRE_OUT_OF_ORDER,      // a socket holds bytes behind a hole; soon it will not
	SONDE_WIRE_UNSENT,            // a socket holds more than its peer's window takes; perhaps it drains
	SONDE_WIRE_NO_ROUTE,
	SONDE_WIRE_NO_ROOM, // in FLOWS
	SONDE_WIRE_BAD_FRAME,
	SONDE_WIRE_VERDICTS
};

#ifdef __cplusplus
static_assert(sizeof(struct sonde_wire_side_state) == 128);
static_assert(sizeof(struct sonde_wire_connection) == 320);
static_assert(sizeof(struct sonde_wire_join) == 108);
#else
_Static_assert(sizeof(struct sonde_wire_side_state) == 128, "as user space has it");
_Static_assert(sizeof(struct sonde_wire_connection) == 320, "as user space has it");
_Static_assert(sizeof(struct sonde_wire_join) == 108, "as user space has it");
#endif

#endif
