// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The packets programs, which count packets in flows in place of reporting them: same hooks, filters and parser.
 */
#define SONDE_PACKETS_FLOWS 1
#include "packets.bpf.c"
