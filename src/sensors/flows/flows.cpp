// SPDX-License-Identifier: Apache-2.0
#include "sensors/flows/flows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/wall_clock.hpp"
#include "flow.h"
#include "flows/describe.hpp"
#include "flows/groups.hpp"
#include "flows/kept_packets.hpp"
#include "kernel/network_namespaces.hpp"
#include "sensors/flows/flow_owners.hpp"
#include "sensors/flows/kernel_table.hpp"
#include "sensors/flows/load.hpp"
#include "sensors/flows/program.hpp"
#include "sensors/flows/spilled_flows.hpp"
#include "sensors/packets/readers.hpp"
#include "sensors/packets/watched_interfaces.hpp"

namespace sonde::flows {
namespace {

using pipeline::FlowSample;
using pipeline::FlowVisitor;

// What one collection takes out of the ring at most, so that a flood cannot hold it up.
constexpr std::size_t most_batches = 4096;
constexpr std::uint32_t fewest_spilled = 65536;

class FlowsSource final : public KernelFlowSource {
 public:
  FlowsSource(KernelFlowOptions options, Loaded loaded)
      : options_(std::move(options)),
        object_(std::make_unique<kernel::Object>(std::move(loaded.object))),
        owners_(std::move(loaded.tracking), *object_),
        notice_(std::move(loaded.notice)),
        interfaces_(*object_, options_.interfaces, options_.attach,
                    [this](const kernel::InterfaceInfo& interface) { return put_group(interface); }),
        groups_(options_.groups),
        spilled_(std::max(options_.max_flows, fewest_spilled)),
        namespace_(kernel::own_network_namespace()) {}

  Result<void> start();
  Result<void> collect(FlowVisitor& visitor) override;
  Result<void> poll(std::chrono::milliseconds timeout) override;
  Result<void> stop() override;
  [[nodiscard]] bool finished() const override { return finished_; }
  [[nodiscard]] Flow describe(const FlowSample& sample) override;
  [[nodiscard]] std::int64_t now_wall_ns() const override { return clock_.wall_ns(now()); }
  [[nodiscard]] std::int64_t to_wall_ns(std::uint64_t monotonic) const override { return clock_.wall_ns(monotonic); }
  [[nodiscard]] std::vector<LossStage> loss() const override;
  [[nodiscard]] const InterfaceTable& interfaces() const override { return interfaces_.table(); }
  [[nodiscard]] std::vector<std::string> notices() const override;
  [[nodiscard]] Result<std::map<std::uint32_t, PacketTotals>> totals() const override;

 private:
  [[nodiscard]] static std::uint64_t now() { return static_cast<std::uint64_t>(monotonic_ns()); }
  [[nodiscard]] sonde_flows_counters counters() const;

  Result<void> put_group(const kernel::InterfaceInfo& interface);
  Result<void> drain();
  void take(const Packet& packet);
  void take_spilled(const Packet& packet, const sonde_flow_record& record);
  void mark_quoted(const Packet& packet, std::uint32_t group);

  void show(FlowVisitor& visitor, std::uint32_t slot, const FlowSample& sample);
  void show_spilled(FlowVisitor& visitor, FlowEntry& entry, FlowEnd end);

  KernelFlowOptions options_;
  std::unique_ptr<kernel::Object> object_;
  FlowOwners owners_;
  std::string notice_;
  packets::NoticesAtStart at_start_;
  packets::WatchedInterfaces interfaces_;
  Groups groups_;
  std::unique_ptr<packets::Reader> reader_;
  std::unique_ptr<KernelTable> table_;
  SpilledFlows spilled_;
  KeptPackets kept_;
  pipeline::PacketBatch batch_;
  WallClock clock_;
  std::uint32_t namespace_;
  std::uint64_t next_id_ = 1;

  // What the visitor is looking at.
  std::optional<std::uint32_t> described_slot_;
  const FlowEntry* described_ = nullptr;

