// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

#include "sonde/result.hpp"

namespace sonde::proxy {

/// What sonde::ask_proxy() does.
[[nodiscard]] Result<std::string> ask(const std::string& control, std::string_view request);

}  // namespace sonde::proxy
