// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The same with the owners of a flow's local ends.
 */
#define SONDE_PACKETS_FLOWS 1
#define SONDE_PACKETS_OWNERS 1
#include "packets.bpf.c"
