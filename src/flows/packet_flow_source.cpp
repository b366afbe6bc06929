// SPDX-License-Identifier: Apache-2.0
#include "flows/packet_flow_source.hpp"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <optional>

#include "base/wall_clock.hpp"
#include "flow.h"
#include "flows/describe.hpp"
#include "flows/ends.hpp"
#include "flows/flow_name.hpp"
#include "flows/flow_table.hpp"
#include "flows/groups.hpp"
#include "flows/kept_packets.hpp"

namespace sonde::flows {
namespace {

using pipeline::FlowSample;
using pipeline::FlowVisitor;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr nanoseconds longest_silence = std::chrono::minutes(5);
constexpr nanoseconds told_step_back = std::chrono::seconds(1);
constexpr milliseconds pipe_patience{100};
// What a collection of a live source reads at most before it shows what there is.
constexpr std::size_t most_batches = 4096;
constexpr std::uint16_t ether_type_arp = 0x0806;
constexpr std::uint16_t dns_port = 53;

bool is_dns(const sonde_packet_event& event) {
  return event.protocol == IPPROTO_UDP && (event.source_port == dns_port || event.destination_port == dns_port);
}

// The payload that may name the flow: DNS, or the first that the opener of a connection sends.
bool may_name(const sonde_flow& flow, const sonde_packet_event& event, std::uint32_t side) {
  if ((flow.flags & SONDE_FLOW_PAYLOAD) != 0 || event.payload_size == 0) return false;
  return is_dns(event) || (event.protocol == IPPROTO_TCP && side == sonde_flow_opener(&flow));
}

class PacketFlowSource final : public pipeline::FlowSource {
 public:
  PacketFlowSource(std::unique_ptr<pipeline::Source> packets, PacketFlowOptions options)
      : packets_(std::move(packets)),
        options_(std::move(options)),
        groups_(options_.groups),
        table_(std::max(1U, options_.max_flows)) {}

  Result<void> collect(FlowVisitor& visitor) override;
  Result<void> poll(milliseconds timeout) override;
  Result<void> stop() override;
  [[nodiscard]] bool finished() const override { return finished_; }
  [[nodiscard]] Flow describe(const FlowSample& sample) override;
  [[nodiscard]] std::int64_t now_wall_ns() const override { return replayed() ? now_ : wall_now_ns(); }
  [[nodiscard]] std::int64_t to_wall_ns(std::uint64_t time) const override { return static_cast<std::int64_t>(time); }
  [[nodiscard]] std::vector<LossStage> loss() const override;
  [[nodiscard]] const InterfaceTable& interfaces() const override { return packets_->interfaces(); }
  [[nodiscard]] std::vector<std::string> notices() const override;

 private:
  struct Ended {
    FlowEntry entry;
    FlowEnd end;
  };

  [[nodiscard]] bool replayed() const { return options_.replay_step.count() != 0; }

  Result<bool> read_step();
  Result<bool> more_packets();
  void end_step(std::int64_t next_packet_ns);
  Result<void> drain();

  void take(const Packet& packet);
  void take_special(const Packet& packet);
  bool count(const Packet& packet);
  void mark_quoted(const Packet& packet);
  FlowTable::Index flow_of(const sonde_flow_key& key, const sonde_flow_packet& packet, std::uint64_t time);
  void set_changed(FlowTable::Index index);
  [[nodiscard]] bool may_end() const;
  bool make_room();

  void show_all(FlowVisitor& visitor, bool last);
  void end_due(std::int64_t now);
  void end_rest();
  void end(FlowTable::Index index, FlowEnd end);
  void show(FlowVisitor& visitor, FlowEntry& entry, FlowEnd end);

  std::unique_ptr<pipeline::Source> packets_;
  PacketFlowOptions options_;
  Groups groups_;
  FlowTable table_;
  std::vector<FlowTable::Index> changed_;  ///< flows with packets since the last collection, and some that have gone
  std::vector<Ended> ended_;               ///< flows that ended between two collections
  KeptPackets kept_;
  FlowVisitor* visitor_ = nullptr;        ///< of the collection that is under way
  const FlowEntry* described_ = nullptr;  ///< what the visitor is looking at

