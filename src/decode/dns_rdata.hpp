// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "decode/bytes.hpp"

namespace sonde::decode {

/// RDATA of `type` at message[offset, offset + size) in presentation format. Data that does not hold what its type
/// says, and types without a format of their own, come as RFC 3597 5 writes them: "\# 4 0a000001".
///
/// Precondition: offset + size <= message.size().
[[nodiscard]] std::string dns_rdata_text(std::uint16_t type, Bytes message, std::size_t offset, std::size_t size);

}  // namespace sonde::decode
