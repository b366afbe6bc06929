// SPDX-License-Identifier: Apache-2.0
// Tables of flows that are compared: sonde's, and hash maps of the kernel's.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "kernel/object.hpp"
#include "sensors/packets/flows.abi.h"
#include "sensors/packets/readers.hpp"
#include "sonde/result.hpp"

namespace sonde::bench {

/// An XDP program that counts packets in a table with room for a number of flows, and drops them.
class Table {
 public:
  /// "sonde", "lru", "hash", "per_cpu", "none" (the parser only), "drop" (nothing).
  [[nodiscard]] static Result<Table> load(const std::string& name, std::uint32_t flows);

  [[nodiscard]] Result<int> program() const;
  /// A program that gives each packet the source address of the next flow and then calls program().
  [[nodiscard]] Result<int> changing_source() const;
  /// Of sonde's table.
  [[nodiscard]] const kernel::Object& object() const { return *object_; }
  /// Of sonde's table.
  [[nodiscard]] Result<sonde_flows_counters> counters() const;
  /// Packets that program() of another table has taken.
  [[nodiscard]] Result<std::uint64_t> taken() const;

 private:
  Table() = default;
  std::string program_;
  std::unique_ptr<kernel::Object> object_;
  std::unique_ptr<kernel::Object> tables_;  ///< of tables.bpf.c
  std::unique_ptr<packets::Reader> reader_;
};

}  // namespace sonde::bench
