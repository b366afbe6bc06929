// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "sonde/result.hpp"

namespace sonde::doctor {

/// A pair of virtual Ethernet interfaces in the thread's network namespace, both down.
Result<void> create_veth(const std::string& name, const std::string& peer);

}  // namespace sonde::doctor
