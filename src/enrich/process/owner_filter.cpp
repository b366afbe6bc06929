// SPDX-License-Identifier: Apache-2.0
#include "enrich/process/owner_filter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "enrich/process/users.hpp"
#include "filter/words.hpp"

namespace sonde::enrich {
namespace {

constexpr std::uint32_t largest_pid = 1U << 22;  // PID_MAX_LIMIT of 64-bit kernels
constexpr std::size_t shortest_container = 4;
constexpr std::size_t longest_comm = SONDE_COMM_SIZE - 1;

std::unexpected<Error> wrong(std::string_view option, std::string_view word, std::string_view expected) {
  return fail(ErrorKind::usage, fmt::format("{} '{}': expected {}", option, word, expected));
}

Result<std::vector<std::uint32_t>> parse_pids(const std::vector<std::string>& words) {
  std::vector<std::uint32_t> pids;
  for (const auto& word : words) {
    for (const auto part : filter::split_commas(word)) {
      const auto pid = filter::parse_number(part, largest_pid);
      if (!pid || *pid == 0) return wrong("--pid", part, "a process id from 1 to 4194304, or a list such as 4711,4712");
      pids.push_back(*pid);
    }
  }
  return pids;
}

Result<std::vector<std::uint32_t>> parse_users(const std::vector<std::string>& words) {
  constexpr auto largest_uid = std::numeric_limits<std::uint32_t>::max() - 1;  // (uid_t)-1 means none
  std::vector<std::uint32_t> uids;
  for (const auto& word : words) {
    auto uid = word.empty() ? std::nullopt : uid_of(word);
    if (!uid) uid = filter::parse_number(word, largest_uid);
    if (!uid) return wrong("--user", word, "a user of this host by name, or a number");
    uids.push_back(*uid);
  }
  return uids;
}

Result<void> check_words(const OwnerFilter& filter) {
  for (const auto& word : filter.processes)
    if (word.empty()) return wrong("--process", word, "a process's name or the path of its executable");
  for (const auto& word : filter.containers)
    if (word.size() < shortest_container)
      return wrong("--container", word, "a container's id, 4 characters of its beginning at least, or a systemd unit");
  return {};
}

template <class List, class Value>
bool contains(const List& list, const Value& value) {
  return std::ranges::find(list, value) != list.end();
}

// The kernel keeps 15 bytes of a name.
bool is_comm(std::string_view comm, std::string_view word) {
  return comm == word || (comm.size() == longest_comm && word.starts_with(comm));
}

bool is_named(const Process& process, std::string_view thread_comm, std::string_view word) {
  if (is_comm(process.comm, word) || (!thread_comm.empty() && is_comm(thread_comm, word))) return true;
  const std::string_view path = process.executable;
  return path == word || path.substr(path.rfind('/') + 1) == word;
}

// "nginx.service" and "nginx" are the same unit, as for systemctl.
bool is_in(const Container& container, std::string_view word) {
  if (container.runtime != "systemd") return container.id.starts_with(word);
  const std::string_view unit = container.id;
  return unit == word || (unit.starts_with(word) && unit.substr(word.size()) == ".service");
}

}  // namespace

struct CompiledOwnerFilter::State {
  std::vector<std::uint32_t> pids;
  std::vector<std::uint32_t> uids;
  std::vector<std::string> processes;
  std::vector<std::string> containers;
};

Result<CompiledOwnerFilter> CompiledOwnerFilter::compile(const OwnerFilter& filter) {
  auto pids = parse_pids(filter.pids);
  if (!pids) return std::unexpected(pids.error());
  auto uids = parse_users(filter.users);
  if (!uids) return std::unexpected(uids.error());
  if (auto checked = check_words(filter); !checked) return std::unexpected(checked.error());
  CompiledOwnerFilter compiled;
  compiled.state_ =
      std::make_shared<const State>(State{std::move(*pids), std::move(*uids), filter.processes, filter.containers});
  return compiled;
}

bool CompiledOwnerFilter::empty() const {
  return !state_ ||
         (state_->pids.empty() && state_->uids.empty() && state_->processes.empty() && state_->containers.empty());
}

bool CompiledOwnerFilter::matches(const Process& process, const std::string& thread_comm) const {
  if (empty()) return true;
  const State& state = *state_;
  if (!state.pids.empty() && !contains(state.pids, process.pid)) return false;
  if (!state.uids.empty() && !contains(state.uids, process.uid)) return false;
  const auto named = [&](const std::string& word) { return is_named(process, thread_comm, word); };
  if (!state.processes.empty() && std::ranges::none_of(state.processes, named)) return false;
  const auto inside = [&](const std::string& word) { return process.container && is_in(*process.container, word); };
  return state.containers.empty() || std::ranges::any_of(state.containers, inside);
}

bool CompiledOwnerFilter::matches(const Owner& owner) const {
  if (empty()) return true;
  if (!owner.known() || !owner.process) return false;
  if (owner.uid == owner.process->uid) return matches(*owner.process, owner.comm);
  Process as_recorded = *owner.process;  // the user may have changed since
  as_recorded.uid = owner.uid;
  return matches(as_recorded, owner.comm);
}

// A thread may have a name of its own, and a process may change its user without running another program.
bool CompiledOwnerFilter::by_process_only() const {
  return !state_ || (state_->processes.empty() && state_->uids.empty());
}

}  // namespace sonde::enrich
