// SPDX-License-Identifier: Apache-2.0
// The maps of the client filter, through their descriptors: no privileges are needed once they are there (Linux 5.19;
// before, bpf() is refused to others where kernel.unprivileged_bpf_disabled is set).
#pragma once
#include <span>

#include "actuators/proxy/client_filter/entries.hpp"
#include "kernel/object.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

class FilterLists {
 public:
  /// Of a loaded object, which outlives it.
  [[nodiscard]] static Result<FilterLists> of(const kernel::Object& object);

  /// Every packet is judged by the old entries or by the new ones, also if it fails half-way.
  [[nodiscard]] Result<void> set(std::span<const FilterEntry> entries);

 private:
  [[nodiscard]] Result<void> make_active(int list_fd) const;
  [[nodiscard]] Result<void> set_ports(std::span<const FilterEntry> entries, bool keep);

  int list_ = -1;  ///< IP_WHITELIST
  int spare_ = -1;
  int active_ = -1;
  int port_bits_ = -1;
  bool spare_holds_ = false;  ///< IP_WHITELIST could not be written
  sonde_client_filter_ports ports_{};
};

}  // namespace sonde::proxy
