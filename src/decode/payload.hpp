// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "decode/bytes.hpp"
#include "sonde/packet.hpp"

namespace sonde::decode {

/// The captured part of what follows the TCP, UDP or SCTP header. Empty for other packets, for later fragments, where
/// the headers could not be read, and where nothing of it was captured. Ethernet padding is not part of it.
[[nodiscard]] Bytes transport_payload(const Packet& packet);

/// transport_payload() holds less than the packet carried.
[[nodiscard]] bool payload_was_cut(const Packet& packet);

}  // namespace sonde::decode
