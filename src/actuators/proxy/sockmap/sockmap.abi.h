// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// What the program of the sk_skb relay and its user-space half agree on.
#ifndef SONDE_PROXY_SOCKMAP_ABI_H
#define SONDE_PROXY_SOCKMAP_ABI_H

#include <linux/types.h>

// One direction of a connection, in RELAY_STATE under the cookie of the socket that its bytes come from. What stands
// behind `base` is written by redirect_skb alone, which runs under the lock of that socket.
struct sonde_relay_direction {
	__u64 peer;       // cookie of the socket that the bytes leave by
	__u32 open;       // 1: bytes may be redirected
	__u32 base;       // write_seq of the peer before any byte of this direction
	__u64 taken;      // bytes that came, by either way
	__u64 redirected; // of these, sent on by the kernel
	__u64 passed_at;  // value of `taken` when it began to pass bytes to user space
	__u64 trimmed;    // bytes that came twice: overlapping segments, or read before the socket was in the map
	__u32 next;       // sequence number that comes next
	__u32 started;    // 1: `next` is known
	__u32 passing;    // 1: bytes go to user space
	__u32 broken;     // 1: a segment could not be trimmed, or one is missing; nothing more is carried
};

// What open_relay reads: a frame of this. It returns 1, or 0 if a socket is not in RELAY_MAP.
struct sonde_relay_pair {
	__u8 ethernet[16]; // zero; the kernel wants the room of a header
	__u64 client;      // cookies
	__u64 upstream;
};

#endif
