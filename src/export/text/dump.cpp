// SPDX-License-Identifier: Apache-2.0
#include "export/text/dump.hpp"

#include <algorithm>
#include <cstring>

#include "export/format.hpp"

namespace sonde::exporter {
namespace {

constexpr std::size_t row_bytes = 16;
constexpr std::size_t hex_column_size = 40;  // eight times " 0000"
constexpr char digits[] = "0123456789abcdef";

bool is_graphic(std::uint8_t byte) { return byte > ' ' && byte < 0x7f; }

// Offsets past 0xffff, which tcpdump's four digits cannot tell, get the digits they need.
char* append_offset(char* out, std::size_t offset) {
  out = append(out, "\n\t0x");
  for (int shift = offset > 0xffff ? 16 : 12; shift >= 0; shift -= 4) *out++ = digits[offset >> shift & 15];
  return append(out, ": ");
}

char* append_row(char* out, std::span<const std::uint8_t> row) {
  char* const characters = out + hex_column_size;
  std::memset(out, ' ', hex_column_size);
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (i % 2 == 0) ++out;
    *out++ = digits[row[i] >> 4];
    *out++ = digits[row[i] & 15];
  }
  out = append(characters, "  ");
  for (const std::uint8_t byte : row) *out++ = is_graphic(byte) ? static_cast<char>(byte) : '.';
  return out;
}

}  // namespace

char* append_hex_dump(char* out, std::span<const std::uint8_t> bytes) {
  for (std::size_t offset = 0; offset < bytes.size(); offset += row_bytes) {
    out = append_offset(out, offset);
    out = append_row(out, bytes.subspan(offset, std::min(row_bytes, bytes.size() - offset)));
  }
  return out;
}

char* append_printable(char* out, std::span<const std::uint8_t> bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::uint8_t byte = bytes[i];
    const bool line_end_follows = i + 1 < bytes.size() && bytes[i + 1] == '\n';
    if (byte == '\r' && line_end_follows) continue;
    const bool stays = is_graphic(byte) || byte == ' ' || byte == '\t' || byte == '\n';
    *out++ = stays ? static_cast<char>(byte) : '.';
  }
  return out;
}

}  // namespace sonde::exporter
