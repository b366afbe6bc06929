// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

namespace sonde::proxy {

struct WireTrial {
  enum class Outcome : std::uint8_t {
    passed,
    failed,   ///< it corrupts, loses, stalls or does not carry
    untried,  ///< there can be no network namespaces to try it in
  };
  Outcome outcome = Outcome::passed;
  std::string text;  ///< what was done, or what went wrong
};

/// Sends two connections through a wire of its own, between network namespaces of its own: one that is handed over in
/// the midst of bytes both ways, with half-close and close, and one that is reset. What arrives is compared with what
/// was sent. Takes less than a second, most of it to load the programs; leaves nothing. Needs CAP_SYS_ADMIN. In a
/// thread that has ended when this returns.
[[nodiscard]] WireTrial try_wire();

}  // namespace sonde::proxy
