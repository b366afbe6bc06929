// SPDX-License-Identifier: Apache-2.0
// What the programs of the bypass and user space share has one layout.
#include <gtest/gtest.h>

#include "actuators/proxy/bypass/bypass.abi.h"
#include "layout.hpp"

extern "C" const std::uint8_t sonde_proxy_bypass_bpf_object[];
extern "C" const std::uint8_t sonde_proxy_bypass_bpf_object_end[];

namespace sonde::proxy {
namespace {

using test::Layout;

TEST(BypassAbi, structs_have_one_layout) {
  using S = sonde_bypass_socket;
  using L = sonde_bypass_listener;
  using D = sonde_bypass_direction;
  using T = sonde_bypass_traffic;
  using C = sonde_bypass_connections;
  const test::Elf elf(sonde_proxy_bypass_bpf_object,
                      static_cast<std::size_t>(sonde_proxy_bypass_bpf_object_end - sonde_proxy_bypass_bpf_object));
  test::compare(
      elf, {LAYOUT(sonde_bypass_socket, MEMBER(S, local_address), MEMBER(S, remote_address), MEMBER(S, local_port),
                   MEMBER(S, remote_port)),
            LAYOUT(sonde_bypass_listener, MEMBER(L, address), MEMBER(L, port)),
            LAYOUT(sonde_bypass_direction, MEMBER(D, receiver), MEMBER(D, sender_origin), MEMBER(D, receiver_origin),
                   MEMBER(D, role), MEMBER(D, sender_sock), MEMBER(D, receiver_sock), MEMBER(D, bytes),
                   MEMBER(D, messages), MEMBER(D, passed), MEMBER(D, answered), MEMBER(D, wait_at), MEMBER(D, backoff),
                   MEMBER(D, direct), MEMBER(D, turns)),
            LAYOUT(sonde_bypass_traffic, MEMBER(T, bytes_to_backend), MEMBER(T, bytes_to_client),
                   MEMBER(T, messages_to_backend), MEMBER(T, messages_to_client), MEMBER(T, passed),
                   MEMBER(T, handshake), MEMBER(T, not_drained), MEMBER(T, full), MEMBER(T, gone), MEMBER(T, unsuited)),
            LAYOUT(sonde_bypass_connections, MEMBER(C, seen_clients), MEMBER(C, seen_backends), MEMBER(C, captured),
                   MEMBER(C, taken), MEMBER(C, ended), MEMBER(C, declined_short), MEMBER(C, declined_client),
                   MEMBER(C, declined_backend), MEMBER(C, declined_blocking), MEMBER(C, declined_unsuited),
                   MEMBER(C, declined_kernel))});
}

}  // namespace
}  // namespace sonde::proxy
