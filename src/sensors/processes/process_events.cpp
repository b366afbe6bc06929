// SPDX-License-Identifier: Apache-2.0
#include "sensors/processes/process_events.hpp"

#include <fcntl.h>

#include <chrono>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "base/fd.hpp"
#include "kernel/attach.hpp"
#include "kernel/object.hpp"
#include "kernel/ring.hpp"
#include "kernel/tracing.hpp"
#include "sensors/processes/decode.hpp"
#include "sensors/processes/processes.abi.h"

extern "C" {
extern const std::uint8_t sonde_processes_bpf_object[];
extern const std::uint8_t sonde_processes_bpf_object_end[];
}

namespace sonde::processes {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t ring_bytes = 1024 * 1024;
constexpr std::size_t records_a_read = 256;
constexpr std::chrono::seconds rescan_interval{1};

std::span<const std::uint8_t> object_bytes() { return {sonde_processes_bpf_object, sonde_processes_bpf_object_end}; }

// Exit comes first: a process that is told to have started is then also told to have ended.
constexpr const char* programs[] = {"sonde_process_exited", "sonde_process_executed", "sonde_process_forked"};

Result<kernel::Object> load(int verdicts_map_fd) {
  auto object = kernel::Object::open(object_bytes(), "sonde_processes");
  if (!object) return object;
  const bool has_verdicts = verdicts_map_fd >= 0;
  // Drained with every batch of events, so never woken.
  constexpr auto never = std::numeric_limits<std::uint32_t>::max();
  for (const auto& done :
       {object->set_constant("sonde_wakeup_bytes", never), object->set_autocreate("sonde_perf", false),
        object->set_constant("sonde_has_verdicts", std::uint32_t{has_verdicts}),
        has_verdicts ? object->reuse_map("sonde_owner_verdicts", verdicts_map_fd)
                     : object->set_autocreate("sonde_owner_verdicts", false)}) {
    if (!done) return std::unexpected(done.error());
  }
  auto loaded = object->load();
  if (!loaded) return std::unexpected(loaded.error());
  return object;
}

Result<kernel::Ring> make_ring(const kernel::Object& object) {
  const auto rings = object.map_fd("sonde_rings");
  if (!rings) return std::unexpected(rings.error());
  auto ring = kernel::Ring::make(ring_bytes);
  if (!ring) return ring;
  const std::uint32_t first = 0;
  const int fd = ring->map_fd();
  auto put = kernel::map_update(*rings, &first, &fd);
  if (!put) return std::unexpected(put.error());
  return ring;
}

}  // namespace

struct ProcessEvents::State {
  kernel::Object object;
  kernel::Ring ring;
  Fd verdicts;
  std::vector<kernel::Link> links = {};
  std::uint64_t lost_before = 0;
  Clock::time_point looked_at = Clock::now();

  // A verdict about the program that was replaced may have been put down after the kernel removed those it saw.
  void forget_verdict(std::span<const std::uint8_t> record) const {
    const auto process = executed_in(record);
    if (!process || !verdicts) return;
    const sonde_process_key key{process->start_time_ns, process->pid, 0};
    static_cast<void>(kernel::map_delete(verdicts.get(), &key));  // mostly it is not there any more
  }

  // Executions and exits that nobody told are in /proc.
  void make_up_for_loss(enrich::ProcessTable& table, std::uint64_t lost) {
    if (lost == lost_before) return;
    lost_before = lost;
    table.scan();
  }
};

ProcessEvents::ProcessEvents(std::unique_ptr<State> state) : state_(std::move(state)) {}
ProcessEvents::~ProcessEvents() = default;

Result<std::unique_ptr<ProcessEvents>> ProcessEvents::start(int verdicts_map_fd) {
  auto object = load(verdicts_map_fd);
  if (!object) return std::unexpected(object.error());
  auto ring = make_ring(*object);
  if (!ring) return std::unexpected(ring.error());
  Fd verdicts(verdicts_map_fd < 0 ? -1 : ::fcntl(verdicts_map_fd, F_DUPFD_CLOEXEC, 0));
  std::unique_ptr<State> state(new State{std::move(*object), std::move(*ring), std::move(verdicts)});
  for (const char* program : programs) {
    auto link = kernel::attach_tracing(state->object, program);
    if (!link) return std::unexpected(link.error());
    state->links.push_back(std::move(*link));
  }
  return std::unique_ptr<ProcessEvents>(new ProcessEvents(std::move(state)));
}

void ProcessEvents::drain(enrich::ProcessTable& table) {
  std::size_t taken = records_a_read;
  while (taken == records_a_read) {
    const auto records = state_->ring.read(records_a_read, std::chrono::milliseconds{0});
    for (const auto& record : records) {
      tell(table, record);
      state_->forget_verdict(record);
    }
    taken = records.size();
  }
  const auto now = Clock::now();
  if (now - state_->looked_at < rescan_interval) return;
  state_->looked_at = now;
  state_->make_up_for_loss(table, lost());
}

std::uint64_t ProcessEvents::lost() const {
  const std::uint32_t element = 0;
  const auto map = state_->object.map_fd("sonde_counts");
  const auto sum = map ? kernel::sum_per_cpu<sonde_counters>(*map, &element) : Result<sonde_counters>();
  return sum ? sum->lost : 0;
}

}  // namespace sonde::processes
