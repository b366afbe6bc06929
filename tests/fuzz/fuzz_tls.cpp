// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>

#include "decode/tls.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto handshake = sonde::decode::decode_tls({data, size});
  if (!handshake) return 0;
  if (sonde::decode::tls_handshake_name(handshake->kind) == nullptr) __builtin_trap();
  if (sonde::decode::to_text(*handshake).empty()) __builtin_trap();
  return 0;
}
