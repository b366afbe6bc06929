// SPDX-License-Identifier: Apache-2.0
// What a SOCKS5 server says, in pieces whose size the first byte gives. One byte at a time comes to the same end,
// unless the server said more than it was asked.
#include <cstddef>
#include <cstdint>
#include <span>

#include "actuators/proxy/protocol/socks5.hpp"

using sonde::proxy::Socks5Client;
using sonde::proxy::Socks5State;

namespace {

const sonde::ProxySocks5 server{.server = {.host = "proxy.example", .port = 1080}, .username = "a", .password = "b"};

// How it ends, and how many bytes belonged to the server's answers.
struct End {
  Socks5State state;
  std::size_t consumed;
};

End converse(std::span<const std::uint8_t> bytes, std::size_t piece) {
  Socks5Client client(server, "www.example.com", 443);
  End end{client.step({}), 0};
  while (!bytes.empty() && (end.state == Socks5State::send || end.state == Socks5State::needs_more)) {
    const auto part = bytes.first(piece < bytes.size() ? piece : bytes.size());
    end.state = client.step(part);
    if (client.consumed() > part.size()) __builtin_trap();
    if (end.state == Socks5State::send && client.out().empty()) __builtin_trap();
    if (end.state == Socks5State::failed && client.error().empty()) __builtin_trap();
    end.consumed += client.consumed();
    bytes = bytes.subspan(part.size());
  }
  return end;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const std::uint8_t> bytes(data + 1, size - 1);
  const End slow = converse(bytes, 1);
  const End fast = converse(bytes, 1 + data[0] % 16);
  if (fast.state == Socks5State::failed) return 0;
  if (fast.state != slow.state || fast.consumed != slow.consumed) __builtin_trap();
  return 0;
}
