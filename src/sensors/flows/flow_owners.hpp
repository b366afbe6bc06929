// SPDX-License-Identifier: Apache-2.0
// Who owns the local ends of the flows in the kernel's table.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernel/object.hpp"
#include "sensors/owners/owner_tracking.hpp"
#include "sensors/packets/flows.abi.h"
#include "sonde/flow.hpp"

namespace sonde::flows {

class FlowOwners {
 public:
  /// `tracking` null: no owners. The object must outlive it.
  FlowOwners(std::unique_ptr<owners::OwnerTracking> tracking, const kernel::Object& object)
      : tracking_(std::move(tracking)), object_(&object) {}

  void refresh();
  /// Fills in the owners of both sides; without a slot there are none.
  void describe(std::optional<std::uint32_t> slot, const sonde_flow& flow, Flow& described);
  [[nodiscard]] std::vector<std::string> notices() const;

 private:
  /// By side of the flow, as the kernel recorded it.
  [[nodiscard]] std::optional<sonde_flow_owners> read(std::uint32_t slot) const;

  std::unique_ptr<owners::OwnerTracking> tracking_;
  const kernel::Object* object_;
};

}  // namespace sonde::flows
