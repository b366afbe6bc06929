// SPDX-License-Identifier: Apache-2.0
#include "flow_programs.hpp"

#include <bpf/bpf.h>

#include <stdexcept>

#include "filter/filter.hpp"
#include "harness/result.hpp"

namespace sonde::test {
namespace {}  // namespace

FlowPrograms::FlowPrograms(flows::FlowProgramOptions options, const FilterOptions& filter)
    : filter_(value_or_throw(filter::compile(filter))) {
  options.packets.filter = filter_;
  options.packets.xdp = true;
  options.packets.raw_ip = true;
  const auto buckets = flows::bucket_count(options.max_flows);
  object_ = std::make_unique<kernel::Object>(value_or_throw(flows::load_flow_program(std::move(options))));
  reader_ = value_or_throw(packets::make_ring_reader(*object_, 1, 4 * 1024 * 1024));
  slots_ = std::make_unique<flows::FlowSlots>(value_or_throw(flows::FlowSlots::make(*object_, buckets)));
}

bool FlowPrograms::run(const std::string& program, const Bytes& packet, std::uint32_t gso_segments) {
  __sk_buff context{};
  context.gso_segs = gso_segments;
  LIBBPF_OPTS(bpf_test_run_opts, run);
  run.data_in = packet.data();
  run.data_size_in = static_cast<__u32>(packet.size());
  run.repeat = 1;
  if (gso_segments > 0) {
    run.ctx_in = &context;
    run.ctx_size_in = sizeof(context);
  }
  return bpf_prog_test_run_opts(value_or_throw(object_->program_fd(program)), &run) == 0;
}

std::vector<sonde_flow> FlowPrograms::table() {
  std::vector<sonde_flow> flows;
  value_or_throw(slots_->for_each_taken([&](std::uint32_t, sonde_flow& flow) { flows.push_back(flow); }));
  return flows;
}

sonde_flows_counters FlowPrograms::counters() const {
  const std::uint32_t element = 0;
  return value_or_throw(
      kernel::sum_per_cpu<sonde_flows_counters>(value_or_throw(object_->map_fd("sonde_flow_counts")), &element));
}

std::vector<FlowPrograms::Record> FlowPrograms::records() {
  std::vector<Record> records;
  pipeline::PacketBatch batch;
  while (reader_->read(batch, std::chrono::milliseconds{0}) && batch.size > 0) {
    for (const auto& packet : batch.view()) {
      const auto bytes = packet.bytes();
      records.push_back({*reinterpret_cast<const sonde_flow_record*>(packet.event + 1), {bytes.begin(), bytes.end()}});
    }
  }
  return records;
}

}  // namespace sonde::test
