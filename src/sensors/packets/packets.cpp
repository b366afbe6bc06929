// SPDX-License-Identifier: Apache-2.0
#include "sensors/packets/packets.hpp"

#include <algorithm>
#include <optional>

#include "sensors/packets/packet_owners.hpp"

namespace sonde::packets {
namespace {

bool has_any(const std::vector<std::string>& names) { return std::ranges::find(names, "any") != names.end(); }

std::string list_names(const std::vector<kernel::InterfaceInfo>& interfaces) {
  std::string names;
  for (const auto& interface : interfaces) names += (names.empty() ? "" : ", ") + interface.name;
  return names;
}

struct DeviceLoss {
  std::uint64_t missed = 0;
  std::uint64_t dropped = 0;
};

// A loaded object and, if it has them, the owners that it shares maps with.
struct Loaded {
  std::unique_ptr<PacketOwners> owners;
  kernel::Object object;
  std::string notice;  ///< why there are no owners; may be empty
};

class PacketsSource final : public pipeline::Source {
 public:
  PacketsSource(PacketsOptions options, Loaded loaded)
      : options_(std::move(options)),
        owners_(std::move(loaded.owners)),
        object_(std::make_unique<kernel::Object>(std::move(loaded.object))),
        notice_(std::move(loaded.notice)),
        attachments_(*object_, options_.attach) {}

  Result<void> start();
  Result<void> read(pipeline::PacketBatch& batch, std::chrono::milliseconds timeout) override;
  Result<void> stop() override;
  [[nodiscard]] bool finished() const override { return stopped_ && drained_; }
  [[nodiscard]] std::vector<LossStage> loss() const override;
  [[nodiscard]] const InterfaceTable& interfaces() const override { return table_; }
  [[nodiscard]] std::vector<std::string> notices() const override;

 private:
  Result<void> attach(const kernel::InterfaceInfo& interface);
  void follow_interfaces();
  void keep_notices();
  [[nodiscard]] DeviceLoss device_loss() const;

