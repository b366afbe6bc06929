// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* As event_layouts.bpf.c, of what the look-up of a drop's socket is given and gives. */
#include "sensors/drops/drops.abi.h"

struct sonde_tuple tuple;
struct sonde_tuple_answer tuple_answer;
