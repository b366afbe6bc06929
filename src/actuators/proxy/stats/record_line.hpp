// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "actuators/proxy/stats/statistics.hpp"

namespace sonde::proxy {

/// A JSON object and a line's end; docs/proxy.md has the members. What is not known or did not happen is left out.
[[nodiscard]] std::string record_line(const ConnectionRecord& record);

}  // namespace sonde::proxy
