// SPDX-License-Identifier: Apache-2.0
#include "sensors/processes/decode.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "enrich/process/proc_reader.hpp"
#include "sensors/processes/processes.abi.h"

namespace sonde::processes {
namespace {

static_assert(std::has_unique_object_representations_v<sonde_process_event>);
static_assert(std::has_unique_object_representations_v<sonde_process_exec>);
static_assert(SONDE_ARGUMENTS_LARGE == enrich::most_command_line);

template <class Record>
bool read(std::span<const std::uint8_t> bytes, Record& record) {
  if (bytes.size() < sizeof(record)) return false;
  std::memcpy(&record, bytes.data(), sizeof(record));
  return true;
}

template <std::size_t size>
std::string_view text(const char (&bytes)[size]) {
  return {bytes, ::strnlen(bytes, size)};
}

// "leaf\0parent\0" is "parent/leaf", and "/parent/leaf" if that is all.
std::string path_of(std::string_view names, bool whole) {
  std::string path;
  while (!names.empty() && names.front() != '\0') {
    const auto name = names.substr(0, names.find('\0'));
    if (!path.empty()) path.insert(0, "/");
    path.insert(0, name);
    names.remove_prefix(std::min(name.size() + 1, names.size()));
  }
  return whole ? "/" + path : path;
}

bool tell_exec(enrich::ProcessTable& table, std::span<const std::uint8_t> bytes) {
  sonde_process_exec record;
  if (!read(bytes, record) || bytes.size() < sizeof(record) + record.arguments_size) return false;
  const std::string_view arguments(reinterpret_cast<const char*>(bytes.data()) + sizeof(record), record.arguments_size);
  enrich::ExecFacts facts;
  facts.process = {record.event.start_time_ns, record.event.pid};
  facts.parent_pid = record.event.parent_pid;
  facts.uid = record.uid;
  facts.comm = text(record.comm);
  facts.executable = text(record.executable);
  facts.command_line = enrich::split_command_line(arguments, record.arguments_cut != 0);
  facts.cgroup_name = path_of({record.cgroup, sizeof(record.cgroup)}, record.cgroup_whole != 0);
  if (record.cgroup_v1[0] != '\0')
    facts.cgroup_v1_name = path_of({record.cgroup_v1, sizeof(record.cgroup_v1)}, record.cgroup_v1_whole != 0);
  facts.network_namespace = record.network_namespace;
  table.executed(facts);
  return true;
}

}  // namespace

std::optional<enrich::ProcessKey> executed_in(std::span<const std::uint8_t> bytes) {
  sonde_process_event event;
  if (!read(bytes, event) || event.change != SONDE_PROCESS_EXECUTED) return std::nullopt;
  return enrich::ProcessKey{event.start_time_ns, event.pid};
}

bool tell(enrich::ProcessTable& table, std::span<const std::uint8_t> bytes) {
  sonde_process_event event;
  if (!read(bytes, event) || event.header.type != SONDE_EVENT_PROCESS) return false;
  const enrich::ProcessKey process{event.start_time_ns, event.pid};
  switch (event.change) {
    case SONDE_PROCESS_FORKED:
      table.forked(process, {event.maker_start_time_ns, event.maker_pid}, event.parent_pid);
      return true;
    case SONDE_PROCESS_EXECUTED: return tell_exec(table, bytes);
    case SONDE_PROCESS_EXITED: table.exited(process); return true;
    default: return false;
  }
}

}  // namespace sonde::processes
