// SPDX-License-Identifier: Apache-2.0
// What `sonde proxy --check` tells of a configuration. Changes nothing and needs no privileges.
#pragma once
#include <ostream>

#include "sonde/proxy.hpp"

namespace sonde::cli {

/// What the proxy would do, in some lines.
void describe_proxy(std::ostream& out, const ProxyConfig& config);

}  // namespace sonde::cli
