// SPDX-License-Identifier: Apache-2.0
// The packets programs that count flows, run by BPF_PROG_TEST_RUN.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "harness/packet_builder.hpp"
#include "sensors/flows/flow_slots.hpp"
#include "sensors/flows/program.hpp"
#include "sensors/packets/readers.hpp"

namespace sonde::test {

/// A loaded object with an empty table. Construction throws std::runtime_error.
class FlowPrograms {
 public:
  explicit FlowPrograms(flows::FlowProgramOptions options = {}, const FilterOptions& filter = {});

  /// False: the kernel refuses to make such a packet.
  bool run(const std::string& program, const Bytes& packet, std::uint32_t gso_segments = 0);
  /// Every flow in the table, those whose tuple was used again included.
  [[nodiscard]] std::vector<sonde_flow> table();
  [[nodiscard]] sonde_flows_counters counters() const;

  struct Record {
    sonde_flow_record record;
    Bytes bytes;
  };
  /// What has come by the ring since the last call.
  [[nodiscard]] std::vector<Record> records();

 private:
  filter::CompiledFilter filter_;
  std::unique_ptr<kernel::Object> object_;
  std::unique_ptr<packets::Reader> reader_;
  std::unique_ptr<flows::FlowSlots> slots_;
};

}  // namespace sonde::test
