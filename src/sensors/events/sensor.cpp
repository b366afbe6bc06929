// SPDX-License-Identifier: Apache-2.0
#include "sensors/events/sensor.hpp"

#include <sonde/abi/counters.h>

#include "kernel/program.hpp"

namespace sonde::events {

namespace {

// Of all programs of the object: each event program counts what it takes, so what it missed was taken by nobody, but
// for what its double did (bpf/nested.h). A double misses only what the first one does.
std::uint64_t missed_runs(const kernel::Object& object) {
  std::uint64_t missed = 0;
  for (const auto& program : object.programs()) {
    const auto fd = object.program_fd(program.name);
    if (!fd || program.name.ends_with("_nested")) continue;
    const auto runs = kernel::missed_runs(*fd);
    if (runs) missed += *runs;
  }
  const std::uint32_t element = 0;
  const auto nestings = object.map_fd("sonde_nestings");
  const auto sum = nestings ? kernel::sum_per_cpu<sonde_nesting>(*nestings, &element) : Result<sonde_nesting>();
  const auto made_up = sum ? sum->made_up : 0;
  return missed > made_up ? missed - made_up : 0;
}

}  // namespace

std::vector<LossStage> ring_stages(const kernel::Object& object, std::uint64_t read, std::uint64_t malformed) {
  const std::uint32_t element = 0;
  const auto map = object.map_fd("sonde_counts");
  const auto sum = map ? kernel::sum_per_cpu<sonde_counters>(*map, &element) : Result<sonde_counters>();
  const auto counts = sum ? *sum : sonde_counters{};
  const auto offered = counts.emitted + counts.lost;
  const auto missed = missed_runs(object);
  return {{"hook", counts.taken + missed, offered, counts.filtered + counts.counted_only, missed,
           missed > 0 ? "the kernel skips a program that an interrupt finds running" : ""},
          {"ring", offered, read, 0, counts.lost, counts.lost > 0 ? "the reader was slower than the events" : ""},
          {"decode", read, read - malformed, 0, malformed, ""}};
}

Result<void> prepare_ring(kernel::Object& object, std::size_t bytes) {
  auto prepared = object.set_autocreate("sonde_perf", false);
  if (!prepared) return prepared;
  return object.set_constant("sonde_wakeup_bytes", static_cast<std::uint32_t>(bytes / 8));
}

Result<kernel::Ring> open_ring(const kernel::Object& object, std::size_t bytes) {
  auto array = object.map_fd("sonde_rings");
  if (!array) return std::unexpected(array.error());
  auto ring = kernel::Ring::make(bytes);
  if (!ring) return ring;
  const std::uint32_t first = 0;
  const int fd = ring->map_fd();
  auto put = kernel::map_update(*array, &first, &fd);
  if (!put) return std::unexpected(put.error());
  return ring;
}

}  // namespace sonde::events