  pipeline::PacketBatch batch_;
  std::size_t next_ = 0;  ///< of the batch
  std::int64_t now_ = 0;
  std::int64_t step_end_ = 0;
  std::int64_t newest_ = 0;
  std::int64_t most_back_ = 0;
  bool started_ = false;
  bool stopped_ = false;
  bool finished_ = false;
  std::optional<Error> failure_;  ///< of the packet source: returned by the last collection

  std::uint64_t last_id_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t not_ip_ = 0;
  std::uint64_t no_room_ = 0;
  std::uint64_t ended_early_ = 0;
};

// --- packets ---

void PacketFlowSource::take_special(const Packet& packet) {
  const auto& event = *packet.event;
  const bool wanted = event.ether_type == ether_type_arp ? options_.arp : options_.dns && is_dns(event);
  if (!wanted) return;
  if (visitor_ != nullptr)
    visitor_->visit(pipeline::FlowPacket{&event, packet.bytes(), packet.wall_ns});
  else
    kept_.keep(packet);
}

void PacketFlowSource::take(const Packet& packet) {
  ++taken_;
  most_back_ = std::max(most_back_, newest_ - packet.wall_ns);
  newest_ = std::max(newest_, packet.wall_ns);
  take_special(packet);
  const auto& event = *packet.event;
  if (sonde_flow_has_key(&event) == 0) {
    ++not_ip_;
    return;
  }
  if (!count(packet)) ++no_room_;
  if (sonde_flow_is_icmp_error(&event) != 0) mark_quoted(packet);
}

FlowTable::Index PacketFlowSource::flow_of(const sonde_flow_key& key, const sonde_flow_packet& packet,
                                           std::uint64_t time) {
  auto index = table_.find(key);
  if (index != 0 && sonde_flow_is_reused(&table_[index].flow, &packet) != 0) {
    if (!may_end()) return 0;
    end(index, how_it_ended(table_[index].flow));
    index = 0;
  }
  if (index != 0) return index;
  if (table_.full() && !make_room()) return 0;
  index = table_.add(key);
  table_[index].id = ++last_id_;
  sonde_flow_start(&table_[index].flow, &packet, time);
  return index;
}

// Flows that end between two collections wait for the next one.
bool PacketFlowSource::may_end() const { return visitor_ != nullptr || ended_.size() < options_.max_flows; }

// A connection that is closing is to end anyway.
bool PacketFlowSource::make_room() {
  if (!may_end()) return false;
  const auto closing = table_.oldest(true);
  if (closing == 0) ++ended_early_;
  if (closing != 0)
    end(closing, how_it_ended(table_[closing].flow));
  else
    end(table_.oldest(false), FlowEnd::idle);
  return true;
}

// False: there was no room for its flow.
bool PacketFlowSource::count(const Packet& packet) {
  const auto& event = *packet.event;
  const auto time = static_cast<std::uint64_t>(packet.wall_ns);
  sonde_flow_key key;
  sonde_flow_packet part;
  sonde_flow_take(&event, groups_.group_of(event.header.ifindex, interfaces()), &key, &part);
  const auto index = flow_of(key, part, time);
  if (index == 0) return false;
  auto& entry = table_[index];
  sonde_flow_update(&entry.flow, &part, time);
  if (may_name(entry.flow, event, part.side)) {
    entry.flow.flags |= SONDE_FLOW_PAYLOAD;
    if (auto name = read_flow_name(packet)) entry.name = std::make_unique<FlowName>(std::move(*name));
  }
  set_changed(index);
  table_.set_closing(index, is_over(entry.flow));
  return true;
}

void PacketFlowSource::set_changed(FlowTable::Index index) {
  auto& changed = table_[index].changed;
  if (!changed) changed_.push_back(index);
  changed = true;
}

// An error that comes by another interface than the packet that it quotes marks no flow.
void PacketFlowSource::mark_quoted(const Packet& packet) {
  const auto& event = *packet.event;
  const auto bytes = packet.bytes();
  if (event.payload_offset >= bytes.size()) return;
  const auto quoted = bytes.subspan(event.payload_offset);
  std::array<std::uint8_t, SONDE_FLOW_QUOTE> quote{};
  std::ranges::copy(quoted.first(std::min(quoted.size(), quote.size())), quote.begin());
  std::array<std::uint8_t, 32> scratch{};
  sonde_flow_key key;
  if (sonde_flow_quoted_key(quote.data(), static_cast<std::uint32_t>(quoted.size()),
                            groups_.group_of(event.header.ifindex, interfaces()), scratch.data(), &key) == 0)
    return;
  const auto index = table_.find(key);
  if (index == 0) return;
  table_[index].flow.flags |= SONDE_FLOW_UNREACHABLE;
  set_changed(index);
}

// --- collections ---

void PacketFlowSource::show(FlowVisitor& visitor, FlowEntry& entry, FlowEnd end) {
  described_ = &entry;
  visitor.visit(take_sample(entry, end));
  described_ = nullptr;
}

void PacketFlowSource::end(FlowTable::Index index, FlowEnd end) {
  if (visitor_ != nullptr)
    show(*visitor_, table_[index], end);
  else
    ended_.push_back({std::move(table_[index]), end});
  table_[index].changed = false;
  table_.remove(index);
}

// The flows of each list are in the order of their last packets.
void PacketFlowSource::end_due(std::int64_t now) {
  const auto due = [&](FlowTable::Index index, nanoseconds patience) {
    return index != 0 && static_cast<std::int64_t>(table_[index].flow.last_ns) + patience.count() <= now;
  };
  for (auto index = table_.oldest(true); due(index, closed_linger); index = table_.oldest(true))
    end(index, how_it_ended(table_[index].flow));
  for (auto index = table_.oldest(false); due(index, options_.idle_timeout); index = table_.oldest(false))
    end(index, FlowEnd::idle);
}

void PacketFlowSource::end_rest() {
  for (auto index = table_.oldest(true); index != 0; index = table_.oldest(true))
    end(index, how_it_ended(table_[index].flow));
  for (auto index = table_.oldest(false); index != 0; index = table_.oldest(false)) end(index, FlowEnd::shutdown);
}

void PacketFlowSource::show_all(FlowVisitor& visitor, bool last) {
  kept_.show(visitor);
  for (auto& flow : ended_) show(visitor, flow.entry, flow.end);
  ended_.clear();
  end_due(now_wall_ns());
  if (last) end_rest();
  for (const auto index : changed_)
    if (table_[index].changed) show(visitor, table_[index], FlowEnd::none);
  changed_.clear();
}

Result<void> PacketFlowSource::collect(FlowVisitor& visitor) {
  if (finished_) return {};
  if (replayed() && !stopped_) {
    visitor_ = &visitor;
    const auto complete = read_step();
    visitor_ = nullptr;
    if (!complete) failure_ = complete.error();
    if (complete && !*complete) return {};
  } else if (auto drained = drain(); !drained) {
    failure_ = drained.error();
  }
  finished_ = next_ >= batch_.size && (failure_ || packets_->finished());
  if (finished_) now_ = std::max(now_, newest_);
  visitor_ = &visitor;
  show_all(visitor, finished_);
  visitor_ = nullptr;
  if (finished_ && failure_) return std::unexpected(*failure_);
  return {};
}

// --- a live source ---

// Until nothing waits; after stop() until the source is finished.
Result<void> PacketFlowSource::drain() {
  for (; next_ < batch_.size; ++next_) take(batch_.packets[next_]);
  for (std::size_t i = 0; (i < most_batches || stopped_) && !packets_->finished(); ++i) {
    auto done = packets_->read(batch_, stopped_ ? pipe_patience : milliseconds{0});
    if (!done) return done;
    for (const auto& packet : batch_.view()) take(packet);
    next_ = batch_.size;
    if (batch_.size == 0 && !stopped_) break;
  }
  return {};
}

Result<void> PacketFlowSource::poll(milliseconds timeout) {
  if (replayed() || stopped_ || packets_->finished()) return {};
  auto done = packets_->read(batch_, timeout);
  if (!done) return done;
  for (const auto& packet : batch_.view()) take(packet);
  next_ = batch_.size;
  return {};
}

Result<void> PacketFlowSource::stop() {
  stopped_ = true;
  return packets_->stop();
}

// --- a file ---

// False: there are none. The source's failure is its end, too.
Result<bool> PacketFlowSource::more_packets() {
  if (next_ < batch_.size) return true;
  if (packets_->finished()) return false;
  batch_.size = next_ = 0;
  auto done = packets_->read(batch_, pipe_patience);
  if (!done) return std::unexpected(done.error());
  return batch_.size != 0;
}

void PacketFlowSource::end_step(std::int64_t next_packet_ns) {
  now_ = step_end_;
  const auto step = options_.replay_step.count();
  const bool silent = next_packet_ns - newest_ > longest_silence.count();
  const bool waited = now_ - newest_ >= longest_silence.count();
  step_end_ = silent && waited ? next_packet_ns + step : step_end_ + step;
}

// True: the step is over, or the file is.
Result<bool> PacketFlowSource::read_step() {
  for (;;) {
    auto more = more_packets();
    if (!more) return more;
    if (!*more) return packets_->finished();
    const auto& packet = batch_.packets[next_];
    if (!started_) step_end_ = packet.wall_ns + options_.replay_step.count();
    started_ = true;
    if (packet.wall_ns >= step_end_) {
      end_step(packet.wall_ns);
      return true;
    }
    take(packet);
    ++next_;
  }
}

// --- what it tells ---

Flow PacketFlowSource::describe(const FlowSample& sample) {
  auto flow = flows::describe(*sample.flow, sample.end);
  flow.id = sample.id;
  flow.first_wall_ns = to_wall_ns(sample.flow->first_ns);
  flow.last_wall_ns = to_wall_ns(sample.flow->last_ns);
  flow.interface = groups_.name_of(sample.flow->key.group, interfaces());
  if (described_ != nullptr && described_->name) {
    flow.name = described_->name->name;
    flow.alpn = described_->name->alpn;
    flow.name_source = described_->name->source;
  }
  return flow;
}

std::vector<LossStage> PacketFlowSource::loss() const {
  auto stages = packets_->loss();
  // Packets of the batch that were read and not looked at yet: the source has counted them as given.
  const std::uint64_t waiting = batch_.size - next_;
  LossStage stage{.name = "flows",
                  .taken = taken_ + waiting,
                  .given = taken_ + waiting - not_ip_ - no_room_,
                  .filtered = not_ip_,
                  .lost = no_room_,
                  .note = {}};
  if (not_ip_ > 0) stage.note = "filtered: no IP, so no flow";
  stages.push_back(std::move(stage));
  return stages;
}

std::vector<std::string> PacketFlowSource::notices() const {
  auto notices = packets_->notices();
  if (ended_early_ > 0)
    notices.push_back(fmt::format("the table of {} flows was full: {} ended early", options_.max_flows, ended_early_));
  if (kept_.dropped() > 0)
    notices.push_back(fmt::format("{} ARP and DNS packets were not looked at one by one", kept_.dropped()));
  if (replayed() && most_back_ > told_step_back.count())
    notices.push_back(fmt::format("time goes back by up to {:.1f} s in the file: what happened then counts later",
                                  static_cast<double>(most_back_) / 1e9));
  return notices;
}

}  // namespace

std::unique_ptr<pipeline::FlowSource> make_packet_flows(std::unique_ptr<pipeline::Source> packets,
                                                        PacketFlowOptions options) {
  return std::make_unique<PacketFlowSource>(std::move(packets), std::move(options));
}

}  // namespace sonde::flows
