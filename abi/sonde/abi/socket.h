// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// A socket as events name it.
#ifndef SONDE_ABI_SOCKET_H
#define SONDE_ABI_SOCKET_H

#include <linux/types.h>

struct sonde_socket {
	__u8 local_address[16];  // network byte order; IPv4 as ::ffff:a.b.c.d, also of an IPv6 socket that talks IPv4
	__u8 remote_address[16]; // likewise; zero when not connected
	__u16 local_port;        // host byte order
	__u16 remote_port;       // host byte order
	__u8 protocol;           // IPPROTO_TCP, IPPROTO_UDP ...
	__u8 state;              // TCP_ESTABLISHED = 1 ... (include/net/tcp_states.h)
	__u16 family;            // AF_INET or AF_INET6, of the socket, not of the addresses
	__u32 network_namespace; // inode number, as `readlink /proc/PID/ns/net` shows it
	__u32 reserved;
	__u64 cookie; // SO_COOKIE; 0: not known
};

#endif
