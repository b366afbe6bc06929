// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

namespace sonde::exporter {

/// Appends a JSON string with its quotes (RFC 8259 7). A byte that is no part of valid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// `"name":"text",` for a member that others follow.
void append_json_member(std::string& out, std::string_view name, std::string_view text);

}  // namespace sonde::exporter
