// SPDX-License-Identifier: Apache-2.0
#include "enrich/process/process_table.hpp"

#include <cstring>
#include <ctime>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "enrich/process/cgroup_path.hpp"
#include "enrich/process/container.hpp"
#include "enrich/process/proc_reader.hpp"
#include "enrich/process/process_store.hpp"
#include "enrich/process/users.hpp"

namespace sonde::enrich {
namespace {

using Shared = std::shared_ptr<const Process>;

StoreKey key_of(std::uint32_t pid, std::uint64_t start_time_ns) { return {start_time_ns / ns_per_tick, pid}; }
StoreKey key_of(const ProcessKey& key) { return key_of(key.pid, key.start_time_ns); }

std::int64_t now_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

std::int64_t wall_of_boottime(std::uint64_t boottime_ns) {
  return now_ns(CLOCK_REALTIME) - now_ns(CLOCK_BOOTTIME) + static_cast<std::int64_t>(boottime_ns);
}

std::string_view comm_of(const sonde_task& task) { return {task.comm, ::strnlen(task.comm, sizeof(task.comm))}; }
bool is_leader(const sonde_task& task) { return task.pid == task.tid; }

// Never 0. The name counts for the leader only: other threads have names of their own.
std::uint64_t fingerprint_of(const sonde_task& task) {
  constexpr std::uint64_t factor = 0x9e3779b97f4a7c15ULL;
  std::array<std::uint64_t, 2> name{};
  if (is_leader(task)) std::memcpy(name.data(), task.comm, sizeof(task.comm));
  std::uint64_t hash = task.cgroup_id * factor + task.uid;
  hash = (hash ^ (hash >> 29)) * factor + name[0];
  hash = (hash ^ (hash >> 29)) * factor + name[1];
  return (hash ^ (hash >> 32)) | 1;
}

// A zombie has no memory any more, so no executable and no command line; then what is known of it stays.
void keep_known(Process& read, const Process& known) {
  if (read.executable.empty()) read.executable = known.executable;
  if (read.command_line.empty()) read.command_line = known.command_line;
  if (read.network_namespace == 0) read.network_namespace = known.network_namespace;
}

}  // namespace

struct ProcessTable::State {
  State(std::string root_, std::size_t capacity, std::string runc_states_)
      : root(std::move(root_)), runc_states(std::move(runc_states_)), store(capacity), cgroups(root) {}

  // What can be told of a process by uid and start time.
  Shared finish(Process process) {
    process.user = users.name_of(process.uid);
    process.start_wall_ns = wall_of_boottime(process.start_time_ns);
    return std::make_shared<const Process>(std::move(process));
  }

  // /proc, if it still shows the process of this key.
  std::optional<Process> read(const StoreKey& key) const {
    auto process = read_process(root, key.pid, runc_states);
    if (!process || process->start_time_ns != key.start_ticks * ns_per_tick) return std::nullopt;
    return process;
  }

  void put_in_cgroup(Process& process, const std::vector<std::string>& paths) const {
    auto placement = place(paths, runc_states);
    process.cgroup = std::move(placement.cgroup);
    process.container = std::move(placement.container);
  }

  // What the record of a socket tells of a process that /proc does not show any more.
  Process from_task(const sonde_task& task) const {
    Process process;
    process.pid = task.pid;
    process.start_time_ns = task.start_time_ns;
    process.uid = task.uid;
    if (is_leader(task)) process.comm = comm_of(task);
    put_in_cgroup(process, {cgroups.path_of(task.cgroup_id)});
    return process;
  }

  // The entry, but for one whose tick is the same and nanoseconds are not: that was another process.
  StoreEntry* find_exact(const StoreKey& key, std::uint64_t start_ns) {
    StoreEntry* entry = store.find(key);
    if (entry == nullptr || entry->start_ns == 0 || entry->start_ns == start_ns) return entry;
    store.erase(key);
    return nullptr;
  }

  void take_exact_start(StoreEntry& entry, std::uint64_t start_ns) {
    if (entry.start_ns == start_ns) return;
    entry.start_ns = start_ns;
    Process process = *entry.process;
    process.start_time_ns = start_ns;
    entry.process = finish(std::move(process));
  }

  // A process that was in no event and no scan.
  StoreEntry& meet(const StoreKey& key, const sonde_task& task) {
    auto read_now = read(key);
    const bool gone = !read_now;
    Process process = gone ? from_task(task) : std::move(*read_now);
    process.start_time_ns = task.start_time_ns;
    StoreEntry& entry = store.insert(key, finish(std::move(process)));
    entry.start_ns = task.start_time_ns;
    if (gone) store.mark_exited(key);
    return entry;
  }

  // Something is new about the process, or was never confirmed: /proc decides.
  void confirm(const StoreKey& key, StoreEntry& entry, const sonde_task& task) {
    if (entry.exited) return adopt(entry, task);
    auto read_now = read(key);
    if (!read_now) {
      adopt(entry, task);
      return store.mark_exited(key);
    }
    keep_known(*read_now, *entry.process);
    read_now->start_time_ns = task.start_time_ns;
    entry.process = finish(std::move(*read_now));
    entry.inherited = false;
  }

  // The process was never seen but as a copy of its parent: the record of its own deed is better.
  void adopt(StoreEntry& entry, const sonde_task& task) {
    if (!entry.inherited || (entry.process->uid == task.uid && !is_leader(task))) return;
    Process process = *entry.process;
    process.uid = task.uid;
    if (is_leader(task)) process.comm = comm_of(task);
    entry.process = finish(std::move(process));
    entry.inherited = false;
  }

