// SPDX-License-Identifier: Apache-2.0
// Numbers and addresses as text. Every function writes at `out`, without a final zero, and returns the end; callers
// have made room for the largest result.
#pragma once
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace sonde::exporter {

namespace detail {

struct DigitPairs {
  char text[200] = {};
  constexpr DigitPairs() {
    for (int i = 0; i < 100; ++i) {
      text[2 * i] = static_cast<char>('0' + i / 10);
      text[2 * i + 1] = static_cast<char>('0' + i % 10);
    }
  }
};
inline constexpr DigitPairs digit_pairs;

struct Octet {
  char text[3];
  std::uint8_t size;
};

struct Octets {
  Octet entries[256] = {};
  constexpr Octets() {
    for (int i = 0; i < 256; ++i) {
      Octet& entry = entries[i];
      if (i >= 100) entry.text[entry.size++] = static_cast<char>('0' + i / 100);
      if (i >= 10) entry.text[entry.size++] = static_cast<char>('0' + i / 10 % 10);
      entry.text[entry.size++] = static_cast<char>('0' + i % 10);
    }
  }
};
inline constexpr Octets octets;

}  // namespace detail

inline char* append(char* out, std::string_view text) {
  if (!text.empty()) std::memcpy(out, text.data(), text.size());  // an empty view may be null, which memcpy forbids
  return out + text.size();
}

inline char* append_pair(char* out, std::uint32_t value) {
  std::memcpy(out, detail::digit_pairs.text + 2 * value, 2);
  return out + 2;
}

/// 0 to 255. Writes up to 4 bytes, the last ones of which may lie beyond the returned end.
inline char* append_octet(char* out, std::uint8_t value) {
  const detail::Octet& octet = detail::octets.entries[value];
  std::memcpy(out, &octet, sizeof(octet));
  return out + octet.size;
}

/// Decimal, 1 to 10 digits.
char* append_number(char* out, std::uint32_t value);
/// Nine digits with leading zeros; value < 1'000'000'000.
char* append_nanoseconds(char* out, std::uint32_t value);
/// "0x88cc".
char* append_hex16(char* out, std::uint16_t value);
/// "10.0.0.1", at most 15 characters; writes up to 17 bytes.
char* append_ipv4(char* out, const std::uint8_t* address);
/// RFC 5952, as inet_ntop(3) writes it, at most 45 characters.
char* append_ipv6(char* out, const std::uint8_t* address);
/// "02:00:00:00:00:01".
char* append_mac(char* out, const std::uint8_t* address);

}  // namespace sonde::exporter
