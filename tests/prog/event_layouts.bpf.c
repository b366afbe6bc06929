// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* BTF of the structs that the programs only point to in a ring: clang leaves those out of the programs' own. */
#include <sonde/abi/event.h>
#include <sonde/abi/owner.h>
#include <sonde/abi/socket.h>
#include "sensors/connections/connections.abi.h"
#include "sensors/retransmissions/retransmissions.abi.h"

struct sonde_event_header event_header;
struct sonde_socket event_socket;
struct sonde_socket_owner socket_owner;
struct sonde_retransmission_event retransmission_event;
struct sonde_tcp_counters tcp_counters;
struct sonde_connection_event connection_event;
struct sonde_open_socket open_socket;
