// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "decode/decode.hpp"

namespace sonde::exporter {

/// The value of "decoded": an object with "protocol", "text" and the protocol's own members (docs/json.md).
[[nodiscard]] std::string json_of(const decode::Decoded& decoded);

}  // namespace sonde::exporter
