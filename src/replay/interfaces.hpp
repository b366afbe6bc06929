// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "sonde/packet.hpp"
#include "sonde/result.hpp"

namespace sonde::replay {

/// Interfaces of a file under our own numbers, from 1 on. The same name and link type in a later section of the file is
/// the same interface.
class Interfaces {
 public:
  /// Number of the interface; added if new. Fails beyond 65,536: no real file has that many, a hostile one may.
  [[nodiscard]] Result<std::uint32_t> add(const std::string& name, LinkType link);
  [[nodiscard]] const InterfaceTable& table() const { return table_; }

 private:
  InterfaceTable table_;
  std::map<std::pair<std::string, LinkType>, std::uint32_t> numbers_;
};

}  // namespace sonde::replay
