// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace sonde::exporter {

/// Characters of `size` bytes in base64, padding included.
[[nodiscard]] constexpr std::size_t base64_size(std::size_t size) { return (size + 2) / 3 * 4; }

/// RFC 4648 4, with padding. Writes base64_size() characters and returns their end.
char* append_base64(char* out, std::span<const std::uint8_t> bytes);

}  // namespace sonde::exporter
