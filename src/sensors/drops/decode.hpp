// SPDX-License-Identifier: Apache-2.0
// Records of the drops program as events.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "kernel/network_namespaces.hpp"
#include "sensors/drops/drops.abi.h"
#include "sonde/drop.hpp"
#include "sonde/endpoint.hpp"

namespace sonde::drops {

/// All of the event that comes from the record alone: no owner, no names of reason and function. Pure. Nothing: the
/// record is cut short or contradicts itself.
[[nodiscard]] std::optional<Drop> decode_packet(std::span<const std::uint8_t> record);

/// The record's fixed part; call after decode_packet() accepted it.
[[nodiscard]] sonde_drop_event fixed_part(std::span<const std::uint8_t> record);

/// An answer to ping(8): a raw socket was given a copy, then the kernel looked for a ping socket too and found none.
[[nodiscard]] bool is_answered_ping(const sonde_drop_event& raw, const Drop& drop);

/// Names of interfaces whose packets no longer had their device with them. Believed for five seconds.
class InterfaceNames {
 public:
  /// "": not known.
  [[nodiscard]] std::string name(std::uint32_t network_namespace, std::uint32_t ifindex);

 private:
  using Clock = std::chrono::steady_clock;
  struct Name {
    std::string text;
    Clock::time_point found_at;
  };

  kernel::NetworkNamespaces namespaces_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Name> names_;
};

}  // namespace sonde::drops
