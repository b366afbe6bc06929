// SPDX-License-Identifier: Apache-2.0
#include "sonde/stats.hpp"

#include <algorithm>
#include <map>

#include "base/wall_clock.hpp"
#include "filter/filter.hpp"
#include "kernel/interfaces.hpp"
#include "kernel/object.hpp"
#include "registry/sources.hpp"
#include "sensors/packets/attachment.hpp"
#include "sensors/packets/packets.hpp"
#include "sensors/packets/program.hpp"

namespace sonde {
namespace {

using Directions = std::array<DirectionStats, 2>;
using Counts = std::map<std::uint32_t, Directions>;  ///< by ifindex

template <class Key, class Visit>
Result<void> for_each_key(int map, Visit visit) {
  Key key{};
  const void* previous = nullptr;
  for (;;) {
    const auto found = kernel::map_next_key(map, previous, &key);
    if (!found) return std::unexpected(found.error());
    if (!*found) return {};
    previous = &key;
    if (key.direction < 2) visit(key);
  }
}

Result<void> read_totals(const kernel::Object& object, Counts& counts) {
  const auto map = object.map_fd("sonde_totals");
  if (!map) return std::unexpected(map.error());
  return for_each_key<sonde_total_key>(*map, [&](const sonde_total_key& key) {
    const auto total = kernel::sum_per_cpu<sonde_total>(*map, &key);
    if (!total || key.protocol_class >= protocol_class_count) return;
    auto& direction = counts[key.ifindex][key.direction];
    direction.protocols[key.protocol_class] = {total->packets, total->bytes};
    direction.frame_bytes += total->bytes;
  });
}

Result<void> read_sizes(const kernel::Object& object, Counts& counts) {
  const auto map = object.map_fd("sonde_sizes");
  if (!map) return std::unexpected(map.error());
  return for_each_key<sonde_size_key>(*map, [&](const sonde_size_key& key) {
    const auto sizes = kernel::sum_per_cpu<sonde_sizes>(*map, &key);
    if (!sizes) return;
    auto& direction = counts[key.ifindex][key.direction];
    direction.frames = sizes->frames;
    direction.wire = {sizes->wire_packets, sizes->wire_bytes};
    std::copy_n(static_cast<const __u64*>(sizes->classes), packet_size_classes, direction.sizes.begin());
  });
}

void read_device(const kernel::InterfaceCounters& counters, Directions& directions) {
  auto& in = directions[SONDE_DIRECTION_IN];
  in.device = {counters.rx_packets, counters.rx_bytes};
  in.device_dropped = counters.rx_dropped;
  in.device_missed = counters.rx_missed;
  auto& out = directions[SONDE_DIRECTION_OUT];
  out.device = {counters.tx_packets, counters.tx_bytes};
  out.device_dropped = counters.tx_dropped;
}

PacketCount minus(const PacketCount& now, const PacketCount& before) {
  return {now.packets - before.packets, now.bytes - before.bytes};
}

DirectionStats minus(const DirectionStats& now, const DirectionStats& before) {
  DirectionStats result;
  for (std::size_t i = 0; i < protocol_class_count; ++i)
    result.protocols[i] = minus(now.protocols[i], before.protocols[i]);
  for (std::size_t i = 0; i < packet_size_classes; ++i) result.sizes[i] = now.sizes[i] - before.sizes[i];
  result.frames = now.frames - before.frames;
  result.frame_bytes = now.frame_bytes - before.frame_bytes;
  result.wire = minus(now.wire, before.wire);
  result.device = minus(now.device, before.device);
  result.device_dropped = now.device_dropped - before.device_dropped;
  result.device_missed = now.device_missed - before.device_missed;
  result.measured = now.measured;
  return result;
}

// How far apart two mean sizes are, as a ratio of at least 1.
double ratio(double a, double b) { return a > b ? a / b : b / a; }

}  // namespace

struct StatsMonitor::State {
  struct Watched {
    std::string name;
    Directions start{};  ///< when counting began
    Directions last{};   ///< of one that is gone: what it was
    bool loopback = false;
    bool gone = false;
  };

