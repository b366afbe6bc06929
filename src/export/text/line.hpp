// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "export/clock.hpp"
#include "export/interfaces.hpp"
#include "export/sinks.hpp"
#include "export/text/palette.hpp"

namespace sonde::exporter {

/// A packet as one line, in tcpdump's words:
/// "14:03:22.123456789 eth0 In  IP 10.0.0.1.34567 > 10.0.0.2.443: Flags [S], seq 12345, win 64240, length 0, size 74".
class LineFormatter {
 public:
  static constexpr std::size_t max_size = 768;  ///< longest line, colours included

  explicit LineFormatter(TextOptions options);

  /// Writes the line without its end and returns where it ends. Needs max_size bytes at `out`.
  char* append(char* out, const Packet& packet, const InterfaceTable& interfaces);

 private:
  using Prefixes = std::array<std::string, 2>;  // " eth0 In  " by direction
  [[nodiscard]] Prefixes make_prefixes(const InterfaceTable& interfaces, std::uint32_t ifindex) const;

  const Palette& palette_;
  TimeText time_;
  PerInterface<Prefixes> prefixes_;
};

}  // namespace sonde::exporter
