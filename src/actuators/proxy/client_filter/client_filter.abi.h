// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// What the client filter's programs and their user-space half agree on.
#ifndef SONDE_CLIENT_FILTER_ABI_H
#define SONDE_CLIENT_FILTER_ABI_H

#include <sonde/abi/event.h>

/*
 * Programs: xdp_ip_filter; tc_ip_filter, and tc_ip_filter_raw for interfaces without a link header (ARPHRD_NONE).
 * Maps: IP_WHITELIST (LPM trie: listeners and clients, so that both change at once), ip_filter_active (map of maps, the
 * trie that holds), ip_filter_spare (stands in while IP_WHITELIST is written), ip_filter_ports, ip_filter_counts.
 */
enum {
	SONDE_CLIENT_FILTER_ENTRIES = 1 << 20, // of a trie; memory is taken by entry
	SONDE_CLIENT_FILTER_HEAD_BITS = 32,    // of a key before the address
	SONDE_CLIENT_FILTER_PORT_WORDS = 65536 / 64,
};

// Key of IP_WHITELIST (linux/bpf.h, struct bpf_lpm_trie_key).
struct sonde_client_filter_key {
	__u32 prefix;     // bits that count: 32, and those of the address
	__u16 port;       // network byte order; of a listener; 0: an entry of the client list
	__u8 family;      // 4 or 6
	__u8 reserved;    // 0
	__u8 address[16]; // network byte order; IPv4 as ::ffff:a.b.c.d
};

// Value of IP_WHITELIST.
enum sonde_client_filter_entry {
	SONDE_CLIENT_FILTER_CLIENT = 1,   // may connect
	SONDE_CLIENT_FILTER_LISTENER = 2, // on this address
	SONDE_CLIENT_FILTER_WILDCARD = 3, // on every address of this host
};

// Ports that some listener has, a bit each. May say yes where IP_WHITELIST says no, never the other way.
struct sonde_client_filter_ports {
	__u64 words[SONDE_CLIENT_FILTER_PORT_WORDS];
};

// Packets.
struct sonde_client_filter_counts {
	__u64 passed;  // to a listener: from an allowed client, or of a connection that stands
	__u64 dropped; // to a listener, from another
	__u64 others;  // not for a listener
};

#endif
