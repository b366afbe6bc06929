// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The packets programs with owners: each packet event is followed by a struct sonde_socket_owner. An object of its own,
 * so that a capture without owners loads not a single instruction, map or BTF relocation for them.
 */
#define SONDE_PACKETS_OWNERS 1
#include "packets.bpf.c"
