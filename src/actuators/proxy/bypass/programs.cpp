// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/bypass/programs.hpp"

#include <fcntl.h>

#include <atomic>
#include <utility>

#include "kernel/pins.hpp"
#include "kernel/socket_map.hpp"
#include "kernel/tracing.hpp"

extern "C" const std::uint8_t sonde_proxy_bypass_bpf_object[];
extern "C" const std::uint8_t sonde_proxy_bypass_bpf_object_end[];

namespace sonde::proxy {
namespace {

// What may lie unread in a receiver; a message more if it holds nothing. TCP lets as much lie (net.ipv4.tcp_rmem[2]).
constexpr std::uint32_t queue_limit = 4 << 20;

Result<kernel::Object> load_object(const BypassOptions& options) {
  const auto size = static_cast<std::size_t>(sonde_proxy_bypass_bpf_object_end - sonde_proxy_bypass_bpf_object);
  auto object = kernel::Object::open({sonde_proxy_bypass_bpf_object, size}, "sonde_proxy");
  if (!object) return object;
  const auto cookie = kernel::network_namespace_cookie();
  if (!cookie) return std::unexpected(cookie.error());
  const std::uint32_t keep_stats = options.stats ? 1 : 0;
  Result<void> steps[] = {object->set_constant("network_namespace", *cookie),
                          object->set_constant("queue_limit", queue_limit),
                          object->set_constant("keep_stats", keep_stats),
                          object->set_max_entries("SOCK_MAP", options.entries),
                          object->set_max_entries("CONNECTION_MAP", options.entries),
                          object->set_autocreate("TRAFFIC_STATS", options.stats),
                          object->set_autocreate("CONNECTION_STATS", options.stats)};
  for (auto& step : steps)
    if (!step) return std::unexpected(step.error());
  if (auto done = object->load(); !done) return std::unexpected(done.error());
  if (auto done = kernel::attach_to_socket_map(*object, "redirect_msg", "SOCK_MAP"); !done)
    return std::unexpected(done.error());
  return object;
}

Result<std::optional<kernel::MappedArray>> map_statistics(const kernel::Object& object, bool stats) {
  if (!stats) return std::optional<kernel::MappedArray>{};
  const auto fd = object.map_fd("CONNECTION_STATS");
  if (!fd) return std::unexpected(fd.error());
  auto mapped = kernel::MappedArray::open(Fd(::fcntl(*fd, F_DUPFD_CLOEXEC, 0)));
  if (!mapped) return std::unexpected(mapped.error());
  return std::optional(std::move(*mapped));
}

Result<void> find_descriptors(BypassPrograms& programs) {
  const std::pair<const char*, int*> maps[] = {{"SOCK_MAP", &programs.sockets_fd},
                                               {"CONNECTION_MAP", &programs.connections_fd},
                                               {"LISTENERS", &programs.listeners_fd},
                                               {"UPSTREAMS", &programs.upstreams_fd}};
  for (const auto& [name, place] : maps) {
    const auto fd = programs.object.map_fd(name);
    if (!fd) return std::unexpected(fd.error());
    *place = *fd;
  }
  const auto program = programs.object.program_fd("pair_sockets");
  if (!program) return std::unexpected(program.error());
  programs.pair_fd = *program;
  return {};
}

}  // namespace

Result<BypassPrograms> BypassPrograms::load(const BypassOptions& options) {
  auto object = load_object(options);
  if (!object) return std::unexpected(object.error());
  auto statistics = map_statistics(*object, options.stats);
  if (!statistics) return std::unexpected(statistics.error());
  BypassPrograms programs{.object = std::move(*object), .statistics = std::move(*statistics)};
  if (auto done = find_descriptors(programs); !done) return std::unexpected(done.error());
  return programs;
}

void BypassPrograms::count(__u64 sonde_bypass_connections::*member) const {
  if (!statistics) return;
  auto& counters = *reinterpret_cast<sonde_bypass_connections*>(statistics->memory().data());
  std::atomic_ref(counters.*member).fetch_add(1, std::memory_order_relaxed);
}

int BypassPrograms::pair(const sonde_bypass_pair& request) const {
  const auto result =
      kernel::run_with_data(pair_fd, {reinterpret_cast<const std::uint8_t*>(&request), sizeof(request)});
  return result ? static_cast<int>(*result) : -1;
}

}  // namespace sonde::proxy