  PacketsOptions options_;
  std::unique_ptr<PacketOwners> owners_;  ///< null: off
  std::unique_ptr<kernel::Object> object_;
  std::string notice_;
  std::vector<std::string> notices_at_start_;
  struct {
    std::size_t attachments = 0, failures = 0, owners = 0;
  } told_;  ///< how many of each are among them
  std::unique_ptr<Reader> reader_;
  Attachments attachments_;
  InterfaceTable table_;
  std::map<std::uint32_t, kernel::InterfaceCounters> counters_at_start_;
  std::optional<kernel::InterfaceWatcher> watcher_;  ///< with "any"
  std::vector<std::string> failures_;                ///< of interfaces that "any" could not attach to
  bool stopped_ = false;
  bool drained_ = false;
};

Result<void> PacketsSource::attach(const kernel::InterfaceInfo& interface) {
  auto attached = attachments_.attach(interface);
  if (!attached) return attached;
  table_.insert_or_assign(interface.ifindex, Interface{interface.name, interface.link_type});
  counters_at_start_.insert_or_assign(interface.ifindex, interface.counters);
  return {};
}

Result<void> PacketsSource::start() {
  const bool ring = options_.program.transport == SONDE_TRANSPORT_RING;
  auto reader = ring ? make_ring_reader(*object_, options_.program.rings, options_.buffer_bytes)
                     : make_perf_reader(*object_, options_.buffer_bytes);
  if (!reader) return std::unexpected(reader.error());
  reader_ = std::move(*reader);
  const bool any = has_any(options_.interfaces);
  if (any) {
    auto watcher = kernel::InterfaceWatcher::make();  // before the list, so that nothing slips between
    if (!watcher) return std::unexpected(watcher.error());
    watcher_ = std::move(*watcher);
  }
  auto selected = select_interfaces(options_.interfaces);
  if (!selected) return std::unexpected(selected.error());
  for (const auto& interface : *selected) {
    auto attached = attach(interface);
    if (attached) continue;
    if (!any) return attached;
    failures_.push_back(attached.error().text());
  }
  if (any && attachments_.empty() && !failures_.empty())
    return fail(ErrorKind::unsupported, "no interface could be attached to: " + failures_.front());
  keep_notices();
  return {};
}

void PacketsSource::follow_interfaces() {
  if (!watcher_ || stopped_ || !watcher_->changed()) return;
  const auto now = kernel::list_interfaces();
  if (!now) return;
  for (const auto& [ifindex, known] : table_) {
    const auto same = [index = ifindex](const auto& interface) { return interface.ifindex == index; };
    if (std::ranges::none_of(*now, same)) attachments_.forget(ifindex);
  }
  for (const auto& interface : *now) {
    const auto known = table_.find(interface.ifindex);
    if (known != table_.end() && attachments_.contains(interface.ifindex)) {
      known->second.name = interface.name;
      continue;
    }
    auto attached = attach(interface);
    if (!attached) failures_.push_back(attached.error().text());
  }
}

Result<void> PacketsSource::read(pipeline::PacketBatch& batch, std::chrono::milliseconds timeout) {
  follow_interfaces();
  auto done = reader_->read(batch, stopped_ ? std::chrono::milliseconds{0} : timeout);
  drained_ = stopped_ && batch.size == 0;
  if (owners_) owners_->resolve(batch);
  return done;
}

Result<void> PacketsSource::stop() {
  attachments_.detach();
  stopped_ = true;
  return {};
}

DeviceLoss PacketsSource::device_loss() const {
  DeviceLoss loss;
  const auto now = kernel::list_interfaces();
  if (!now) return loss;
  for (const auto& interface : *now) {
    const auto start = counters_at_start_.find(interface.ifindex);
    if (start == counters_at_start_.end()) continue;
    loss.missed += interface.counters.rx_missed - start->second.rx_missed;
    loss.dropped += interface.counters.rx_dropped - start->second.rx_dropped;
  }
  return loss;
}

std::vector<LossStage> PacketsSource::loss() const {
  auto stages = loss_stages(*object_, reader_.get());
  const auto device = device_loss();
  std::string note;
  if (device.dropped > 0)
    note = "rx_dropped grew by " + std::to_string(device.dropped) + ": by the driver, or behind our hook";
  const auto taken = stages.front().taken;
  stages.insert(stages.begin(), {"device", taken + device.missed, taken, 0, device.missed, std::move(note)});
  if (owners_ && owners_->filtered()) {
    const auto left_out = owners_->left_out();
    stages.push_back({"filter", reader_->delivered(), reader_->delivered() - left_out, left_out, 0, ""});
  }
  return stages;
}

// Grows at its end only.
std::vector<std::string> PacketsSource::notices() const {
  auto notices = notices_at_start_;
  const auto add_later = [&](const std::vector<std::string>& all, std::size_t told) {
    if (all.size() > told) notices.insert(notices.end(), all.begin() + static_cast<std::ptrdiff_t>(told), all.end());
  };
  add_later(attachments_.notices(), told_.attachments);
  add_later(failures_, told_.failures);
  if (owners_) add_later(owners_->notices(), told_.owners);
  return notices;
}

void PacketsSource::keep_notices() {
  notices_at_start_ = attachments_.notices();
  told_.attachments = notices_at_start_.size();
  told_.failures = failures_.size();
  notices_at_start_.insert(notices_at_start_.end(), failures_.begin(), failures_.end());
  if (!notice_.empty()) notices_at_start_.push_back(notice_);
  if (!owners_) return;
  const auto more = owners_->notices();
  told_.owners = more.size();
  notices_at_start_.insert(notices_at_start_.end(), more.begin(), more.end());
}

Result<Loaded> load(PacketsOptions& options, std::unique_ptr<owners::OwnerTracking> tracking) {
  options.program.owners = tracking.get();
  auto object = load_program(options.program);
  if (!object && options.attach.xdp == XdpChoice::automatic) {
    options.program.xdp = false;  // a kernel before 5.18 has no bpf_xdp_load_bytes: tc ingress then
    object = load_program(options.program);
  }
  options.program.owners = nullptr;
  if (!object) return std::unexpected(object.error());
  Loaded loaded{nullptr, std::move(*object), ""};
  if (tracking)
    loaded.owners =
        std::make_unique<PacketOwners>(std::move(tracking), !options.owner.filter.empty(), options.program.transport);
  return loaded;
}

Result<Loaded> load_with_owners(PacketsOptions& options) {
  auto tracking = owners::OwnerTracking::start(options.owner);
  if (!tracking) return std::unexpected(tracking.error());
  return load(options, std::move(*tracking));
}

Result<Loaded> load(PacketsOptions& options) {
  if (options.owners == OwnersChoice::off) return load(options, nullptr);
  auto loaded = load_with_owners(options);
  if (loaded || options.owners == OwnersChoice::required) return loaded;
  auto notice = "packets are shown without owners: " + loaded.error().text();
  loaded = load(options, nullptr);
  if (loaded) loaded->notice = std::move(notice);
  return loaded;
}

std::string hook_note(const sonde_counters& counts) {
  std::string note;
  if (counts.uncounted > 0) note = std::to_string(counts.uncounted) + " packets missing in the totals";
  if (counts.unowned > 0)
    note += (note.empty() ? "" : "; ") + std::to_string(counts.unowned) + " of the filtered had no known owner";
  return note;
}

}  // namespace

std::vector<LossStage> loss_stages(const kernel::Object& object, const Reader* reader) {
  const std::uint32_t element = 0;
  const auto map = object.map_fd("sonde_counts");
  const auto counted = map ? kernel::sum_per_cpu<sonde_counters>(*map, &element) : Result<sonde_counters>();
  const auto counts = counted ? *counted : sonde_counters{};
  const auto offered = counts.emitted + counts.lost;
  const auto delivered = reader == nullptr ? 0 : reader->delivered();
  const auto malformed = reader == nullptr ? 0 : reader->malformed();
  return {{"hook", counts.taken, offered, counts.filtered + counts.counted_only, 0, hook_note(counts)},
          {"ring", offered, delivered + malformed, 0, counts.lost,
           counts.lost > 0 ? "the reader was slower than the packets" : ""},
          {"decode", delivered + malformed, delivered, 0, malformed, ""}};
}

// "any" may meet every kind of interface later.
void choose_programs(const std::vector<kernel::InterfaceInfo>& interfaces, const std::vector<std::string>& names,
                     const AttachOptions& attach, ProgramOptions& program) {
  const bool any = has_any(names);
  const auto with = [&](LinkType type) {
    return any || std::ranges::find(interfaces, type, &kernel::InterfaceInfo::link_type) != interfaces.end();
  };
  program.ethernet = with(LinkType::ethernet);
  program.raw_ip = with(LinkType::raw_ip);
  program.xdp = attach.xdp != XdpChoice::off && attach.receive;
  program.ingress = attach.receive;
  program.egress = attach.send;
}

Result<std::vector<kernel::InterfaceInfo>> select_interfaces(const std::vector<std::string>& names) {
  auto all = kernel::list_interfaces();
  if (!all || has_any(names)) return all;
  std::vector<kernel::InterfaceInfo> selected;
  for (const auto& name : names) {
    const auto found = std::ranges::find(*all, name, &kernel::InterfaceInfo::name);
    if (found == all->end())
      return fail(ErrorKind::usage, "no interface '" + name + "'; there are: " + list_names(*all) + ", any");
    if (std::ranges::find(selected, found->ifindex, &kernel::InterfaceInfo::ifindex) == selected.end())
      selected.push_back(*found);
  }
  return selected;
}

Result<std::unique_ptr<pipeline::Source>> open(PacketsOptions options) {
  auto selected = select_interfaces(options.interfaces);  // a wrong name is told before anything is loaded
  if (!selected) return std::unexpected(selected.error());
  choose_programs(*selected, options.interfaces, options.attach, options.program);
  options.program.wakeup_bytes =
      static_cast<std::uint32_t>(ring_bytes(options.program.rings, options.buffer_bytes) / 8);
  auto loaded = load(options);
  if (!loaded) return std::unexpected(loaded.error());
  auto source = std::make_unique<PacketsSource>(std::move(options), std::move(*loaded));
  auto started = source->start();
  if (!started) return std::unexpected(started.error());
  return source;
}

}  // namespace sonde::packets
