// SPDX-License-Identifier: Apache-2.0
#include "sonde/monitor.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "filter/filter.hpp"
#include "kernel/attach.hpp"
#include "kernel/interfaces.hpp"
#include "kernel/object.hpp"
#include "kernel/ring_reader.hpp"
#include "monitor_flows.hpp"
#include "monitor_security.hpp"
#include "registry/sources.hpp"
#include "sensors/packets/attachment.hpp"
#include "sensors/packets/packets.hpp"
#include "sensors/packets/program.hpp"
#include "sensors/packets/readers.hpp"

namespace sonde {
namespace {

constexpr std::chrono::milliseconds poll_interval{10};

struct CustomRing {
  kernel::RingReader reader;
  EventHandler handler;
};

// Hands over what waits in the ring; tells whether there was anything.
bool drain(CustomRing& ring) {
  bool any = false;
  for (auto record = ring.reader.peek(); !record.empty(); record = ring.reader.peek()) {
    ring.handler(record);
    ring.reader.advance();
    ring.reader.release();
    any = true;
  }
  return any;
}

bool is_egress(const kernel::ProgramInfo& program) {
  const auto says_so = [](const std::string& text) { return text.contains("egress") || text.ends_with("out"); };
  return says_so(program.name) || says_so(program.section);
}

Result<kernel::Link> attach_custom(const kernel::ProgramInfo& program, int fd, std::uint32_t ifindex) {
  if (program.type == kernel::ProgramType::xdp) {
    auto link = kernel::attach_xdp(fd, ifindex, kernel::XdpMode::native);
    return link ? std::move(link) : kernel::attach_xdp(fd, ifindex, kernel::XdpMode::generic);
  }
  const auto direction = is_egress(program) ? kernel::TcDirection::egress : kernel::TcDirection::ingress;
  auto link = kernel::attach_tcx(fd, ifindex, direction);
  return link ? std::move(link) : kernel::attach_clsact(fd, ifindex, direction);
}

}  // namespace

struct NetworkMonitor::State {
  std::optional<kernel::Object> object;
  bool is_packets = false;  ///< sonde's own programs: attachments, totals, loss and packet events are known
  std::size_t buffer_bytes = 0;
  std::optional<packets::Attachments> attachments;
  std::vector<kernel::Link> custom_links;
  std::vector<std::string> custom_notices;
  std::map<std::uint32_t, std::string> names;
  std::unique_ptr<packets::Reader> reader;
  PacketHandler handler;
  std::vector<CustomRing> rings;
  std::thread thread;
  std::atomic<bool> stopping{false};
  std::uint64_t handed_over = 0;
  std::unique_ptr<MonitorFlows> flows;  ///< null: off
  MonitorOptions options;
  MonitorSecurity security;

  // Until close() has detached everything and nothing waits any more.
  void read_all() {
    pipeline::PacketBatch batch;
    for (;;) {
      const bool last = stopping.load();
      bool any = false;
      if (reader) {
        (void)reader->read(batch, last || !rings.empty() ? std::chrono::milliseconds{0} : poll_interval);
        for (const auto& packet : batch.view()) handler(packet);
        any = batch.size > 0;
      }
      for (auto& ring : rings) any = drain(ring) || any;
      if (last && !any) return;
      if (!any && !rings.empty()) std::this_thread::sleep_for(poll_interval);
    }
  }

  Result<void> switch_events(std::uint32_t on) const {
    const std::uint32_t element = 0;
    const auto map = object->map_fd("sonde_switch");
    if (!map) return std::unexpected(map.error());
    return kernel::map_update(*map, &element, &on);
  }

