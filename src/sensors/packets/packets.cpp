// SPDX-License-Identifier: Apache-2.0
#include "sensors/packets/packets.hpp"

#include <algorithm>
#include <optional>

#include "sensors/packets/packet_owners.hpp"
#include "sensors/packets/watched_interfaces.hpp"

namespace sonde::packets {
namespace {

bool has_any(const std::vector<std::string>& names) { return std::ranges::find(names, "any") != names.end(); }

std::string list_names(const std::vector<kernel::InterfaceInfo>& interfaces) {
  std::string names;
  for (const auto& interface : interfaces) names += (names.empty() ? "" : ", ") + interface.name;
  return names;
}

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
        interfaces_(*object_, options_.interfaces, options_.attach) {}

  Result<void> start();
  Result<void> read(pipeline::PacketBatch& batch, std::chrono::milliseconds timeout) override;
  Result<void> stop() override;
  [[nodiscard]] bool finished() const override { return stopped_ && drained_; }
  [[nodiscard]] std::vector<LossStage> loss() const override;
  [[nodiscard]] const InterfaceTable& interfaces() const override { return interfaces_.table(); }
  [[nodiscard]] std::vector<std::string> notices() const override;

 private:
  PacketsOptions options_;
  std::unique_ptr<PacketOwners> owners_;  ///< null: off
  std::unique_ptr<kernel::Object> object_;
  std::string notice_;
  NoticesAtStart at_start_;
  std::unique_ptr<Reader> reader_;
  WatchedInterfaces interfaces_;
  bool stopped_ = false;
  bool drained_ = false;
};

Result<void> PacketsSource::start() {
  const bool ring = options_.program.transport == SONDE_TRANSPORT_RING;
  auto reader = ring ? make_ring_reader(*object_, options_.program.rings, options_.buffer_bytes)
                     : make_perf_reader(*object_, options_.buffer_bytes);
  if (!reader) return std::unexpected(reader.error());
  reader_ = std::move(*reader);
  auto started = interfaces_.start();
  if (!started) return started;
  at_start_ = {interfaces_.notices().size(), owners_ ? owners_->notices().size() : 0};
  return {};
}

Result<void> PacketsSource::read(pipeline::PacketBatch& batch, std::chrono::milliseconds timeout) {
  interfaces_.follow();
  auto done = reader_->read(batch, stopped_ ? std::chrono::milliseconds{0} : timeout);
  drained_ = stopped_ && batch.size == 0;
  if (owners_) owners_->resolve(batch);
  return done;
}

Result<void> PacketsSource::stop() {
  interfaces_.detach();
  stopped_ = true;
  return {};
}

std::vector<LossStage> PacketsSource::loss() const {
  auto stages = loss_stages(*object_, reader_.get());
  const auto device = interfaces_.device_loss();
  const auto taken = stages.front().taken;
  stages.insert(stages.begin(), {"device", taken + device.missed, taken, 0, device.missed, device.note()});
  if (owners_ && owners_->filtered()) {
    const auto left_out = owners_->left_out();
    stages.push_back({"filter", reader_->delivered(), reader_->delivered() - left_out, left_out, 0, ""});
  }
  return stages;
}

std::vector<std::string> PacketsSource::notices() const {
  return in_order(interfaces_.notices(), notice_, owners_ ? owners_->notices() : std::vector<std::string>{}, at_start_);
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
