// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The field part of a capture filter: constants of the BPF programs, and the same bytes for user space.
#ifndef SONDE_ABI_FILTER_H
#define SONDE_ABI_FILTER_H

#include <linux/types.h>

enum { SONDE_FILTER_NETWORKS = 16 }; // networks a list may hold

// An address matches when (address & mask) == network, all 16 bytes. IPv4 as ::ffff:a.b.c.d.
struct sonde_network {
	__u64 network[2]; // the 16 address bytes in network order, read as two native words
	__u64 mask[2];
};

struct sonde_network_list {
	__u32 count; // 0: every packet matches
	__u32 reserved;
	struct sonde_network networks[SONDE_FILTER_NETWORKS];
};

// One bit a port, host byte order: bit (port & 63) of word (port >> 6).
struct sonde_port_set {
	__u64 words[1024];
};

// Which tests are on: a bit of sonde_filter.tests.
enum sonde_filter_test {
	SONDE_TEST_PROTOCOL = 1,
	SONDE_TEST_SOURCE_PORT = 2,
	SONDE_TEST_DESTINATION_PORT = 4,
	SONDE_TEST_ANY_PORT = 8,
	SONDE_TEST_SIZE = 16,
	SONDE_TEST_DIRECTION = 32,
};

// All tests that are on must hold. A packet that lacks the field (no IP, no ports) fails the test.
struct sonde_filter {
	__u32 tests;    // enum sonde_filter_test bits; 0 and empty lists: everything matches
	__u32 min_size; // bytes, SONDE_TEST_SIZE
	__u32 max_size; // bytes, SONDE_TEST_SIZE
	__u8 protocol;  // IP protocol number, SONDE_TEST_PROTOCOL
	__u8 direction; // enum sonde_direction, SONDE_TEST_DIRECTION
	__u8 reserved[2];
	struct sonde_network_list source;      // source address is in one of these
	struct sonde_network_list destination; // destination address is in one of these
	struct sonde_network_list either;      // one of the two addresses is in one of these
	struct sonde_port_set source_ports;
	struct sonde_port_set destination_ports;
	struct sonde_port_set either_ports;
};

#endif
