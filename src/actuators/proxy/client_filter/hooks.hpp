// SPDX-License-Identifier: Apache-2.0
// Where the filter is put: which interfaces, and by which hook.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "kernel/attach.hpp"
#include "kernel/interfaces.hpp"
#include "kernel/object.hpp"
#include "sonde/endpoint.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

/// Those of these names; without names those that have an address of a listener, for a wildcard all that are up, the
/// loopback device left out. None is an error.
[[nodiscard]] Result<std::vector<kernel::InterfaceInfo>> filter_interfaces(const std::vector<std::string>& names,
                                                                           std::span<const Endpoint> listeners);

/// Native XDP, generic XDP, tcx, clsact: the first that works. Behind the program of somebody else on XDP it is tc.
[[nodiscard]] Result<kernel::Link> attach_filter(const kernel::Object& programs,
                                                 const kernel::InterfaceInfo& interface);

}  // namespace sonde::proxy
