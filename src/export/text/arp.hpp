// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "sonde/packet.hpp"

namespace sonde::exporter {

/// ", Request who-has 10.0.0.2 tell 10.0.0.1" or ", Reply 10.0.0.2 is-at 02:00:00:00:00:01" (RFC 826, Ethernet and
/// IPv4); nothing when the body was not captured or is of another kind. At most 64 characters.
char* append_arp(char* out, const Packet& packet);

}  // namespace sonde::exporter
