// SPDX-License-Identifier: Apache-2.0
// What a reload may change.
#pragma once
#include <string_view>
#include <vector>

#include "sonde/proxy.hpp"

namespace sonde::proxy {

/// The first key that differs and that a running proxy keeps; empty: there is none.
[[nodiscard]] std::string_view kept_key_that_differs(const ProxyConfig& before, const ProxyConfig& after);

/// Those of `all` that `others` does not have in the same way.
[[nodiscard]] std::vector<ProxyListener> listeners_without(const std::vector<ProxyListener>& all,
                                                           const std::vector<ProxyListener>& others);

[[nodiscard]] std::vector<Endpoint> addresses_of(const ProxyConfig& config);

}  // namespace sonde::proxy
