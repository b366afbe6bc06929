// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace sonde::exporter {

/// Most characters that append_hex_dump() writes for `size` bytes.
[[nodiscard]] constexpr std::size_t hex_dump_size(std::size_t size) { return (size + 15) / 16 * 72 + 16; }

/// Lines of offset, 16 bytes and their characters, each begun by a line end, as tcpdump -XX writes them.
char* append_hex_dump(char* out, std::span<const std::uint8_t> bytes);

/// The bytes as characters, as tcpdump -A writes them: what is neither printable nor space is a dot; tabs and line ends
/// stay, a carriage return before a line end goes. Writes at most one character a byte.
char* append_printable(char* out, std::span<const std::uint8_t> bytes);

}  // namespace sonde::exporter
