// SPDX-License-Identifier: Apache-2.0
// What `sonde proxy --check` tells of a configuration. Changes nothing and needs no privileges.
#pragma once
#include <ostream>

#include "sonde/proxy.hpp"

namespace sonde::cli {

/// What the file says of this host: its user, its interfaces and its addresses must be there.
[[nodiscard]] Result<void> check_host(const ProxyConfig& config, const std::string& path);

/// What the proxy would do, in some lines.
void describe_proxy(std::ostream& out, const ProxyConfig& config);

}  // namespace sonde::cli
