// SPDX-License-Identifier: Apache-2.0
// What a reload may change.
#pragma once
#include <vector>

#include "sonde/proxy.hpp"

namespace sonde::proxy {

/// The error names the first key that differs and that a running proxy keeps.
[[nodiscard]] Result<void> check_unchanged(const ProxyConfig& before, const ProxyConfig& after);

/// Those of `all` that `others` does not have in the same way.
[[nodiscard]] std::vector<ProxyListener> listeners_without(const std::vector<ProxyListener>& all,
                                                           const std::vector<ProxyListener>& others);

[[nodiscard]] std::vector<Endpoint> addresses_of(const ProxyConfig& config);

}  // namespace sonde::proxy
