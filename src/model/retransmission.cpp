// SPDX-License-Identifier: Apache-2.0
#include "sonde/retransmission.hpp"

#include <array>

namespace sonde {

const char* retransmission_kind_name(RetransmissionKind kind) {
  static constexpr std::array names = {"RTO",     "loss recovery", "fast",     "TLP",   "SYN",
                                       "SYN-ACK", "path MTU",      "spurious", "untold"};
  const auto index = static_cast<std::size_t>(kind);
  return index < names.size() ? names[index] : "";
}

}  // namespace sonde
