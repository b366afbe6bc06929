// SPDX-License-Identifier: Apache-2.0
#include "export/base64.hpp"

#include <cstring>

namespace sonde::exporter {
namespace {

constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Two characters for each 12 bits: half as many look-ups as one for each 6.
struct Pairs {
  char text[4096][2] = {};
  constexpr Pairs() {
    for (int i = 0; i < 4096; ++i) {
      text[i][0] = alphabet[i >> 6];
      text[i][1] = alphabet[i & 63];
    }
  }
};
constexpr Pairs pairs;

char* append_pairs(char* out, std::uint32_t bits) {
  std::memcpy(out, pairs.text[bits >> 12], 2);
  std::memcpy(out + 2, pairs.text[bits & 4095], 2);
  return out + 4;
}

}  // namespace

char* append_base64(char* out, std::span<const std::uint8_t> bytes) {
  const std::uint8_t* in = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 3; left -= 3, in += 3) {
    out = append_pairs(out, static_cast<std::uint32_t>(in[0]) << 16 | static_cast<std::uint32_t>(in[1]) << 8 | in[2]);
  }
  if (left == 0) return out;
  const std::uint32_t second = left == 2 ? in[1] : 0U;
  out = append_pairs(out, static_cast<std::uint32_t>(in[0]) << 16 | second << 8);
  std::memset(out - (3 - left), '=', 3 - left);
  return out;
}

}  // namespace sonde::exporter
