// SPDX-License-Identifier: Apache-2.0
// The kernel's record of a socket's owner as a value for people: process, container, method, confidence.
#pragma once
#include <sonde/abi/owner.h>

#include "enrich/process/process_table.hpp"
#include "sonde/owner.hpp"

namespace sonde::enrich {

/// Pure but for the table. SocketOwner::opener is set only when another process than the owner opened the socket.
[[nodiscard]] SocketOwner resolve_owner(const sonde_socket_owner& raw, ProcessTable& processes);

}  // namespace sonde::enrich
