// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <string_view>

#include "sonde/packet.hpp"

namespace sonde::exporter {

/// ANSI sequences before a word, or nothing at all. Each is at most 8 bytes.
struct Palette {
  std::array<std::string_view, 2> direction;                    ///< by SONDE_DIRECTION_
  std::array<std::string_view, protocol_class_count> protocol;  ///< by ProtocolClass
  std::string_view alert;                                       ///< RST; what is truncated or malformed
  std::string_view plain;                                       ///< after each of the above
};

inline constexpr Palette no_colours{};

inline constexpr Palette colours{
    .direction = {"\033[32m", "\033[36m"},
    .protocol = {"\033[34m", "\033[35m", "\033[33m", "\033[33m", "\033[94m", "\033[94m", "\033[90m", "\033[90m"},
    .alert = "\033[1;31m",
    .plain = "\033[0m",
};

}  // namespace sonde::exporter