  Result<void> attach_one(const kernel::InterfaceInfo& interface) {
    names[interface.ifindex] = interface.name;
    if (is_packets) {
      auto attached = attachments->attach(interface);
      return attached && flows ? flows->add(interface.name) : attached;
    }
    for (const auto& program : object->programs()) {
      if (program.type == kernel::ProgramType::other) continue;
      auto fd = object->program_fd(program.name);
      auto link =
          fd ? attach_custom(program, *fd, interface.ifindex) : Result<kernel::Link>(std::unexpected(fd.error()));
      if (!link) return std::unexpected(link.error());
      custom_notices.push_back(interface.name + ": " + program.name + " by " + link->hook());
      custom_links.push_back(std::move(*link));
    }
    return {};
  }
};

NetworkMonitor::NetworkMonitor(std::unique_ptr<State> state) : state_(std::move(state)) {}
NetworkMonitor::NetworkMonitor(NetworkMonitor&&) noexcept = default;
NetworkMonitor& NetworkMonitor::operator=(NetworkMonitor&& other) noexcept {
  if (this != &other) {
    close();
    state_ = std::move(other.state_);
  }
  return *this;
}
NetworkMonitor::~NetworkMonitor() { close(); }

namespace {

Result<packets::ProgramOptions> program_options(const MonitorOptions& options, packets::XdpChoice xdp) {
  auto compiled = filter::compile(options.filter);
  if (!compiled) return std::unexpected(compiled.error());
  packets::ProgramOptions program;
  program.filter = std::move(*compiled);
  program.xdp = xdp != packets::XdpChoice::off;
  program.raw_ip = true;
  program.emit_events = SONDE_EMIT_SWITCHED;
  program.count_totals = true;
  program.capture_bytes = options.snaplen > 0;
  program.snaplen = options.snaplen;
  program.wakeup_bytes = static_cast<std::uint32_t>(packets::ring_bytes(1, options.buffer_bytes) / 8);
  return program;
}

}  // namespace

Result<NetworkMonitor> NetworkMonitor::make(const MonitorOptions& options) {
  const auto xdp = registry::xdp_choice(options.xdp_mode);
  if (!xdp) return std::unexpected(xdp.error());
  const auto program = program_options(options, *xdp);
  if (!program) return std::unexpected(program.error());
  auto object = packets::load_program(*program);
  if (!object) return std::unexpected(object.error());
  auto state = std::make_unique<State>();
  state->object.emplace(std::move(*object));
  state->options = options;
  state->is_packets = true;
  state->buffer_bytes = options.buffer_bytes;
  state->attachments.emplace(*state->object, packets::AttachOptions{.xdp = *xdp,
                                                                    .receive = options.filter.direction != "out",
                                                                    .send = options.filter.direction != "in"});
  if (options.flows) state->flows = std::make_unique<MonitorFlows>(options);
  return NetworkMonitor(std::move(state));
}

Result<NetworkMonitor> NetworkMonitor::from_object_file(const std::string& path) {
  auto object = kernel::Object::open_file(path);
  if (!object) return std::unexpected(object.error());
  const MonitorOptions options;
  auto state = std::make_unique<State>();
  state->is_packets = packets::is_packets_object(*object);
  state->buffer_bytes = options.buffer_bytes;
  const auto program = program_options(options, packets::XdpChoice::off);
  if (!program) return std::unexpected(program.error());
  auto loaded = state->is_packets ? packets::load_program(*object, *program) : object->load();
  if (!loaded) return std::unexpected(loaded.error());
  state->object.emplace(std::move(*object));
  state->attachments.emplace(*state->object, packets::AttachOptions{});
  return NetworkMonitor(std::move(state));
}

Result<void> NetworkMonitor::attach(const std::string& interface) {
  auto selected = packets::select_interfaces({interface});
  if (!selected) return std::unexpected(selected.error());
  for (const auto& one : *selected) {
    auto attached = state_->attach_one(one);
    if (!attached) return attached;
  }
  return {};
}

Result<void> NetworkMonitor::on_event(const std::string& ring_map, EventHandler handler) {
  auto info = state_->object->map_info(ring_map);
  if (!info) return fail(ErrorKind::usage, info.error().message);
  if (info->type != BPF_MAP_TYPE_RINGBUF)
    return fail(ErrorKind::usage, "map '" + ring_map + "' is no ring buffer (BPF_MAP_TYPE_RINGBUF)");
  if (state_->thread.joinable()) return fail(ErrorKind::usage, "on_event(" + ring_map + "): expected before start()");
  auto reader = kernel::RingReader::make(info->fd, info->max_entries);
  if (!reader) return std::unexpected(reader.error());
  state_->rings.push_back({std::move(*reader), std::move(handler)});
  return {};
}

Result<void> NetworkMonitor::start(PacketHandler handler) {
  auto& state = *state_;
  if (state.thread.joinable()) return fail(ErrorKind::usage, "start(): the monitor runs already");
  if (handler) {
    if (!state.is_packets)
      return fail(ErrorKind::usage, "start(): the object emits no packets of sonde; expected on_event() for its rings");
    auto reader = packets::make_ring_reader(*state.object, 1, state.buffer_bytes);
    if (!reader) return std::unexpected(reader.error());
    state.reader = std::move(*reader);
    state.handler = std::move(handler);
    auto on = state.switch_events(1);
    if (!on) return on;
  }
  std::vector<std::string> interfaces;
  for (const auto& [ifindex, name] : state.names) interfaces.push_back(name);
  if (auto started = state.security.start(interfaces, state.options); !started) return started;
  state.thread = std::thread([&state] { state.read_all(); });
  return {};
}

Result<void> NetworkMonitor::set_security_config(std::string_view key, std::string_view value) {
  return state_->security.set(key, value);
}

Result<void> NetworkMonitor::set_security_config(SecurityConfig config) {
  return state_->security.set(std::move(config));
}

Result<void> NetworkMonitor::on_security_event(SecurityHandler handler) {
  return state_->security.on_event(std::move(handler));
}

LossReport NetworkMonitor::security_loss() const { return state_->security.loss(); }

Result<MonitorMap> NetworkMonitor::map(const std::string& name) const {
  auto info = state_->object->map_info(name);
  if (!info) return fail(ErrorKind::usage, info.error().message);
  const bool per_cpu = info->type == BPF_MAP_TYPE_PERCPU_ARRAY || info->type == BPF_MAP_TYPE_PERCPU_HASH ||
                       info->type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
  MonitorMap map;
  map.fd_ = info->fd;
  map.key_size_ = info->key_size;
  map.value_size_ = info->value_size;
  if (per_cpu) map.value_size_ = (map.value_size_ + 7) / 8 * 8 * static_cast<std::size_t>(kernel::possible_cpus());
  return map;
}

Result<PacketStats> NetworkMonitor::packet_stats() const {
  const auto info = state_->object->map_info("sonde_totals");
  if (!info || info->key_size != sizeof(sonde_total_key) || info->value_size != sizeof(sonde_total))
    return fail(ErrorKind::unsupported, "the object keeps no packet totals",
                "expected a per-CPU hash named sonde_totals, laid out as in packets.abi.h");
  PacketStats stats;
  for (const auto& [ifindex, name] : state_->names) stats.interfaces[name];
  sonde_total_key key{};
  const void* previous = nullptr;
  for (;;) {
    auto found = kernel::map_next_key(info->fd, previous, &key);
    if (!found) return std::unexpected(found.error());
    if (!*found) return stats;
    previous = &key;
    const auto total = kernel::sum_per_cpu<sonde_total>(info->fd, &key);
    const auto name = state_->names.find(key.ifindex);
    if (!total || name == state_->names.end() || key.direction > 1 || key.protocol_class >= protocol_class_count)
      continue;
    stats.interfaces[name->second][key.direction][key.protocol_class] = {total->packets, total->bytes};
  }
}

LossReport NetworkMonitor::loss() const {
  if (!state_->is_packets) return {};
  LossReport report{packets::loss_stages(*state_->object, state_->reader.get())};
  return report;
}

std::vector<std::string> NetworkMonitor::notices() const {
  return state_->is_packets ? state_->attachments->notices() : state_->custom_notices;
}

Result<std::vector<Flow>> NetworkMonitor::flow_stats() {
  if (state_->flows) return state_->flows->take();
  return fail(ErrorKind::usage, "flow_stats(): expected MonitorOptions::flows, which starts counting them");
}

LossReport NetworkMonitor::flow_loss() const { return state_->flows ? state_->flows->loss() : LossReport{}; }

void NetworkMonitor::close() {
  if (!state_) return;
  state_->custom_links.clear();
  state_->attachments->detach();
  if (state_->flows) state_->flows->close();
  state_->security.close();
  state_->stopping.store(true);
  if (state_->thread.joinable()) state_->thread.join();
}

PacketCount PacketStats::sum(int direction) const {
  PacketCount all;
  const auto by_protocol = totals()[direction == SONDE_DIRECTION_OUT ? 1 : 0];
  for (const auto& count : by_protocol) {
    all.packets += count.packets;
    all.bytes += count.bytes;
  }
  return all;
}

PacketTotals PacketStats::totals() const {
  PacketTotals all{};
  for (const auto& [name, totals] : interfaces)
    for (std::size_t direction = 0; direction < all.size(); ++direction)
      for (std::size_t protocol = 0; protocol < protocol_class_count; ++protocol) {
        all[direction][protocol].packets += totals[direction][protocol].packets;
        all[direction][protocol].bytes += totals[direction][protocol].bytes;
      }
  return all;
}

}  // namespace sonde
