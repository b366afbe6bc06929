// SPDX-License-Identifier: Apache-2.0
#include "export/format.hpp"

#include <charconv>

namespace sonde::exporter {
namespace {

constexpr char digits[] = "0123456789abcdef";

struct ZeroRun {
  int start = -1;
  int size = 0;
};

// The first of the longest runs of zero words; one word alone is not shortened (RFC 5952 4.2.2).
ZeroRun longest_zero_run(const std::uint16_t (&words)[8]) {
  ZeroRun best{-1, 1};
  ZeroRun current;
  for (int i = 0; i < 8; ++i) {
    if (words[i] != 0) {
      current = {};
      continue;
    }
    if (current.start < 0) current.start = i;
    if (++current.size > best.size) best = current;
  }
  return best;
}

char* append_hex_word(char* out, std::uint16_t word) {
  if (word >= 0x1000) *out++ = digits[word >> 12];
  if (word >= 0x100) *out++ = digits[word >> 8 & 15];
  if (word >= 0x10) *out++ = digits[word >> 4 & 15];
  *out++ = digits[word & 15];
  return out;
}

// ::ffff:a.b.c.d, and ::a.b.c.d as inet_ntop(3) has it.
bool ends_in_ipv4(const std::uint16_t (&words)[8], ZeroRun zeros) {
  return zeros.start == 0 && (zeros.size == 6 || (zeros.size == 5 && words[5] == 0xffff));
}

}  // namespace

char* append_number(char* out, std::uint32_t value) {
  if (value < 10) {
    *out = static_cast<char>('0' + value);
    return out + 1;
  }
  return std::to_chars(out, out + 10, value).ptr;
}

char* append_nanoseconds(char* out, std::uint32_t value) {
  *out++ = static_cast<char>('0' + value / 100'000'000);
  out = append_pair(out, value / 1'000'000 % 100);
  out = append_pair(out, value / 10'000 % 100);
  out = append_pair(out, value / 100 % 100);
  return append_pair(out, value % 100);
}

char* append_hex16(char* out, std::uint16_t value) {
  out = append(out, "0x");
  for (int shift = 12; shift >= 0; shift -= 4) *out++ = digits[value >> shift & 15];
  return out;
}

char* append_ipv4(char* out, const std::uint8_t* address) {
  for (int i = 0; i < 3; ++i) {
    out = append_octet(out, address[i]);
    *out++ = '.';
  }
  return append_octet(out, address[3]);
}

char* append_ipv6(char* out, const std::uint8_t* address) {
  std::uint16_t words[8];
  for (int i = 0; i < 8; ++i) words[i] = static_cast<std::uint16_t>(address[2 * i] << 8 | address[2 * i + 1]);
  const ZeroRun zeros = longest_zero_run(words);
  const int count = ends_in_ipv4(words, zeros) ? 6 : 8;
  for (int i = 0; i < count; ++i) {
    if (i == zeros.start) {
      *out++ = ':';
      i += zeros.size - 1;
      if (i == 7) *out++ = ':';
      continue;
    }
    if (i > 0) *out++ = ':';
    out = append_hex_word(out, words[i]);
  }
  if (count == 8) return out;
  *out++ = ':';
  return append_ipv4(out, address + 12);
}

char* append_mac(char* out, const std::uint8_t* address) {
  for (int i = 0; i < 6; ++i) {
    if (i > 0) *out++ = ':';
    *out++ = digits[address[i] >> 4];
    *out++ = digits[address[i] & 15];
  }
  return out;
}

}  // namespace sonde::exporter
