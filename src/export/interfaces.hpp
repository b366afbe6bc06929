// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <unordered_map>

#include "sonde/packet.hpp"

namespace sonde::exporter {

/// The interface's name; "if7" for an ifindex that the table does not hold.
[[nodiscard]] std::string interface_name(const InterfaceTable& interfaces, std::uint32_t ifindex);

/// The table's word on what the packet's bytes begin with; for an ifindex that it does not hold, the packet's own.
[[nodiscard]] LinkType link_type_of(const sonde_packet_event& event, const InterfaceTable& interfaces);

/// What a sink prepares once for each interface. Packets of one interface come in runs, so the last one is at hand.
template <class Value>
class PerInterface {
 public:
  /// The value of `ifindex`; `make()` gives it the first time.
  template <class Make>
  Value& get(std::uint32_t ifindex, Make make) {
    if (last_ != nullptr && last_ifindex_ == ifindex) [[likely]]
      return *last_;
    auto found = values_.find(ifindex);
    if (found == values_.end()) found = values_.emplace(ifindex, make()).first;
    last_ifindex_ = ifindex;
    last_ = &found->second;  // elements of an unordered_map stay where they are
    return *last_;
  }

 private:
  std::unordered_map<std::uint32_t, Value> values_;
  std::uint32_t last_ifindex_ = 0;
  Value* last_ = nullptr;
};

}  // namespace sonde::exporter
