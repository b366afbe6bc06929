// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// What the drops programs and their user-space half agree on.
#ifndef SONDE_DROPS_ABI_H
#define SONDE_DROPS_ABI_H

#include <sonde/abi/event.h>
#include <sonde/abi/owner.h>
#include <sonde/abi/socket.h>

enum {
	SONDE_DROP_BYTES = 128, // of each packet, from its first header on
	SONDE_DROP_REASONS = 256,
	SONDE_INTERFACE_NAME_SIZE = 16,
};

// What is known about a drop reason beforehand: bits of sonde_reasons[reason].
enum sonde_reason_trait {
	SONDE_REASON_RECEIVED = 1, // occurs with received packets only
	SONDE_REASON_SENT = 2,     // ... with packets on their way out only
	SONDE_REASON_NORMAL = 4,   // the packet has done its work; no drop
};

// Where the bytes of a record begin.
enum sonde_drop_start {
	SONDE_START_ETHERNET = 0,
	SONDE_START_NETWORK = 1, // at the IP header
	SONDE_START_NONE = 2,    // the packet had no headers yet: the socket tells its addresses
};

struct sonde_drop_event {
	struct sonde_event_header header;          // type SONDE_EVENT_DROP; ifindex in network_namespace
	__u64 location;                            // kernel address in the function that freed the packet
	__u32 reason;                              // enum skb_drop_reason of the running kernel
	__u32 network_namespace;                   // inode number; 0: not known
	__u32 packet_size;                         // bytes from where the record's bytes begin, VLAN tag not included
	__u16 captured_size;                       // valid members of bytes
	__u16 segments;                            // wire packets kept together in this one (GSO, GRO); 0 or 1: one
	__u16 tag_tpid;                            // of the VLAN tag beside the packet, host byte order; 0: none
	__u16 tag_tci;                             // host byte order
	__u8 start;                                // enum sonde_drop_start
	__u8 direction;                            // enum sonde_direction
	__u8 forwarded;                            // 1: on its way out, but not sent by this host
	__u8 copied;                               // 1: a socket may have taken a copy of the packet
	char interface[SONDE_INTERFACE_NAME_SIZE]; // NUL-terminated; empty: not known
	struct sonde_socket socket;                // with SONDE_START_NONE, else zero
	struct sonde_socket_owner owner;           // SONDE_REASON_NO_SOCKET: the packet had none with it
	__u8 bytes[SONDE_DROP_BYTES];
};

// Drops that the ring had no room for, counted by this.
struct sonde_lost_drop {
	__u64 location;
	__u32 reason;
	__u32 reserved;
};

// The socket of a packet's addresses and ports, as the look-up program gets and gives it.
struct sonde_tuple {
	__u8 remote_address[16]; // network byte order; IPv4 as ::ffff:a.b.c.d
	__u8 local_address[16];  // likewise
	__u16 remote_port;       // network byte order
	__u16 local_port;        // network byte order
	__u8 ipv4;               // 1: IPv4
	__u8 protocol;           // IPPROTO_TCP or IPPROTO_UDP
	__u8 exact;              // 1: only a socket that is connected to the remote address
	__u8 reserved;
};

struct sonde_tuple_answer {
	__u32 found; // 1: there is such a socket, and owner is what is known of it
	__u32 reserved;
	struct sonde_socket_owner owner;
};

#endif
