// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// What the processes programs and their user-space half agree on. Records are of SONDE_EVENT_PROCESS.
#ifndef SONDE_PROCESSES_ABI_H
#define SONDE_PROCESSES_ABI_H

#include <sonde/abi/counters.h>
#include <sonde/abi/event.h>
#include <sonde/abi/owner.h>

enum sonde_process_change {
	SONDE_PROCESS_FORKED = 1,
	SONDE_PROCESS_EXECUTED = 2, // struct sonde_process_exec
	SONDE_PROCESS_EXITED = 3,
};

enum {
	SONDE_EXECUTABLE_SIZE = 256,
	SONDE_CGROUP_SIZE = 320,
	SONDE_CGROUP_NAME_SIZE = 128, // a longer name of a cgroup ends its path
	SONDE_CGROUP_DEPTH = 8,
	// Room for argv. The ring reserves constant sizes only, so a record has the smallest that holds it.
	SONDE_ARGUMENTS_SMALL = 256,
	SONDE_ARGUMENTS_LARGE = 2048,
};

// PIDs are those of the initial PID namespace.
struct sonde_process_event {
	struct sonde_event_header header;
	__u64 start_time_ns;       // CLOCK_BOOTTIME
	__u64 maker_start_time_ns; // forked: of the process that called fork
	__u32 pid;
	__u32 parent_pid; // forked and executed; another than the maker with CLONE_PARENT
	__u32 maker_pid;  // forked
	__u32 change;     // enum sonde_process_change
};

// Followed by arguments_size bytes of argv: words that end with a zero each.
struct sonde_process_exec {
	struct sonde_process_event event;
	__u32 uid;               // effective, in the initial user namespace
	__u32 network_namespace; // inode number
	__u16 arguments_size;
	__u8 arguments_cut;   // argv is longer
	__u8 cgroup_whole;    // cgroup reaches up to the root
	__u8 cgroup_v1_whole; // likewise
	__u8 reserved[3];
	char comm[SONDE_COMM_SIZE];
	char executable[SONDE_EXECUTABLE_SIZE]; // as execve() was given it; of a script its interpreter. May be cut
	char cgroup[SONDE_CGROUP_SIZE];         // cgroup v2: names from the process's cgroup upwards, each with a zero
	// Likewise in the hierarchy of the first of memory, pids and cpu that is on cgroup v1; empty: none, or the
	// root.
	char cgroup_v1[SONDE_CGROUP_SIZE];
};

#endif