  // After scan(): what /proc said is about the task as it is now.
  static bool agrees(const StoreEntry& entry, const sonde_task& task) {
    return entry.settled && entry.sightings.empty() && entry.process->uid == task.uid &&
           (!is_leader(task) || entry.process->comm == comm_of(task));
  }

  Shared look_up(const StoreKey& key, const sonde_task& task, std::uint64_t fingerprint) {
    StoreEntry* entry = find_exact(key, task.start_time_ns);
    if (entry == nullptr) {
      entry = &meet(key, task);
    } else {
      take_exact_start(*entry, task.start_time_ns);
      if (!agrees(*entry, task)) confirm(key, *entry, task);
    }
    entry->settled = true;
    entry->sightings.add(fingerprint);
    return entry->process;
  }

  // The process that forks, from /proc if need be; null: not known.
  Shared forker(const ProcessKey& parent) {
    const auto key = key_of(parent);
    if (const StoreEntry* known = find_exact(key, parent.start_time_ns)) return known->process;
    auto process = read(key);
    if (!process) return nullptr;
    process->start_time_ns = parent.start_time_ns;
    StoreEntry& entry = store.insert(key, finish(std::move(*process)));
    entry.start_ns = parent.start_time_ns;
    entry.settled = true;
    return entry.process;
  }

  void mark_ended() {
    std::vector<StoreKey> ended;
    for (const auto& key : store.running())
      if (read_start_ticks(root, key.pid) != key.start_ticks) ended.push_back(key);
    for (const auto& key : ended) store.mark_exited(key);
  }

  std::string root;
  std::string runc_states;
  ProcessStore store;
  Users users;
  CgroupPaths cgroups;
};

ProcessTable::ProcessTable(std::string root, std::size_t capacity, std::string runc_states)
    : state_(std::make_unique<State>(std::move(root), capacity, std::move(runc_states))) {}

ProcessTable::~ProcessTable() = default;

void ProcessTable::scan() {
  state_->mark_ended();
  for (const auto pid : list_processes(state_->root)) {
    const auto ticks = read_start_ticks(state_->root, pid);
    if (!ticks || state_->store.find({*ticks, pid}) != nullptr) continue;
    const StoreKey key{*ticks, pid};
    auto process = state_->read(key);
    if (!process) continue;
    state_->store.insert(key, state_->finish(std::move(*process))).settled = true;
  }
}

void ProcessTable::forked(ProcessKey child, ProcessKey parent, std::uint32_t parent_pid) {
  const auto key = key_of(child);
  if (StoreEntry* known = state_->find_exact(key, child.start_time_ns))
    return state_->take_exact_start(*known, child.start_time_ns);
  const auto copied = state_->forker(parent);
  Process process = copied ? *copied : Process{};
  process.pid = child.pid;
  process.parent_pid = parent_pid == 0 ? parent.pid : parent_pid;
  process.start_time_ns = child.start_time_ns;
  process.exited = false;
  if (copied) process.start_wall_ns = wall_of_boottime(child.start_time_ns);
  StoreEntry& entry =
      state_->store.insert(key, copied ? std::make_shared<const Process>(std::move(process)) : state_->finish(process));
  entry.start_ns = child.start_time_ns;
  entry.inherited = true;
}

void ProcessTable::executed(const ExecFacts& facts) {
  const auto key = key_of(facts.process);
  StoreEntry* entry = state_->find_exact(key, facts.process.start_time_ns);
  Process process;
  process.pid = facts.process.pid;
  process.parent_pid = facts.parent_pid;
  process.start_time_ns = facts.process.start_time_ns;
  process.uid = facts.uid;
  process.comm = facts.comm;
  process.executable = facts.executable;
  process.command_line = facts.command_line;
  process.network_namespace = facts.network_namespace;
  state_->put_in_cgroup(process, {facts.cgroup_name, facts.cgroup_v1_name});
  if (entry == nullptr) {
    entry = &state_->store.insert(key, nullptr);
  } else {
    process.exited = entry->exited;
    if (process.network_namespace == 0) process.network_namespace = entry->process->network_namespace;
  }
  entry->process = state_->finish(std::move(process));
  entry->start_ns = facts.process.start_time_ns;
  entry->sightings = {};
  entry->settled = false;
  entry->inherited = false;
}

void ProcessTable::exited(ProcessKey process) { state_->store.mark_exited(key_of(process)); }

std::shared_ptr<const Process> ProcessTable::find(const sonde_task& task) {
  const auto key = key_of(task.pid, task.start_time_ns);
  const auto fingerprint = fingerprint_of(task);
  const StoreEntry* entry = state_->store.find(key);
  if (entry != nullptr && entry->start_ns == task.start_time_ns && entry->settled && entry->sightings.has(fingerprint))
    return entry->process;
  return state_->look_up(key, task, fingerprint);
}

std::shared_ptr<const Process> ProcessTable::latest(std::uint32_t pid) const {
  std::shared_ptr<const Process> latest;
  state_->store.for_each([&](const StoreKey& key, const StoreEntry& entry) {
    if (key.pid == pid && (!latest || latest->start_time_ns < entry.process->start_time_ns)) latest = entry.process;
  });
  return latest;
}

std::size_t ProcessTable::size() const { return state_->store.size(); }
std::uint64_t ProcessTable::evicted() const { return state_->store.evicted(); }

}  // namespace sonde::enrich
