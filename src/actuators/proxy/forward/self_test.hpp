// SPDX-License-Identifier: Apache-2.0
// Sends data through a forwarding path before it is trusted with anybody's.
#pragma once
#include <string>

#include "actuators/proxy/path/path.hpp"

namespace sonde::proxy {

struct SelfTestResult {
  enum class Outcome : std::uint8_t {
    passed,
    failed,   ///< it corrupts, loses, stalls or does not carry
    untried,  ///< there is no loopback to try it over
  };
  Outcome outcome = Outcome::passed;
  std::string text;  ///< what was done, or what went wrong
};

/// Relays three connections over 127.0.0.1 and compares what arrives with what was sent: random sizes both ways at once
/// with half-close and close, a reset, and a reader that stalls. `path` may be null; then it is the relay alone, with
/// pipes if `splice`. Takes some hundredths of a second; what takes longer than 2 s has stalled. The path has no
/// listeners afterwards.
[[nodiscard]] SelfTestResult test_path(KernelPath* path, bool splice);

}  // namespace sonde::proxy
