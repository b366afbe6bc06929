// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sonde::bench {

/// A TLS record with the ClientHello of a client that speaks TLS 1.2 and 1.3 (RFC 8446, 4.1.2), as long as those of
/// browsers were before post-quantum key shares: 517 bytes (RFC 7685).
[[nodiscard]] std::string client_hello(std::string_view server_name);

/// Bytes of the record that starts here; 0: not enough bytes to tell.
[[nodiscard]] std::size_t record_length(std::span<const std::uint8_t> bytes);

}  // namespace sonde::bench
