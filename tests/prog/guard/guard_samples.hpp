// SPDX-License-Identifier: Apache-2.0
// Random rule sets and packets that meet: addresses, ports and protocols come from small pools.
#pragma once
#include <random>
#include <string>
#include <vector>

#include "harness/packet_builder.hpp"
#include "sonde/guard.hpp"

namespace sonde::test {

class GuardSamples {
 public:
  explicit GuardSamples(std::uint64_t seed) : random_(seed) {}

  /// With `limits`, rules that limit as well.
  std::vector<GuardRule> rules(std::size_t most, bool limits, std::int64_t now_wall_ns);
  /// An Ethernet frame.
  Bytes packet();

 private:
  int number(int below);
  bool chance(int percent) { return number(100) < percent; }
  std::array<std::uint8_t, 16> address(bool ipv6);
  GuardRule rule(bool limits, std::int64_t now_wall_ns);
  GuardNetwork network();
  GuardPorts ports();
  std::uint16_t port();
  std::uint8_t protocol();
  Bytes transport(std::uint8_t protocol);
  Bytes ipv4_packet();
  Bytes ipv6_packet();

  std::mt19937_64 random_;
};

/// For messages of tests that fail.
std::string describe(const GuardRule& rule);
std::string hex(const Bytes& bytes);

}  // namespace sonde::test
