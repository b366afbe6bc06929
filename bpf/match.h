// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The field tests of a capture filter. One source for both sides: BPF C with the filter in .rodata, and C++.
#ifndef SONDE_BPF_MATCH_H
#define SONDE_BPF_MATCH_H

#include <sonde/abi/filter.h>
#include <sonde/abi/packet.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

// Where the values of *filter are constants that the verifier knows (a frozen .rodata map, Linux 5.5), tests that are
// off and unused network entries are branches it removes before the program is compiled.

// Bytes 8 to 11 of ::ffff:a.b.c.d as they lie in the low or high half of the second native word.
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SONDE_MAPPED_HALF(word) ((__u32)(word))
#define SONDE_MAPPED_PREFIX 0xffff0000U
#else
#define SONDE_MAPPED_HALF(word) ((__u32)((word) >> 32))
#define SONDE_MAPPED_PREFIX 0x0000ffffU
#endif

// An address as native words, and what it is one of.
struct sonde_match_address {
	__u64 words[2];
	int ipv4;
};

// An IPv4 network lies inside ::ffff:0:0/96. IPv6 networks that contain that range (::/0) must not match IPv4 packets.
static __always_inline int sonde_match_network(const volatile struct sonde_network *network,
					       const struct sonde_match_address *address)
{
	__u64 network_high = network->network[0], network_low = network->network[1];
	__u64 mask_high = network->mask[0], mask_low = network->mask[1];
	int ipv4 = 0;

	if (network_high == 0 && mask_high == ~0ULL && SONDE_MAPPED_HALF(mask_low) == ~0U &&
	    SONDE_MAPPED_HALF(network_low) == SONDE_MAPPED_PREFIX)
		ipv4 = 1;
	if (ipv4 != address->ipv4)
		return 0;
	if ((address->words[1] & mask_low) != network_low)
		return 0;
	return (address->words[0] & mask_high) == network_high;
}

// Is the address in one of the list's networks? False for an empty list.
static __always_inline int sonde_match_networks(const volatile struct sonde_network_list *list,
						const struct sonde_match_address *address)
{
	__u32 count = list->count;

#ifdef __bpf__
#pragma clang loop unroll(disable)
#endif
	for (__u32 i = 0; i < SONDE_FILTER_NETWORKS; i++) {
		if (i >= count)
			return 0;
		if (sonde_match_network(&list->networks[i], address))
			return 1;
	}
	return 0;
}

static __always_inline int sonde_match_addresses(const volatile struct sonde_filter *filter,
						 const struct sonde_packet_event *event)
{
	struct sonde_match_address source, destination;

	if (filter->source.count == 0 && filter->destination.count == 0 && filter->either.count == 0)
		return 1;
	if (!(event->flags & (SONDE_PACKET_IPV4 | SONDE_PACKET_IPV6)))
		return 0;
	__builtin_memcpy(source.words, event->source_address, sizeof(source.words));
	__builtin_memcpy(destination.words, event->destination_address, sizeof(destination.words));
	source.ipv4 = destination.ipv4 = (event->flags & SONDE_PACKET_IPV4) != 0;

	if (filter->source.count != 0 && !sonde_match_networks(&filter->source, &source))
		return 0;
	if (filter->destination.count != 0 && !sonde_match_networks(&filter->destination, &destination))
		return 0;
	if (filter->either.count != 0 && !sonde_match_networks(&filter->either, &source) &&
	    !sonde_match_networks(&filter->either, &destination))
		return 0;
	return 1;
}

static __always_inline int sonde_match_port(const volatile struct sonde_port_set *set, __u16 port)
{
	__u32 word = port >> 6;

#ifdef __bpf__
	// The compiler drops "& 1023" because a port has 16 bits; the verifier of Linux 6.1 does not know that and
	// needs it.
	asm volatile("%0 &= 1023" : "+r"(word));
#endif
	return (int)((set->words[word] >> (port & 63)) & 1);
}

static __always_inline int sonde_match_ports(const volatile struct sonde_filter *filter,
					     const struct sonde_packet_event *event)
{
	__u32 tests = filter->tests;

	if (!(tests & (SONDE_TEST_SOURCE_PORT | SONDE_TEST_DESTINATION_PORT | SONDE_TEST_ANY_PORT)))
		return 1;
	if (!(event->flags & SONDE_PACKET_PORTS))
		return 0;
	if ((tests & SONDE_TEST_SOURCE_PORT) && !sonde_match_port(&filter->source_ports, event->source_port))
		return 0;
	if ((tests & SONDE_TEST_DESTINATION_PORT) &&
	    !sonde_match_port(&filter->destination_ports, event->destination_port))
		return 0;
	if ((tests & SONDE_TEST_ANY_PORT) && !sonde_match_port(&filter->either_ports, event->source_port) &&
	    !sonde_match_port(&filter->either_ports, event->destination_port))
		return 0;
	return 1;
}

// 1: every test of the filter that is on holds for the parsed packet. Cheap tests first.
static __always_inline int sonde_filter_matches(const volatile struct sonde_filter *filter,
						const struct sonde_packet_event *event)
{
	__u32 tests = filter->tests;

	if ((tests & SONDE_TEST_DIRECTION) && event->direction != filter->direction)
		return 0;
	if ((tests & SONDE_TEST_PROTOCOL) &&
	    (!(event->flags & (SONDE_PACKET_IPV4 | SONDE_PACKET_IPV6)) || event->protocol != filter->protocol))
		return 0;
	if ((tests & SONDE_TEST_SIZE) &&
	    (event->packet_size < filter->min_size || event->packet_size > filter->max_size))
		return 0;
	return sonde_match_ports(filter, event) && sonde_match_addresses(filter, event);
}

#endif
