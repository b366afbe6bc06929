// SPDX-License-Identifier: Apache-2.0
// Which packets of a flow could be of a flood.
#pragma once
#include <cstdint>
#include <optional>

#include "detect/detector.hpp"
#include "detect/familiar.hpp"

namespace sonde::detect {

enum class FloodKind : std::uint8_t { syn, udp, icmp, reflection };

struct Suspicion {
  FloodKind kind{};
  std::size_t target = 1;  ///< endpoint that the packets go to
  double packets = 0;      ///< below zero: what was suspicious before is not any more
  std::uint64_t bytes = 0;
  bool silent = false;   ///< SYN: no answer
  bool excused = false;  ///< SYN: refused, or from who has talked with the target: an outage looks like it
};

/// Remembers who has talked with whom: 512 kB.
class Suspicions {
 public:
  Suspicions() : friends_(32768), reflectors_(16384), regulars_(16384) {}

  /// `is_attacked`: one-way senders are not taken for regular ones now.
  [[nodiscard]] std::optional<Suspicion> of(const FlowSight& flow, bool is_attacked);

 private:
  [[nodiscard]] std::optional<Suspicion> of_tcp(const FlowSight& flow);
  [[nodiscard]] std::optional<Suspicion> of_udp(const FlowSight& flow, bool is_attacked);
  [[nodiscard]] std::optional<Suspicion> of_icmp(const FlowSight& flow);
  [[nodiscard]] bool are_friends(const FlowSight& flow) const;
  void make_friends(const FlowSight& flow);
  [[nodiscard]] bool is_regular(const FlowSight& flow, bool is_attacked);

  struct Regular {
    std::uint64_t pair = 0;
    std::int64_t first_ns = 0;
    bool regular = false;
  };
  Familiar friends_;     ///< pairs of addresses that have answered each other
  Familiar reflectors_;  ///< pairs of a server and a target
  std::vector<Regular> regulars_;
};

}  // namespace sonde::detect
