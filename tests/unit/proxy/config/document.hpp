// SPDX-License-Identifier: Apache-2.0
// Configurations put together key by key, as text.
#pragma once
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "sonde/proxy.hpp"

namespace sonde::proxy {

using Json = nlohmann::json;

/// The least that is a configuration: a listener and a name.
Json least_document();
/// With the value at a JSON pointer (RFC 6901).
Json with(Json document, const std::string& pointer, const Json& value);

/// Of what must be accepted.
ProxyConfig parse(const Json& document);
ProxyConfig parse_text(const std::string& text);
/// Of what must be refused, without "test.json:".
std::string error_of(const Json& document);
std::string error_of_text(const std::string& text);

}  // namespace sonde::proxy
