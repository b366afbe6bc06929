// SPDX-License-Identifier: Apache-2.0
#include "export/flows/words.hpp"

#include <array>
#include <cstddef>

namespace sonde::exporter {

const char* grouping_word(FlowGrouping grouping) {
  static constexpr std::array words{"flow", "process", "container", "src", "dst", "dst-port", "protocol", "country"};
  return words.at(static_cast<std::size_t>(grouping));
}

const char* order_word(FlowOrder order) {
  static constexpr std::array words{"bytes", "packets", "rate", "rtt", "retrans"};
  return words.at(static_cast<std::size_t>(order));
}

}  // namespace sonde::exporter
