// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Who owns a socket, as the owners programs record it beside the socket.
#ifndef SONDE_ABI_OWNER_H
#define SONDE_ABI_OWNER_H

#include <linux/types.h>

enum { SONDE_COMM_SIZE = 16 };

// What a task was doing with the socket when it was recorded. Ordered: a later one says more about who uses it.
enum sonde_owner_evidence {
	SONDE_OWNER_NOTHING = 0,
	SONDE_OWNER_CREATED = 1,  // socket(), or bind() and connect() where socket() was not seen
	SONDE_OWNER_HOLDS = 2,    // has it in its file table (iterator); other processes may have it too
	SONDE_OWNER_ACCEPTED = 3, // accept() returned it
	SONDE_OWNER_CLOSED = 4,   // closed it, without ever having sent to it
	SONDE_OWNER_SENT = 5,     // sent to it
};

// A process at the moment of the evidence. start_time_ns tells a reused pid apart.
struct sonde_task {
	__u64 start_time_ns; // CLOCK_BOOTTIME when the process (thread group leader) started, ns; 0: nothing recorded
	__u64 cgroup_id;     // of the cgroup v2 hierarchy; 1: its root
	__u32 pid;           // process (thread group), in the initial PID namespace
	__u32 tid;           // thread, likewise
	__u32 uid;           // effective, in the initial user namespace
	__u32 evidence;      // enum sonde_owner_evidence
	char comm[SONDE_COMM_SIZE]; // name of the thread, NUL-terminated
};

// An accepted socket starts with a copy of its listener's record, where accept(2) itself cannot be seen.
enum sonde_inherited {
	SONDE_INHERITED_NOTHING = 0,
	SONDE_INHERITED_ALL = 1,    // nobody has used the socket yet
	SONDE_INHERITED_OPENER = 2, // the user is this socket's, the opener is that of the listener
};

// What lies in the socket's storage. At most 120 bytes, so that an element fits a 192-byte slab object.
struct sonde_owner {
	struct sonde_task opener; // made the socket, or holds it since before sonde
	struct sonde_task user;   // accepted it, sent to it last or closed it; start_time_ns 0: nobody since
	__u32 version;            // odd while it is being written
	__u32 inherited;          // enum sonde_inherited
};

// Where records are kept.
enum sonde_owner_store {
	SONDE_STORE_NONE = 0, // owners are off
	SONDE_STORE_SK_STORAGE = 1,
	SONDE_STORE_COOKIE = 2, // an LRU map by socket cookie
};

enum sonde_owner_method {
	SONDE_METHOD_NONE = 0,       // unknown: see reason
	SONDE_METHOD_SK_STORAGE = 1, // recorded in process context, kept with the socket
	SONDE_METHOD_ITER = 2,       // found in a file table by an iterator, kept with the socket
	SONDE_METHOD_COOKIE = 3,     // recorded in process context, kept in a map by socket cookie
	SONDE_METHOD_TUPLE = 4,      // the socket was looked up by the packet's addresses and ports
};

enum sonde_owner_reason {
	SONDE_REASON_NONE = 0,
	SONDE_REASON_NO_SOCKET = 1,    // the event has no socket (forwarded, or dropped before one was found)
	SONDE_REASON_NOT_RECORDED = 2, // the socket is known, but no process was seen using it
	SONDE_REASON_KERNEL = 3,       // a socket of the kernel's own (RST and ACK for nobody, tunnels)
	SONDE_REASON_TIME_WAIT = 4,    // the process has closed the socket; only the kernel's timer is left
	SONDE_REASON_NOT_TRACKED = 5,  // owners are off, or not to be had on this kernel
};

// The owner as an event carries it.
struct sonde_socket_owner {
	struct sonde_task opener;
	struct sonde_task user;
	__u8 method;    // enum sonde_owner_method
	__u8 reason;    // enum sonde_owner_reason, with SONDE_METHOD_NONE
	__u8 inherited; // enum sonde_inherited
	__u8 reserved[5];
};

// Key and value of the cache of verdicts of the owner filter: is this process wanted?
struct sonde_process_key {
	__u64 start_time_ns;
	__u32 pid;
	__u32 reserved;
};

#endif