  StatsOptions options;
  std::unique_ptr<kernel::Object> object;
  std::unique_ptr<packets::Attachments> attachments;
  std::optional<kernel::InterfaceWatcher> watcher;  ///< with "any"
  std::map<std::uint32_t, Watched> watched;
  std::vector<std::string> failures;
  std::int64_t started_ns = 0;

  Result<void> start();
  Result<void> attach(const kernel::InterfaceInfo& interface);
  Result<void> begin(const std::vector<std::uint32_t>& fresh);
  void follow(const std::vector<kernel::InterfaceInfo>& interfaces);
  [[nodiscard]] Result<Counts> read(std::vector<kernel::InterfaceInfo>& interfaces) const;
};

const char* packet_size_class_name(std::size_t index) {
  static constexpr std::array<const char*, packet_size_classes> names{"64",   "127",  "255", "511",
                                                                      "1023", "1518", "more"};
  return index < names.size() ? names[index] : "";
}

bool DirectionStats::device_counts_frames() const {
  if (device.packets == 0 || frames == 0 || frames == wire.packets) return false;
  const auto mean = [](std::uint64_t bytes, std::uint64_t packets) {
    return static_cast<double>(bytes) / static_cast<double>(packets);
  };
  const double theirs = mean(device.bytes, device.packets);
  return ratio(theirs, mean(frame_bytes, frames)) < ratio(theirs, mean(wire.bytes, wire.packets));
}

std::optional<double> DirectionStats::coverage() const {
  if (!measured || device.packets == 0) return {};
  const auto ours = device_counts_frames() ? frames : wire.packets;
  return static_cast<double>(ours) / static_cast<double>(device.packets);
}

TrafficStats difference(const TrafficStats& now, const TrafficStats& before) {
  TrafficStats result{now.wall_ns, now.duration - before.duration, {}};
  for (const auto& interface : now.interfaces) {
    const auto same = std::ranges::find(before.interfaces, interface.ifindex, &InterfaceStats::ifindex);
    auto changed = interface;
    for (std::size_t i = 0; same != before.interfaces.end() && i < 2; ++i)
      changed.directions[i] = minus(interface.directions[i], same->directions[i]);
    result.interfaces.push_back(std::move(changed));
  }
  return result;
}

Result<Counts> StatsMonitor::State::read(std::vector<kernel::InterfaceInfo>& interfaces) const {
  Counts counts;
  for (const auto& done : {read_totals(*object, counts), read_sizes(*object, counts)})
    if (!done) return std::unexpected(done.error());
  auto listed = kernel::list_interfaces();
  if (!listed) return std::unexpected(listed.error());
  interfaces = std::move(*listed);
  for (const auto& interface : interfaces) read_device(interface.counters, counts[interface.ifindex]);
  return counts;
}

Result<void> StatsMonitor::State::attach(const kernel::InterfaceInfo& interface) {
  auto attached = attachments->attach(interface);
  if (!attached) return attached;
  watched[interface.ifindex] = {interface.name, {}, {}, interface.loopback, false};
  return {};
}

// Both are counted from the same moment, as near as two reads can be.
Result<void> StatsMonitor::State::begin(const std::vector<std::uint32_t>& fresh) {
  std::vector<kernel::InterfaceInfo> interfaces;
  const auto counts = read(interfaces);
  if (!counts) return std::unexpected(counts.error());
  for (const auto ifindex : fresh)
    if (const auto found = counts->find(ifindex); found != counts->end()) watched[ifindex].start = found->second;
  return {};
}

void StatsMonitor::State::follow(const std::vector<kernel::InterfaceInfo>& interfaces) {
  std::vector<std::uint32_t> fresh;
  for (const auto& interface : interfaces) {
    if (const auto known = watched.find(interface.ifindex); known != watched.end()) {
      known->second.name = interface.name;
      continue;
    }
    const auto attached = attach(interface);
    if (attached)
      fresh.push_back(interface.ifindex);
    else
      failures.push_back(attached.error().text());
  }
  if (!fresh.empty()) (void)begin(fresh);
}

Result<void> StatsMonitor::State::start() {
  const bool any = std::ranges::find(options.interfaces, "any") != options.interfaces.end();
  if (any) {
    auto made = kernel::InterfaceWatcher::make();
    if (!made) return std::unexpected(made.error());
    watcher = std::move(*made);
  }
  const auto selected = packets::select_interfaces(options.interfaces);
  if (!selected) return std::unexpected(selected.error());
  std::vector<std::uint32_t> fresh;
  for (const auto& interface : *selected) {
    const auto attached = attach(interface);
    if (!attached && !any) return attached;
    if (!attached) failures.push_back(attached.error().text());
    fresh.push_back(interface.ifindex);
  }
  if (watched.empty() && !failures.empty())
    return fail(ErrorKind::unsupported, "no interface could be attached to: " + failures.front());
  started_ns = monotonic_ns();
  return begin(fresh);
}

StatsMonitor::StatsMonitor(std::unique_ptr<State> state) : state_(std::move(state)) {}
StatsMonitor::StatsMonitor(StatsMonitor&&) noexcept = default;
StatsMonitor& StatsMonitor::operator=(StatsMonitor&&) noexcept = default;
StatsMonitor::~StatsMonitor() = default;

Result<StatsMonitor> StatsMonitor::make(const StatsOptions& options) {
  const auto xdp = registry::xdp_choice(options.xdp_mode);
  if (!xdp) return std::unexpected(xdp.error());
  auto state = std::make_unique<State>();
  state->options = options;
  if (state->options.interfaces.empty()) state->options.interfaces = {"any"};
  const auto selected =
      packets::select_interfaces(state->options.interfaces);  // a wrong name before anything is loaded
  if (!selected) return std::unexpected(selected.error());
  packets::ProgramOptions program;
  auto everything = filter::compile({});
  if (!everything) return std::unexpected(everything.error());
  program.filter = std::move(*everything);
  program.xdp = *xdp != packets::XdpChoice::off;
  program.raw_ip = true;
  program.emit_events = SONDE_EMIT_NEVER;
  program.count_totals = program.count_sizes = true;
  auto object = packets::load_program(program);
  if (!object) return std::unexpected(object.error());
  state->object = std::make_unique<kernel::Object>(std::move(*object));
  state->attachments = std::make_unique<packets::Attachments>(*state->object, packets::AttachOptions{.xdp = *xdp});
  auto started = state->start();
  if (!started) return std::unexpected(started.error());
  return StatsMonitor(std::move(state));
}

Result<TrafficStats> StatsMonitor::sample() {
  std::vector<kernel::InterfaceInfo> interfaces;
  const auto counts = state_->read(interfaces);
  if (!counts) return std::unexpected(counts.error());
  TrafficStats stats;
  const auto now = monotonic_ns();
  stats.wall_ns = WallClock().wall_ns(static_cast<std::uint64_t>(now));
  stats.duration = std::chrono::nanoseconds(now - state_->started_ns);
  for (auto& [ifindex, watched] : state_->watched) {
    const auto known = std::ranges::find(interfaces, ifindex, &kernel::InterfaceInfo::ifindex);
    if (known == interfaces.end() && !watched.gone) {
      watched.gone = true;
      state_->attachments->forget(ifindex);
    }
    InterfaceStats interface { ifindex, watched.name, watched.gone, watched.last };
    for (std::size_t i = 0; !watched.gone && i < 2; ++i)
      interface.directions[i] = minus(counts->at(ifindex)[i], watched.start[i]);
    interface.directions[SONDE_DIRECTION_OUT].measured = !watched.loopback;
    watched.last = interface.directions;
    stats.interfaces.push_back(std::move(interface));
  }
  if (state_->watcher && state_->watcher->changed()) state_->follow(interfaces);
  return stats;
}

LossReport StatsMonitor::loss() const {
  const std::uint32_t element = 0;
  const auto map = state_->object->map_fd("sonde_counts");
  const auto sum = map ? kernel::sum_per_cpu<sonde_counters>(*map, &element) : Result<sonde_counters>();
  if (!sum) return {};
  return {{{"hook", sum->taken, sum->taken - sum->uncounted, 0, sum->uncounted,
            sum->uncounted > 0 ? "the table of totals was full" : ""}}};
}

std::vector<std::string> StatsMonitor::notices() const {
  auto notices = state_->attachments->notices();
  notices.insert(notices.end(), state_->failures.begin(), state_->failures.end());
  return notices;
}

}  // namespace sonde
