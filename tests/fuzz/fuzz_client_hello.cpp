// SPDX-License-Identifier: Apache-2.0
// A connection's first bytes: whole, and in two pieces at a place that the input names, come to the same.
#include <cstddef>
#include <cstdint>

#include "actuators/proxy/config/server_name.hpp"
#include "actuators/proxy/protocol/hello.hpp"

using sonde::proxy::Bytes;
using sonde::proxy::HelloReader;
using sonde::proxy::HelloState;

namespace {

constexpr std::size_t most_bytes = 4096;

void check(const sonde::proxy::ClientHello& hello) {
  if (hello.ja4.size() != 36) __builtin_trap();
  if (hello.server_name.empty()) return;
  if (sonde::proxy::fold_server_name(hello.server_name) != hello.server_name) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes(data, size);
  HelloReader whole(most_bytes);
  const HelloState state = whole.read(bytes);
  if (state == HelloState::incomplete && size >= most_bytes) __builtin_trap();
  if (state == HelloState::complete) check(whole.hello());
  if (size == 0) return 0;
  HelloReader parted(most_bytes);
  const HelloState early = parted.read(bytes.first(data[size - 1] % size));
  if (early != HelloState::incomplete && early != state) __builtin_trap();
  if (parted.read(bytes) != state) __builtin_trap();
  if (state == HelloState::complete && parted.hello().ja4 != whole.hello().ja4) __builtin_trap();
  return 0;
}
