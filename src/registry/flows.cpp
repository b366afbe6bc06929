// SPDX-License-Identifier: Apache-2.0
#include "registry/flows.hpp"

#include <algorithm>
#include <span>
#include <string_view>

#include "filter/filter.hpp"
#include "flows/packet_flow_source.hpp"
#include "registry/choices.hpp"
#include "registry/source_options.hpp"
#include "registry/sources.hpp"
#include "replay/file_source.hpp"
#include "sensors/afpacket/afpacket.hpp"
#include "sensors/flows/flows.hpp"

namespace sonde::registry {
namespace {

using SourcePointer = std::unique_ptr<pipeline::FlowSource>;

// Of a packet whose first bytes of payload name the flow: a TLS hello with a post-quantum key share, a DNS answer.
constexpr std::uint32_t name_bytes = 4096;
constexpr std::uint32_t most_flows = 16 * 1024 * 1024;

struct FlowRequest {
  const FlowOptions& options;
  const FlowPackets& packets;
  FlowInterfaces interfaces;  ///< empty if a file is read
  filter::CompiledFilter filter;
  std::chrono::nanoseconds replay_step;
};

struct FlowSourceEntry {
  const char* name;
  Result<SourcePointer> (*open)(const FlowRequest& request);
  bool (*is_default)(const FlowOptions& options);  ///< does `auto` try it for these options?
  std::span<const char* const> options;            ///< of those that only some sources have, those it has
};

flows::PacketFlowOptions packet_flow_options(const FlowRequest& request) {
  return {.max_flows = request.options.max_flows,
          .idle_timeout = request.options.idle_timeout,
          .replay_step = std::chrono::nanoseconds{0},
          .arp = request.packets.arp,
          .dns = request.packets.dns,
          .groups = request.interfaces.groups};
}

Result<SourcePointer> open_file(const FlowRequest& request) {
  if (request.options.read_file.empty()) return fail(ErrorKind::usage, "--source file: expected -r FILE");
  auto packets = replay::open_file(request.options.read_file, {.filter = request.filter, .snaplen = UINT16_MAX});
  if (!packets) return std::unexpected(packets.error());
  auto options = packet_flow_options(request);
  options.replay_step = request.replay_step;
  return flows::make_packet_flows(std::move(*packets), std::move(options));
}

Result<SourcePointer> open_afpacket(const FlowRequest& request) {
  afpacket::AfPacketOptions options;
  options.interfaces = request.interfaces.names;
  options.filter = request.filter;
  options.snaplen = name_bytes;
  if (request.options.buffer_bytes) options.ring_bytes = *request.options.buffer_bytes;
  auto packets = afpacket::open_afpacket(std::move(options));
  if (!packets) return std::unexpected(packets.error());
  return flows::make_packet_flows(std::move(*packets), packet_flow_options(request));
}

// XDP sees no sockets.
Result<packets::OwnersChoice> owners_choice(const FlowOptions& options, packets::XdpChoice xdp) {
  const auto given = owner_options(options.owner);
  const bool asked = options.owners.value_or(false) || !given.empty();
  if (!given.empty() && !options.owners.value_or(true))
    return fail(ErrorKind::usage, std::string(given.front()) + ": owners are off by --no-owners");
  if (asked && xdp != packets::XdpChoice::off)
    return fail(
        ErrorKind::usage,
        (given.empty() ? "owners" : std::string(given.front())) + ": XDP cannot tell the owner of a received packet",
        "expected --xdp-mode off");
  if (asked) return packets::OwnersChoice::required;
  const bool off = !options.owners.value_or(true) || xdp != packets::XdpChoice::off;
  return off ? packets::OwnersChoice::off : packets::OwnersChoice::automatic;
}

Result<SourcePointer> open_ebpf(const FlowRequest& request) {
  const auto& options = request.options;
  const auto xdp = xdp_choice(options.xdp_mode.value_or("off"));
  if (!xdp) return std::unexpected(xdp.error());
  const auto owners = owners_choice(options, *xdp);
  if (!owners) return std::unexpected(owners.error());
  flows::KernelFlowOptions kernel;
  kernel.interfaces = request.interfaces.names;
  kernel.groups = request.interfaces.groups;
  kernel.filter = request.filter;
  kernel.attach.xdp = *xdp;
  kernel.attach.receive = options.filter.direction != "out";
  kernel.attach.send = options.filter.direction != "in";
  kernel.owners = *owners;
  kernel.owner = options.owner;
  kernel.owner.filter = {};  // a flow is filtered as a whole, when its owner is known (aggregate/flow_owners.hpp)
  kernel.max_flows = options.max_flows;
  kernel.idle_timeout = options.idle_timeout;
  if (options.buffer_bytes) kernel.buffer_bytes = *options.buffer_bytes;
  kernel.arp = request.packets.arp;
  kernel.dns = request.packets.dns;
  auto source = flows::open(std::move(kernel));
  if (!source) return std::unexpected(source.error());
  return std::move(*source);
}

bool reads_file(const FlowOptions& options) { return !options.read_file.empty(); }
bool reads_interfaces(const FlowOptions& options) { return options.read_file.empty(); }

std::vector<std::string_view> given_options(const FlowOptions& options) {
  GivenOptions given;
  given.add(owner_options(options.owner));
  given.add(!options.interfaces.empty(), "-i");
  given.add(!options.read_file.empty(), "-r");
  given.add(options.xdp_mode.has_value(), "--xdp-mode");
  given.add(options.buffer_bytes.has_value(), "--buffer");
  given.add(options.owners.value_or(false), "owners");
  return given.all();
}

bool leaves_ebpf_open(const FlowOptions& options) {
  return !reads_file(options) && !options.xdp_mode && !options.owners.value_or(false) &&
         owner_options(options.owner).empty();
}

constexpr const char* file_options[] = {"-r"};
constexpr const char* ebpf_options[] = {"-i",          "--xdp-mode", "--buffer",         "--pid", "--process", "--user",
                                        "--container", "--hook",     "--owner-map-size", "owners"};
constexpr const char* afpacket_options[] = {"-i", "--buffer"};

constexpr FlowSourceEntry table[] = {
    {"file", open_file, reads_file, file_options},
    {"ebpf", open_ebpf, reads_interfaces, ebpf_options},
    {"afpacket", open_afpacket, leaves_ebpf_open, afpacket_options},
};

/// Puts "source ebpf" before what the source itself tells.
class NamedSource final : public pipeline::FlowSource {
 public:
  NamedSource(SourcePointer source, std::string name) : source_(std::move(source)), name_(std::move(name)) {}

