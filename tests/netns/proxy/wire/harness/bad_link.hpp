// SPDX-License-Identifier: Apache-2.0
// A link that loses, repeats, delays and reorders frames: two TAP devices, and a thread between them.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "harness/netns.hpp"

namespace sonde::test {

/// Probabilities of each frame with TCP in it. Others (neighbour discovery, ICMP) are delayed, and nothing else.
struct Badness {
  double lost = 0;
  double twice = 0;
  double late = 0;  ///< comes `later`, so that those behind it overtake
  std::chrono::microseconds delay{0};
  std::chrono::microseconds later{2'000};
  unsigned seed = 1;
};

/// Both ends are up and ready, without addresses. Frames are as a wire has them: no offload, but GRO on arrival.
/// Neither namespace may end before it.
class BadLink {
 public:
  BadLink(const NetworkNamespace& a, const std::string& name_a, const NetworkNamespace& b, const std::string& name_b,
          const Badness& badness);
  ~BadLink();

  /// From now on. The seed stays.
  void set(const Badness& badness);

  /// Of frames with TCP.
  struct Counts {
    std::uint64_t sent = 0, lost = 0, twice = 0, late = 0;
  };
  [[nodiscard]] Counts counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sonde::test
