// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>

#include "decode/http.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = sonde::decode::decode_http({data, size});
  if (message && sonde::decode::to_text(*message).empty()) __builtin_trap();
  return 0;
}