  bool stopped_ = false;
  bool finished_ = false;
  std::uint64_t no_room_ = 0;  ///< spilled wire packets for which there was none here either
};

// Before the programs are attached: no packet is to be counted for the interface by itself.
Result<void> FlowsSource::put_group(const kernel::InterfaceInfo& interface) {
  for (std::size_t i = 0; i < options_.groups.size(); ++i) {
    if (std::ranges::find(options_.groups[i], interface.name) == options_.groups[i].end()) continue;
    const auto group = SONDE_FLOW_GROUP | static_cast<std::uint32_t>(i);
    const auto map = object_->map_fd("sonde_flow_groups");
    return map ? kernel::map_update(*map, &interface.ifindex, &group) : std::unexpected(map.error());
  }
  return {};
}

// --- packets that come one by one ---

void FlowsSource::mark_quoted(const Packet& packet, std::uint32_t group) {
  const auto bytes = packet.bytes();
  if (packet.event->payload_offset >= bytes.size()) return;
  const auto quoted = bytes.subspan(packet.event->payload_offset);
  std::array<std::uint8_t, SONDE_FLOW_QUOTE> quote{};
  std::ranges::copy(quoted.first(std::min(quoted.size(), quote.size())), quote.begin());
  std::array<std::uint8_t, 32> scratch{};
  sonde_flow_key key;
  if (sonde_flow_quoted_key(quote.data(), static_cast<std::uint32_t>(quoted.size()), group, scratch.data(), &key) != 0)
    spilled_.mark_unreachable(key);
}

void FlowsSource::take_spilled(const Packet& packet, const sonde_flow_record& record) {
  sonde_flow_key key;
  sonde_flow_packet part;
  sonde_flow_take(packet.event, record.group, &key, &part);
  auto* entry = spilled_.count(key, part, packet.event->header.ts_ns, next_id_);
  if (entry == nullptr) {
    no_room_ += part.segments;
    return;
  }
  if ((record.reason & SONDE_FLOW_RECORD_NAME) != 0 && !entry->name)
    if (auto name = read_flow_name(packet)) entry->name = std::make_unique<FlowName>(std::move(*name));
  if ((record.reason & SONDE_FLOW_RECORD_QUOTED) != 0) mark_quoted(packet, record.group);
}

void FlowsSource::take(const Packet& packet) {
  const auto& record = *reinterpret_cast<const sonde_flow_record*>(packet.event + 1);
  if ((record.reason & SONDE_FLOW_RECORD_SPILLED) != 0) {
    take_spilled(packet, record);
  } else if ((record.reason & SONDE_FLOW_RECORD_NAME) != 0) {
    if (auto name = read_flow_name(packet)) table_->set_name(record.slot, std::move(*name));
  }
  if ((record.reason & SONDE_FLOW_RECORD_SHOWN) != 0) kept_.keep(packet);
}

Result<void> FlowsSource::drain() {
  for (std::size_t i = 0; i < most_batches || stopped_; ++i) {
    auto done = reader_->read(batch_, std::chrono::milliseconds{0});
    if (!done) return done;
    for (const auto& packet : batch_.view()) take(packet);
    if (batch_.size == 0) break;
  }
  return {};
}

Result<void> FlowsSource::poll(std::chrono::milliseconds timeout) {
  interfaces_.follow();
  owners_.refresh();
  auto done = reader_->read(batch_, timeout);
  if (!done) return done;
  for (const auto& packet : batch_.view()) take(packet);
  return batch_.size == 0 ? done : drain();
}

// --- collections ---

void FlowsSource::show(FlowVisitor& visitor, std::uint32_t slot, const FlowSample& sample) {
  described_slot_ = slot;
  visitor.visit(sample);
  described_slot_.reset();
}

void FlowsSource::show_spilled(FlowVisitor& visitor, FlowEntry& entry, FlowEnd end) {
  described_ = &entry;
  visitor.visit(flows::take_sample(entry, end));
  described_ = nullptr;
}

Result<void> FlowsSource::collect(FlowVisitor& visitor) {
  if (finished_) return {};
  interfaces_.follow();
  clock_.refresh_if_old();
  auto done = drain();
  if (!done) return done;
  owners_.refresh();
  const auto gone = interfaces_.take_gone();
  const KernelTable::Round round{
      .now_ns = now(), .idle_timeout = options_.idle_timeout, .gone = &gone, .last = stopped_};
  kept_.show(visitor);
  done = table_->collect(
      round, next_id_, [&](std::uint32_t slot, const FlowSample& sample) { show(visitor, slot, sample); },
      [&] { (void)drain(); });
  if (!done) return done;
  const auto show_entry = [&](FlowEntry& entry, FlowEnd end) { show_spilled(visitor, entry, end); };
  if (stopped_)
    spilled_.finish(show_entry);
  else
    spilled_.collect(round.now_ns, options_.idle_timeout, show_entry);
  finished_ = stopped_;
  return {};
}

Result<void> FlowsSource::stop() {
  interfaces_.detach();
  stopped_ = true;
  return {};
}

// --- what it tells ---

Flow FlowsSource::describe(const FlowSample& sample) {
  auto flow = flows::describe(*sample.flow, sample.end);
  flow.id = sample.id;
  flow.first_wall_ns = to_wall_ns(sample.flow->first_ns);
  flow.last_wall_ns = to_wall_ns(sample.flow->last_ns);
  flow.network_namespace = namespace_;
  flow.interface = groups_.name_of(sample.flow->key.group, interfaces());
  const FlowName* name = nullptr;
  if (described_slot_) name = table_->name(*described_slot_);
  if (described_ != nullptr) name = described_->name.get();
  if (name != nullptr) {
    flow.name = name->name;
    flow.alpn = name->alpn;
    flow.name_source = name->source;
  }
  owners_.describe(described_slot_, *sample.flow, flow);
  return flow;
}

sonde_flows_counters FlowsSource::counters() const {
  const std::uint32_t element = 0;
  const auto map = object_->map_fd("sonde_flow_counts");
  const auto sum = map ? kernel::sum_per_cpu<sonde_flows_counters>(*map, &element) : Result<sonde_flows_counters>();
  return sum ? *sum : sonde_flows_counters{};
}

std::vector<LossStage> FlowsSource::loss() const {
  const auto counts = counters();
  const auto given = counts.taken - counts.filtered - counts.no_key;
  const auto lost = counts.lost + no_room_;
  const auto device = interfaces_.device_loss();
  std::vector<LossStage> stages = {
      {"device", counts.taken + device.missed, counts.taken, 0, device.missed, device.note()},
      {"hook", counts.taken, given, counts.filtered + counts.no_key, 0, ""},
      {"flows", given, given - lost, 0, lost, lost > 0 ? "no room for their flows, nor in the ring" : ""}};
  if (counts.no_key > 0)
    stages[1].note = fmt::format("{} of the filtered are no packets of a flow (no IP)", counts.no_key);
  return stages;
}

std::vector<std::string> FlowsSource::notices() const {
  auto notices = packets::in_order(interfaces_.notices(), notice_, owners_.notices(), at_start_);
  const auto counts = counters();
  if (counts.spilled > 0)
    notices.push_back(fmt::format("{} packets found the table of {} flows full and were counted one by one",
                                  counts.spilled, options_.max_flows));
  if (counts.unreported > 0)
    notices.push_back(fmt::format("{} names, ARP or DNS packets found the ring full", counts.unreported));
  if (spilled_.ended_early() > 0)
    notices.push_back(fmt::format("{} flows beyond the table ended early", spilled_.ended_early()));
  if (kept_.dropped() > 0)
    notices.push_back(fmt::format("{} ARP and DNS packets were not looked at one by one", kept_.dropped()));
  return notices;
}

Result<std::map<std::uint32_t, PacketTotals>> FlowsSource::totals() const {
  std::map<std::uint32_t, PacketTotals> totals;
  const auto map = object_->map_fd("sonde_totals");
  if (!map) return std::unexpected(map.error());
  sonde_total_key key{};
  sonde_total_key next{};
  for (auto more = kernel::map_next_key(*map, nullptr, &next); more && *more;
       more = kernel::map_next_key(*map, &key, &next)) {
    key = next;
    const auto sum = kernel::sum_per_cpu<sonde_total>(*map, &key);
    if (!sum) return std::unexpected(sum.error());
    if (key.direction > SONDE_DIRECTION_OUT || key.protocol_class >= protocol_class_count) continue;
    totals[key.ifindex][key.direction][key.protocol_class] = {sum->packets, sum->bytes};
  }
  return totals;
}

// --- the start ---

Result<void> FlowsSource::start() {
  auto slots = FlowSlots::make(*object_, bucket_count(options_.max_flows));
  if (!slots) return std::unexpected(slots.error());
  table_ = std::make_unique<KernelTable>(std::move(*slots));
  auto reader = packets::make_ring_reader(*object_, 1, options_.buffer_bytes);
  if (!reader) return std::unexpected(reader.error());
  reader_ = std::move(*reader);
  auto started = interfaces_.start();
  if (!started) return started;
  at_start_ = {interfaces_.notices().size(), owners_.notices().size()};
  return {};
}

}  // namespace

Result<std::unique_ptr<KernelFlowSource>> open(KernelFlowOptions options) {
  auto selected = packets::select_interfaces(options.interfaces);  // a wrong name is told before anything is loaded
  if (!selected) return std::unexpected(selected.error());
  auto loaded = load(options, *selected);
  if (!loaded) return std::unexpected(loaded.error());
  auto source = std::make_unique<FlowsSource>(std::move(options), std::move(*loaded));
  auto started = source->start();
  if (!started) return std::unexpected(started.error());
  return source;
}

}  // namespace sonde::flows
