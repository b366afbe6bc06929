// SPDX-License-Identifier: Apache-2.0
#include "watch/evidence.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>

#include "actuators/guard/network.hpp"
#include "export/sinks.hpp"
#include "filter/filter.hpp"
#include "replay/file_source.hpp"

namespace sonde::watch {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::uint16_t ether_type_arp = 0x0806;
// One filter takes no more networks (abi/sonde/abi/filter.h); an event names at most ten.
constexpr std::size_t most_addresses = 10;

// "192.0.2.1", "192.0.2.1:443", "[2001:db8::1]:443"
std::optional<Address> address_in(std::string_view word) {
  if (word.starts_with('[')) word = word.substr(1, word.find(']') - 1);
  if (std::ranges::count(word, ':') == 1) word = word.substr(0, word.find(':'));
  const auto network = guard::parse_network(word);
  if (!network || network->length != 128) return {};
  return network->address;
}

std::vector<Address> addresses_in(const std::vector<std::string>& words) {
  std::vector<Address> addresses;
  for (const auto& word : words) {
    const auto address = address_in(word);
    const bool is_new = address && std::ranges::find(addresses, *address) == addresses.end();
    if (is_new && addresses.size() < most_addresses) addresses.push_back(*address);
  }
  return addresses;
}

bool is_endpoint_of(const sonde_packet_event& event, const Address& address) {
  return std::ranges::equal(event.source_address, address) || std::ranges::equal(event.destination_address, address);
}

bool matches(const EvidencePackets& wanted, const sonde_packet_event& event) {
  if (wanted.arp) return event.ether_type == ether_type_arp;
  if ((event.flags & (SONDE_PACKET_IPV4 | SONDE_PACKET_IPV6)) == 0) return false;
  return std::ranges::any_of(wanted.addresses, [&](const auto& address) { return is_endpoint_of(event, address); });
}

}  // namespace

std::string evidence_name(const SecurityEvent& event) {
  const auto seconds = static_cast<std::time_t>(event.first_wall_ns / second_ns);
  return fmt::format("{:%Y%m%dT%H%M%SZ}-{}-{}.pcapng", fmt::gmtime(seconds), security_kind_name(event.kind), event.id);
}

EvidencePackets evidence_packets(const SecurityEvent& event) {
  EvidencePackets packets;
  packets.arp = event.kind == SecurityKind::arp_spoof;
  if (packets.arp) return packets;
  const bool names_sources = event.sources <= event.who.size() && !event.outbound;
  packets.addresses = addresses_in(names_sources ? event.who : event.whom);
  if (packets.addresses.empty()) packets.addresses = addresses_in(event.who);
  return packets;
}

FilterOptions EvidencePackets::filter() const {
  FilterOptions filter;
  if (arp) filter.expression = "arp";
  for (const auto& address : addresses) filter.networks.push_back(Endpoint{address, 0}.address_text());
  return filter;
}

void FileEvidence::take(const SecurityEvent& event, const std::string& path) {
  auto& wanted = events_[event.id];
  const auto packets = evidence_packets(event);
  wanted.packets.arp = packets.arp;
  for (const auto& address : packets.addresses)
    if (std::ranges::find(wanted.packets.addresses, address) == wanted.packets.addresses.end())
      wanted.packets.addresses.push_back(address);
  wanted.first_ns = event.first_wall_ns;
  wanted.last_ns = std::max(event.last_wall_ns, event.wall_ns);
  if (!path.empty()) wanted.path = path;
}

Result<void> FileEvidence::write(const std::string& capture_file, const Limits& limits) const {
  struct File {
    const Wanted* wanted;
    std::unique_ptr<pipeline::Sink> sink;
    pipeline::Summary summary;
    std::uint64_t packets = 0;
  };
  std::vector<File> files;
  for (const auto& [id, wanted] : events_) {
    auto output = exporter::open_output(wanted.path);
    if (!output) return std::unexpected(output.error());
    files.push_back({&wanted, exporter::make_pcapng_sink(std::move(*output), {limits.snaplen, ""}), {}, 0});
  }
  auto filter = filter::compile({});
  if (!filter) return std::unexpected(filter.error());
  auto source = replay::open_file(capture_file, {std::move(*filter), limits.snaplen});
  if (!source) return std::unexpected(source.error());
  pipeline::PacketBatch batch;
  while (!(*source)->finished()) {
    // What stands behind damage was not looked at either.
    if (!(*source)->read(batch, std::chrono::milliseconds{100})) break;
    for (const auto& packet : batch.view())
      for (auto& file : files) {
        const auto& wanted = *file.wanted;
        const bool in_time = packet.wall_ns >= wanted.first_ns && packet.wall_ns <= wanted.last_ns;
        if (!in_time || file.packets >= limits.packets || !matches(wanted.packets, *packet.event)) continue;
        ++file.packets;
        if (auto done = file.sink->write({&packet, 1}, (*source)->interfaces()); !done) return done;
      }
  }
  for (auto& file : files)
    if (auto done = file.sink->finish(file.summary); !done) return done;
  return {};
}

}  // namespace sonde::watch
