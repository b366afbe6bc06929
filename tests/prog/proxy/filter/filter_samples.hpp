// SPDX-License-Identifier: Apache-2.0
// Random lists and frames, out of few addresses and ports, so that they meet.
#pragma once
#include <random>
#include <vector>

#include "harness/packet_builder.hpp"
#include "sonde/endpoint.hpp"
#include "sonde/guard.hpp"

namespace sonde::test {

class Samples {
 public:
  explicit Samples(unsigned seed) : random_(seed) {}

  std::vector<Endpoint> listeners();
  std::vector<GuardNetwork> clients();
  Bytes frame();

 private:
  unsigned below(unsigned limit) { return std::uniform_int_distribution<unsigned>(0, limit - 1)(random_); }
  bool one_in(unsigned number) { return below(number) == 0; }
  std::array<std::uint8_t, 4> ipv4_address();
  std::array<std::uint8_t, 16> ipv6_address();
  std::uint16_t port();
  Endpoint endpoint();
  Bytes segment();
  Bytes ipv4_packet();
  Bytes ipv6_packet();

  std::mt19937 random_;
};

}  // namespace sonde::test
