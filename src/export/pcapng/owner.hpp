// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "sonde/owner.hpp"

namespace sonde::exporter {

/// Options of an Enhanced Packet Block that tell the owner: epb_processid_threadid, and comments in the words of
/// ptcpdump ("PID: 4711\nCmd: /usr/sbin/nginx\nArgs: nginx -g ..."), then what it does not tell. "" for an unknown one.
[[nodiscard]] std::string owner_options(const SocketOwner& owner);

}  // namespace sonde::exporter
