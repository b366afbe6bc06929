// SPDX-License-Identifier: Apache-2.0
#include "tables.hpp"

#include <linux/bpf.h>

#include "filter/filter.hpp"
#include "sensors/flows/program.hpp"

extern "C" {
extern const std::uint8_t sonde_bench_tables_bpf_object[];
extern const std::uint8_t sonde_bench_tables_bpf_object_end[];
}

namespace sonde::bench {
namespace {

constexpr std::size_t ring_bytes = 4 * 1024 * 1024;

// The map of a program, with room for the flows; the others are not made.
Result<std::unique_ptr<kernel::Object>> load_tables(const std::string& name, std::uint32_t flows) {
  auto object =
      kernel::Object::open({sonde_bench_tables_bpf_object, sonde_bench_tables_bpf_object_end}, "sonde_bench_tables");
  if (!object) return std::unexpected(object.error());
  for (const std::string table : {"lru", "hash", "per_cpu"}) {
    for (const auto& done :
         {object->set_autoload("table_" + table, table == name),
          object->set_autocreate("flows_" + table, table == name), object->set_max_entries("flows_" + table, flows)})
      if (!done) return std::unexpected(done.error());
  }
  // Tail calls are between programs of the same kind, and sonde's takes packets in several buffers.
  for (const auto& program : object->programs()) {
    const auto done = object->allow_fragments(program.name);
    if (!done) return std::unexpected(done.error());
  }
  auto done = object->set_constant("flows", flows);
  if (done) done = object->load();
  if (!done) return std::unexpected(done.error());
  return std::make_unique<kernel::Object>(std::move(*object));
}

Result<std::unique_ptr<kernel::Object>> load_sonde(std::uint32_t flows) {
  auto filter = filter::compile({});
  if (!filter) return std::unexpected(filter.error());
  flows::FlowProgramOptions options;
  options.packets.filter = std::move(*filter);
  options.packets.xdp = true;
  options.packets.ingress = options.packets.egress = false;
  options.packets.xdp_verdict = XDP_DROP;
  options.packets.wakeup_bytes = ring_bytes / 8;
  options.max_flows = flows;
  auto object = flows::load_flow_program(std::move(options));
  if (!object) return std::unexpected(object.error());
  return std::make_unique<kernel::Object>(std::move(*object));
}

}  // namespace

Result<Table> Table::load(const std::string& name, std::uint32_t flows) {
  Table table;
  auto tables = load_tables(name, flows);
  if (!tables) return std::unexpected(tables.error());
  table.tables_ = std::move(*tables);
  table.program_ = name == "drop" ? "" : "table_" + name;
  if (name != "sonde") return table;
  auto object = load_sonde(flows);
  if (!object) return std::unexpected(object.error());
  table.object_ = std::move(*object);
  auto reader = packets::make_ring_reader(*table.object_, 1, ring_bytes);
  if (!reader) return std::unexpected(reader.error());
  table.reader_ = std::move(*reader);
  table.program_ = "sonde_xdp";
  return table;
}

Result<int> Table::program() const {
  if (object_) return object_->program_fd(program_);
  return tables_->program_fd(program_.empty() ? "drop" : program_);
}

Result<int> Table::changing_source() const {
  if (!program_.empty()) {
    const auto next = program();
    const auto map = tables_->map_fd("next");
    if (!next) return next;
    if (!map) return map;
    const std::uint32_t element = 0;
    const auto put = kernel::map_update(*map, &element, &*next);
    if (!put) return std::unexpected(put.error());
  }
  return tables_->program_fd("change_source");
}

Result<sonde_flows_counters> Table::counters() const {
  const std::uint32_t element = 0;
  const auto map = object_->map_fd("sonde_flow_counts");
  if (!map) return std::unexpected(map.error());
  return kernel::sum_per_cpu<sonde_flows_counters>(*map, &element);
}

Result<std::uint64_t> Table::taken() const {
  struct Count {
    std::uint64_t packets;
  };
  const std::uint32_t element = 0;
  const auto map = tables_->map_fd("taken");
  if (!map) return std::unexpected(map.error());
  const auto sum = kernel::sum_per_cpu<Count>(*map, &element);
  if (!sum) return std::unexpected(sum.error());
  return sum->packets;
}

}  // namespace sonde::bench
