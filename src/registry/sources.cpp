// SPDX-License-Identifier: Apache-2.0
#include "registry/sources.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <string_view>
#include <thread>

#include "registry/choices.hpp"
#include "registry/source_options.hpp"
#include "replay/file_source.hpp"
#include "sensors/afpacket/afpacket.hpp"
#include "sensors/packets/packets.hpp"

namespace sonde::registry {
namespace {

constexpr std::array<NamedValue<packets::XdpChoice>, 4> xdp_modes = {{{"off", packets::XdpChoice::off},
                                                                      {"auto", packets::XdpChoice::automatic},
                                                                      {"native", packets::XdpChoice::native},
                                                                      {"generic", packets::XdpChoice::generic}}};
constexpr std::array<NamedValue<sonde_transport>, 2> transports = {
    {{"ring", SONDE_TRANSPORT_RING}, {"perf", SONDE_TRANSPORT_PERF}}};

Result<std::uint32_t> ring_count(const CaptureOptions& options) {
  constexpr std::uint32_t most = 256;
  const auto rings = options.rings.value_or(1);
  if (rings == 0) return std::min(most, std::bit_ceil(std::max(1U, std::thread::hardware_concurrency())));
  if (rings > most || !std::has_single_bit(rings))
    return fail(ErrorKind::usage, "--rings '" + std::to_string(rings) + "': expected a power of two up to 256, or cpu");
  return rings;
}

bool asks_for_owners(const CaptureOptions& options) {
  return options.owners.value_or(false) || !owner_options(options.owner).empty();
}

// XDP sees neither the socket of a packet nor what is kept with one.
Result<packets::OwnersChoice> owners_choice(const SourceRequest& request, packets::XdpChoice xdp) {
  const auto& options = request.options;
  const auto given = owner_options(options.owner);
  if (!given.empty() && !options.owners.value_or(true))
    return fail(ErrorKind::usage, std::string(given.front()) + ": owners are off by --no-owners");
  if (!options.owner.filter.empty() && xdp != packets::XdpChoice::off)
    return fail(ErrorKind::usage, std::string(given.front()) + ": XDP cannot tell the owner of a received packet",
                "expected --xdp-mode off");
  if (asks_for_owners(options)) return packets::OwnersChoice::required;
  const bool shown = options.owners.value_or(true) && request.show_owners && xdp == packets::XdpChoice::off;
  return shown ? packets::OwnersChoice::automatic : packets::OwnersChoice::off;
}

Result<std::unique_ptr<pipeline::Source>> open_ebpf(const SourceRequest& request) {
  const auto& options = request.options;
  const auto xdp = xdp_choice(options.xdp_mode.value_or("off"));
  if (!xdp) return std::unexpected(xdp.error());
  const auto transport = choose("--transport", options.transport.value_or("ring"), transports);
  if (!transport) return std::unexpected(transport.error());
  const auto rings = ring_count(options);
  if (!rings) return std::unexpected(rings.error());
  const auto owners = owners_choice(request, *xdp);
  if (!owners) return std::unexpected(owners.error());
  packets::PacketsOptions packets;
  packets.interfaces = request.interfaces;
  packets.program.filter = request.filter;
  packets.program.capture_bytes = request.capture_bytes;
  packets.program.snaplen = request.snaplen;
  packets.program.transport = *transport;
  packets.program.rings = *rings;
  packets.owners = *owners;
  packets.owner = options.owner;
  packets.attach.xdp = *xdp;
  packets.attach.receive = options.filter.direction != "out";
  packets.attach.send = options.filter.direction != "in";
  if (options.buffer_bytes) packets.buffer_bytes = *options.buffer_bytes;
  return packets::open(std::move(packets));
}

Result<std::unique_ptr<pipeline::Source>> open_afpacket(const SourceRequest& request) {
  afpacket::AfPacketOptions options;
  options.interfaces = request.interfaces;
  options.filter = request.filter;
  options.snaplen = request.capture_bytes ? request.snaplen : 0;
  options.promiscuous = request.options.promiscuous.value_or(true);
  options.workers = request.options.workers.value_or(1);
  if (request.options.buffer_bytes) options.ring_bytes = *request.options.buffer_bytes;
  return afpacket::open_afpacket(std::move(options));
}

Result<std::unique_ptr<pipeline::Source>> open_file(const SourceRequest& request) {
  if (request.options.read_file.empty()) return fail(ErrorKind::usage, "--source file: expected -r FILE");
  return replay::open_file(request.options.read_file,
                           {.filter = request.filter, .snaplen = request.capture_bytes ? request.snaplen : 0});
}

bool reads_file(const CaptureOptions& options) { return !options.read_file.empty(); }
bool reads_interfaces(const CaptureOptions& options) { return options.read_file.empty(); }
bool leaves_ebpf_open(const CaptureOptions& options) {
  return reads_interfaces(options) && !options.xdp_mode && !options.transport && !options.rings &&
         !asks_for_owners(options);
}

constexpr const char* file_options[] = {"-r"};
constexpr const char* ebpf_options[] = {"-i",          "--xdp-mode", "--transport",      "--rings",
                                        "--buffer",    "--pid",      "--process",        "--user",
                                        "--container", "--hook",     "--owner-map-size", "owners"};
constexpr const char* afpacket_options[] = {"-i", "--workers", "--no-promiscuous", "--buffer"};

bool leaves_afpacket_open(const CaptureOptions& options) {
  return reads_interfaces(options) && !options.workers && !options.promiscuous;
}

constexpr SourceEntry table[] = {
    {"file", "replays a pcap or pcapng file (-r), without root", open_file, reads_file, file_options},
    {"ebpf", "XDP or tc ingress for received packets, tc egress for sent ones; filters in the kernel", open_ebpf,
     leaves_afpacket_open, ebpf_options},
    {"afpacket", "AF_PACKET sockets with TPACKET_V3 rings, where eBPF is not to be had", open_afpacket,
     leaves_ebpf_open, afpacket_options},
};

std::vector<std::string_view> given_options(const CaptureOptions& options) {
  GivenOptions given;
  given.add(!options.interfaces.empty(), "-i");
  given.add(!options.read_file.empty(), "-r");
  given.add(options.xdp_mode.has_value(), "--xdp-mode");
  given.add(options.transport.has_value(), "--transport");
  given.add(options.rings.has_value(), "--rings");
  given.add(options.workers.has_value(), "--workers");
  given.add(options.promiscuous.has_value(), "--no-promiscuous");
  given.add(options.buffer_bytes.has_value(), "--buffer");
  given.add(options.owners.value_or(false), "owners");
  given.add(owner_options(options.owner));
  return given.all();
}

Result<OpenedSource> open_entry(const SourceEntry& entry, const SourceRequest& request, std::string reason) {
  auto checked = check_options(entry.name, entry.options, given_options(request.options));
  if (!checked) return std::unexpected(checked.error());
  auto source = entry.open(request);
  if (!source) return std::unexpected(source.error());
  return OpenedSource{std::move(*source), std::string("source ") + entry.name + std::move(reason)};
}

}  // namespace

std::span<const SourceEntry> sources() { return table; }

Result<packets::XdpChoice> xdp_choice(const std::string& word) { return choose("--xdp-mode", word, xdp_modes); }

Result<OpenedSource> open_source(const std::string& name, const SourceRequest& request) {
  if (name == "auto")
    return open_first(
        table, given_options(request.options),
        [&](const SourceEntry& entry) { return entry.is_default(request.options); },
        [&](const SourceEntry& entry, std::string reason) { return open_entry(entry, request, std::move(reason)); });
  for (const auto& entry : table)
    if (entry.name == name) return open_entry(entry, request, "");
  return unknown_choice("--source", name, table, {"auto"});
}

}  // namespace sonde::registry
