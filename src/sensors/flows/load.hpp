// SPDX-License-Identifier: Apache-2.0
// The programs of a flow source in the kernel, with owners where they are wanted and to be had.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "kernel/interfaces.hpp"
#include "kernel/object.hpp"
#include "sensors/flows/flows.hpp"
#include "sensors/owners/owner_tracking.hpp"
#include "sonde/result.hpp"

namespace sonde::flows {

struct Loaded {
  kernel::Object object;
  std::unique_ptr<owners::OwnerTracking> tracking;  ///< null: no owners
  std::string notice;                               ///< why; may be empty
};

[[nodiscard]] Result<Loaded> load(const KernelFlowOptions& options,
                                  const std::vector<kernel::InterfaceInfo>& interfaces);

}  // namespace sonde::flows
