// SPDX-License-Identifier: Apache-2.0
// Random connections on the wire, and frames of them, near them, and of others.
#pragma once
#include <random>

#include "actuators/proxy/wire/wire.abi.h"
#include "harness/packet_builder.hpp"
#include "wire_model.hpp"

namespace sonde::test {

class WireSamples {
 public:
  explicit WireSamples(unsigned seed) : random_(seed) {}

  struct Made {
    sonde_wire_connection connection{};
    std::array<sonde_wire_flow, 2> flows{};
  };
  /// `index` gives it ports of its own.
  Made connection(std::uint32_t index);
  /// Of one of the connections, more or less.
  struct Sample {
    Bytes frame;
    std::uint32_t segments = 0, segment_size = 0;
  };
  Sample sample(const WireModel& model, const std::vector<std::array<sonde_wire_flow, 2>>& flows);

  std::uint32_t below(std::uint32_t limit) {
    return std::uniform_int_distribution<std::uint32_t>(0, limit - 1)(random_);
  }
  bool one_in(std::uint32_t number) { return below(number) == 0; }
  std::uint32_t word() { return random_(); }

 private:
  void fill_side(sonde_wire_side_state& side, std::uint32_t start);
  Bytes options();
  Bytes sack();
  Bytes any_option();
  Tcp header(const sonde_wire_flow& flow, const sonde_wire_side_state& side, const sonde_wire_side_state& other,
             std::uint32_t payload);
  Bytes ip_packet(const sonde_wire_flow& flow, const Bytes& segment);
  void spoil(Bytes& frame);

  std::mt19937 random_;
};

}  // namespace sonde::test