  Result<void> collect(pipeline::FlowVisitor& visitor) override { return source_->collect(visitor); }
  Result<void> poll(std::chrono::milliseconds timeout) override { return source_->poll(timeout); }
  Result<void> stop() override { return source_->stop(); }
  [[nodiscard]] bool finished() const override { return source_->finished(); }
  [[nodiscard]] Flow describe(const pipeline::FlowSample& sample) override { return source_->describe(sample); }
  [[nodiscard]] std::int64_t now_wall_ns() const override { return source_->now_wall_ns(); }
  [[nodiscard]] std::int64_t to_wall_ns(std::uint64_t time) const override { return source_->to_wall_ns(time); }
  [[nodiscard]] std::vector<LossStage> loss() const override { return source_->loss(); }
  [[nodiscard]] const InterfaceTable& interfaces() const override { return source_->interfaces(); }
  [[nodiscard]] std::vector<std::string> notices() const override {
    auto notices = source_->notices();
    notices.insert(notices.begin(), name_);
    return notices;
  }

 private:
  SourcePointer source_;
  std::string name_;
};

Result<SourcePointer> open_entry(const FlowSourceEntry& entry, const FlowRequest& request, const std::string& reason) {
  auto checked = check_options(entry.name, entry.options, given_options(request.options));
  if (!checked) return std::unexpected(checked.error());
  auto source = entry.open(request);
  if (!source) return source;
  return std::make_unique<NamedSource>(std::move(*source), std::string("source ") + entry.name + reason);
}

Result<void> check_numbers(const FlowOptions& options) {
  if (options.max_flows == 0 || options.max_flows > most_flows)
    return fail(ErrorKind::usage,
                "--max-flows '" + std::to_string(options.max_flows) + "': expected 1 to " + std::to_string(most_flows));
  if (options.idle_timeout.count() <= 0) return fail(ErrorKind::usage, "--idle-timeout: expected more than no time");
  if (options.active_timeout.count() <= 0)
    return fail(ErrorKind::usage, "--active-timeout: expected more than no time");
  return {};
}

}  // namespace

Result<std::unique_ptr<pipeline::FlowSource>> open_flows(const FlowOptions& options, const FlowPackets& packets,
                                                         std::chrono::nanoseconds replay_step) {
  auto checked = check_numbers(options);
  if (!checked) return std::unexpected(checked.error());
  auto compiled = filter::compile(options.filter);
  if (!compiled) return std::unexpected(compiled.error());
  FlowRequest request{options, packets, {}, std::move(*compiled), replay_step};
  if (!reads_file(options)) {
    auto interfaces = flow_interfaces(options.interfaces);
    if (!interfaces) return std::unexpected(interfaces.error());
    request.interfaces = std::move(*interfaces);
  }
  if (options.source == "auto")
    return open_first(
        table, given_options(options), [&](const FlowSourceEntry& entry) { return entry.is_default(options); },
        [&](const FlowSourceEntry& entry, const std::string& reason) { return open_entry(entry, request, reason); });
  for (const auto& entry : table)
    if (entry.name == options.source) return open_entry(entry, request, "");
  return unknown_choice("--source", options.source, table, {"auto"});
}

}  // namespace sonde::registry
