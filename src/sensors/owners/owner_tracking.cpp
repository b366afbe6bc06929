// SPDX-License-Identifier: Apache-2.0
#include "sensors/owners/owner_tracking.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

#include "enrich/process/owner_filter.hpp"
#include "enrich/process/owner_resolver.hpp"
#include "enrich/process/process_table.hpp"
#include "kernel/tracing.hpp"
#include "sensors/owners/owners.abi.h"
#include "sensors/owners/rungs.hpp"
#include "sensors/processes/process_events.hpp"

namespace sonde::owners {
namespace {

using Clock = std::chrono::steady_clock;

// Looking through all file tables costs about a microsecond a file; it may take this share of the time, once a second
// at most.
constexpr Clock::duration shortest_interval = std::chrono::seconds{1};
constexpr int busy_share = 50;

constexpr const char* shared_maps[] = {"sonde_owners", "sonde_owners_by_cookie", "sonde_owner_verdicts"};

}  // namespace

struct OwnerTracking::State {
  State(Attached hooks, enrich::CompiledOwnerFilter compiled)
      : attached(std::move(hooks)), filter(std::move(compiled)) {}

  [[nodiscard]] sonde_owner_counters counters() const;
  [[nodiscard]] std::uint64_t evicted() const;
  void tell_unwanted(const sonde_process_key& process) const;

  Attached attached;
  enrich::CompiledOwnerFilter filter;
  enrich::ProcessTable processes;
  std::unique_ptr<processes::ProcessEvents> events;  ///< null: the kernel does not tell of processes
  std::string events_notice;
  Clock::time_point next_seed;
  bool seed_wanted = false;  ///< a socket came by whose user nobody has seen
};

sonde_owner_counters OwnerTracking::State::counters() const {
  const std::uint32_t element = 0;
  const auto map = attached.object.map_fd("sonde_owner_counts");
  const auto sum = map ? kernel::sum_per_cpu<sonde_owner_counters>(*map, &element) : Result<sonde_owner_counters>();
  return sum ? *sum : sonde_owner_counters{};
}

// The map does not tell what it evicts: it is what went in and neither was removed nor is there.
std::uint64_t OwnerTracking::State::evicted() const {
  const auto map = attached.object.map_fd("sonde_owners_by_cookie");
  if (!map || attached.rung->store != SONDE_STORE_COOKIE) return 0;
  std::uint64_t present = 0;
  std::uint64_t key = 0;
  for (auto more = kernel::map_next_key(*map, nullptr, &key); more && *more;
       more = kernel::map_next_key(*map, &key, &key))
    ++present;
  const auto counts = counters();
  const auto gone = counts.removed + present;
  return counts.added > gone ? counts.added - gone : 0;
}

void OwnerTracking::State::tell_unwanted(const sonde_process_key& process) const {
  const std::uint8_t unwanted = 0;
  const auto map = attached.object.map_fd("sonde_owner_verdicts");
  if (map) (void)kernel::map_update(*map, &process, &unwanted);  // it only spares work: the next event is judged again
}

OwnerTracking::OwnerTracking(std::unique_ptr<State> state) : state_(std::move(state)) {}
OwnerTracking::~OwnerTracking() = default;

Result<std::unique_ptr<OwnerTracking>> OwnerTracking::start(const OwnerOptions& options) {
  auto filter = enrich::CompiledOwnerFilter::compile(options.filter);
  if (!filter) return std::unexpected(filter.error());
  auto attached = attach_rung(options.hook, options.map_size, Sharing::allowed);
  if (!attached) return std::unexpected(attached.error());
  auto state = std::make_unique<State>(std::move(*attached), std::move(*filter));
  const auto verdicts = state->attached.object.map_fd("sonde_owner_verdicts");
  auto events = processes::ProcessEvents::start(verdicts ? *verdicts : -1);
  if (events)
    state->events = std::move(*events);
  else
    state->events_notice = "processes by /proc only, so short-lived ones may stay unknown: " + events.error().text();
  state->processes.scan();
  std::unique_ptr<OwnerTracking> tracking(new OwnerTracking(std::move(state)));
  auto seeded = tracking->seed();
  if (!seeded) return std::unexpected(seeded.error());
  return tracking;
}

Result<void> OwnerTracking::share(kernel::Object& object) const {
  for (const auto* map : shared_maps) {
    const auto fd = state_->attached.object.map_fd(map);
    if (!fd) return std::unexpected(fd.error());
    auto shared = object.reuse_map(map, *fd);
    if (!shared) return shared;
  }
  const std::uint32_t store = state_->attached.rung->store;
  auto set = object.set_constant("sonde_owner_store", store);
  if (!set) return set;
  set = object.set_constant("sonde_owner_own_hooks", std::uint32_t{!state_->attached.joined});
  if (!set) return set;
  return object.set_constant("sonde_owner_filtered", std::uint32_t{!state_->filter.empty()});
}

void OwnerTracking::refresh() {
  if (state_->events) state_->events->drain(state_->processes);
  if (state_->seed_wanted && Clock::now() >= state_->next_seed) (void)seed();
}

SocketOwner OwnerTracking::resolve(const sonde_socket_owner& raw) {
  if (raw.inherited != 0 || raw.reason == SONDE_REASON_NOT_RECORDED) state_->seed_wanted = true;
  return enrich::resolve_owner(raw, state_->processes);
}

bool OwnerTracking::wanted(const SocketOwner& owner) {
  if (state_->filter.empty()) return true;
  if (state_->filter.matches(owner.owner)) return true;
  if (owner.owner.process && state_->filter.by_process_only())
    state_->tell_unwanted({owner.owner.process->start_time_ns, owner.owner.pid, 0});
  return false;
}

Result<void> OwnerTracking::seed() {
  const auto start = Clock::now();
  auto done = kernel::run_iterator(state_->attached.object, "sonde_seed");
  if (!done) return std::unexpected(done.error());
  const auto end = Clock::now();
  state_->next_seed = end + std::max(shortest_interval, (end - start) * busy_share);
  state_->seed_wanted = false;
  return {};
}

std::optional<sonde_owner> OwnerTracking::recorded(int socket) const {
  return recorded_owner(state_->attached, socket);
}

std::vector<std::string> OwnerTracking::notices() const {
  std::vector<std::string> notices{state_->attached.notice};
  const auto add = [&](std::uint64_t number, const char* what) {
    if (number > 0) notices.push_back("owners: " + std::to_string(number) + " " + what);
  };
  if (!state_->events_notice.empty()) notices.push_back(state_->events_notice);
  add(state_->counters().unrecorded, "uses of a socket could not be recorded");
  add(state_->evicted(), "sockets pushed out of the map (--owner-map-size)");
  add(state_->events ? state_->events->lost() : 0, "process events lost: these processes are known by /proc only");
  add(state_->processes.evicted(), "exited processes forgotten");
  return notices;
}

}  // namespace sonde::owners
