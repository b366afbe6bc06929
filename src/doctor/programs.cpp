// SPDX-License-Identifier: Apache-2.0
#include "doctor/programs.hpp"

#include <linux/capability.h>
#include <sys/resource.h>

#include <cerrno>

#include "doctor/bpf_call.hpp"
#include "filter/filter.hpp"
#include "kernel/perf_reader.hpp"
#include "kernel/ring_reader.hpp"
#include "sensors/packets/packets.hpp"

namespace sonde::doctor {
namespace {

constexpr std::size_t small_ring = 64 * 1024;
constexpr const char* ring_advice =
    "needs Linux 5.8 with CONFIG_BPF_SYSCALL; sonde capture --transport perf serves before";

Result<void> open_ring(std::size_t bytes) {
  const auto map = kernel::create_ring("sonde_doctor", bytes);
  if (!map) return std::unexpected(map.error());
  const auto reader = kernel::RingReader::make(map->get(), bytes);
  if (!reader) return std::unexpected(reader.error());
  return {};
}

Finding try_ring(const Privileges& privileges) {
  const auto opened = open_ring(small_ring);
  return opened ? yes() : failure(opened.error(), privileges, CAP_BPF, ring_advice);
}

std::string memlock_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return {};
  if (limit.rlim_cur == RLIM_INFINITY) return "unlimited";
  return std::to_string(limit.rlim_cur / 1024) + " KiB";
}

// Before 5.11 the memory of maps counts against RLIMIT_MEMLOCK: what matters is whether the default buffer can be had.
Finding try_default_buffer(const Privileges& privileges, const Finding& ring) {
  Finding finding;
  const auto opened = open_ring(packets::PacketsOptions{}.buffer_bytes);
  if (opened)
    finding = yes();
  else if (ring.answer == Answer::yes)
    finding = no(opened.error().text(), "raise the limit (ulimit -l unlimited) or use a smaller --buffer");
  else
    finding = failure(opened.error(), privileges, CAP_BPF, ring_advice);
  finding.hook = memlock_limit();
  return finding;
}

Finding try_perf(const Privileges& privileges) {
  const auto cpus = static_cast<std::uint32_t>(kernel::possible_cpus());
  const auto map = create_map(BPF_MAP_TYPE_PERF_EVENT_ARRAY, sizeof(std::uint32_t), sizeof(std::uint32_t), cpus);
  if (!map) return failure(map.error(), privileges, CAP_BPF, "needs CONFIG_BPF_SYSCALL");
  const auto reader = kernel::PerfReader::make(map->get(), small_ring);
  return reader ? yes() : failure(reader.error(), privileges, CAP_PERFMON, "needs CONFIG_PERF_EVENTS");
}

Result<kernel::Object> load(sonde_transport transport, const std::string& expression, bool xdp) {
  FilterOptions words;
  words.expression = expression;
  const auto filter = filter::compile(words);
  if (!filter) return std::unexpected(filter.error());
  packets::ProgramOptions options;
  options.filter = *filter;
  options.transport = transport;
  options.xdp = xdp;
  return packets::load_program(options);
}

Finding keep(Result<kernel::Object> loaded, std::optional<kernel::Object>& place, const Privileges& privileges,
             const char* advice) {
  if (!loaded) return failure(loaded.error(), privileges, CAP_NET_ADMIN, advice);
  place = std::move(*loaded);
  return yes();
}

constexpr const char* tc_advice =
    "needs CONFIG_NET_CLS_ACT and CONFIG_BPF_SYSCALL; sonde capture takes AF_PACKET instead";
constexpr const char* xdp_advice = "needs Linux 5.18; --xdp-mode off, the default, does without";

void load_ring_programs(Programs& programs, const Privileges& privileges) {
  auto& found = programs.findings;
  found["xdp-program"] = keep(load(SONDE_TRANSPORT_RING, "", true), programs.ring, privileges, xdp_advice);
  programs.xdp = programs.ring.has_value();
  if (programs.xdp)
    found["tc-programs"] = yes("ring buffer");
  else
    found["tc-programs"] = keep(load(SONDE_TRANSPORT_RING, "", false), programs.ring, privileges, tc_advice);
}

}  // namespace

Programs load_programs(const Privileges& privileges) {
  Programs programs;
  auto& found = programs.findings;
  found["ring-buffer"] = try_ring(privileges);
  found["memlock"] = try_default_buffer(privileges, found["ring-buffer"]);
  found["perf-buffer"] = try_perf(privileges);
  load_ring_programs(programs, privileges);
  found["filter-expression"] =
      keep(load(SONDE_TRANSPORT_RING, filtered_expression, false), programs.filtered, privileges, tc_advice);
  auto perf = keep(load(SONDE_TRANSPORT_PERF, "", false), programs.perf, privileges, tc_advice);
  if (found["tc-programs"].answer == Answer::no && perf.answer == Answer::yes)
    found["tc-programs"] = yes("perf buffer");
  return programs;
}

}  // namespace sonde::doctor
