// SPDX-License-Identifier: Apache-2.0
// Security events as text and as JSON.
#pragma once
#include <string>
#include <string_view>

#include "sonde/security.hpp"

namespace sonde::exporter {

/// What started as a block of lines: when, how bad, what, who, whom, the evidence, how to stop it. How it goes on and
/// ends as a line each. Without the last line's end, so that a block is followed by an empty line; what comes from the
/// network is escaped.
[[nodiscard]] std::string security_text(const SecurityEvent& event, bool color);

/// docs/json.md
[[nodiscard]] std::string security_json(const SecurityEvent& event);

/// A decimal number as JSON writes it ("12", "-0.5"), and nothing else.
[[nodiscard]] bool is_json_number(std::string_view text);

}  // namespace sonde::exporter
