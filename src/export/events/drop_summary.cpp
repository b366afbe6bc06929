// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "export/events/drop.hpp"
#include "export/events/owner.hpp"
#include "export/events/sinks.hpp"
#include "export/json/summary.hpp"
#include "sonde/packet.hpp"

namespace sonde::exporter {
namespace {

using Json = nlohmann::ordered_json;

// Owners are many on a busy host; what does not fit is counted together.
constexpr std::size_t most_owners = 10'000;

struct OwnerCount {
  PacketCount count;
  SocketOwner owner;
};

struct DropCounts {
  std::map<std::pair<std::string, std::string>, PacketCount> reasons;  ///< by reason and function
  std::map<std::string, OwnerCount> owners;                            ///< by owner_text()
  PacketCount other_owners;

  void add(const Drop& drop);
};

void add_packet(PacketCount& count, const Drop& drop) {
  ++count.packets;
  count.bytes += drop.packet.packet_size;
}

void DropCounts::add(const Drop& drop) {
  add_packet(reasons[{drop.reason, drop.function}], drop);
  auto key = owner_text(drop.owner);
  auto found = owners.find(key);
  if (found == owners.end() && owners.size() < most_owners)
    found = owners.emplace(std::move(key), OwnerCount{{}, drop.owner}).first;
  add_packet(found == owners.end() ? other_owners : found->second.count, drop);
}

std::uint64_t packets_of(const PacketCount& count) { return count.packets; }
std::uint64_t packets_of(const OwnerCount& entry) { return entry.count.packets; }

/// Pointers to the entries, most packets first, then in the map's order.
template <class Map>
std::vector<const typename Map::value_type*> by_packets(const Map& map) {
  std::vector<const typename Map::value_type*> entries;
  entries.reserve(map.size());
  for (const auto& entry : map) entries.push_back(&entry);
  std::ranges::stable_sort(entries, std::greater{}, [](const auto* entry) { return packets_of(entry->second); });
  return entries;
}

std::string row(const PacketCount& count, const std::string& text) {
  return fmt::format("{:>12} {:>14}  {}\n", count.packets, count.bytes, text);
}

std::string heading(const char* what) { return fmt::format("{:>12} {:>14}  {}\n", "packets", "bytes", what); }

std::string host_text(const HostCounters& counters) {
  std::string text =
      "\nthe kernel's own counters meanwhile (softnet: of the host; the others: of sonde's network namespace)\n";
  if (counters.empty())
    return text + "  no loss in softnet, listen queues, queueing disciplines, interfaces and drivers\n";
  for (const auto& counter : counters)
    text += fmt::format("{:>12}  {} {} {}\n", counter.value, counter.source, counter.where, counter.name);
  return text;
}

std::string tables(const DropCounts& counts) {
  std::string text = heading("reason and function");
  for (const auto* entry : by_packets(counts.reasons))
    text += row(entry->second, fmt::format("{:<24} {}", entry->first.first, entry->first.second));
  text += "\n" + heading("owner");
  for (const auto* entry : by_packets(counts.owners)) text += row(entry->second.count, entry->first);
  if (counts.other_owners.packets > 0) text += row(counts.other_owners, "others");
  return text;
}

void add_count(Json& object, const PacketCount& count) {
  object["packets"] = count.packets;
  object["bytes"] = count.bytes;
}

Json reasons_json(const DropCounts& counts) {
  Json array = Json::array();
  for (const auto* entry : by_packets(counts.reasons)) {
    Json& object = array.emplace_back(Json::object());
    object["reason"] = entry->first.first;
    if (!entry->first.second.empty()) object["function"] = entry->first.second;
    add_count(object, entry->second);
  }
  return array;
}

Json owners_json(const DropCounts& counts) {
  Json array = Json::array();
  for (const auto* entry : by_packets(counts.owners)) {
    Json& object = array.emplace_back(Json::object());
    add_count(object, entry->second.count);
    add_owner(object, entry->second.owner);
  }
  return array;
}

Json host_json(const HostCounters& counters) {
  Json array = Json::array();
  for (const auto& counter : counters)
    array.push_back(
        {{"source", counter.source}, {"where", counter.where}, {"name", counter.name}, {"count", counter.value}});
  return array;
}

std::string report_json(const DropCounts& counts, const HostCounters* host, const pipeline::EventTotals& totals) {
  Json object = Json::parse(summary_json(totals));
  object["reasons"] = reasons_json(counts);
  object["owners"] = owners_json(counts);
  if (counts.other_owners.packets > 0) add_count(object["other_owners"], counts.other_owners);
  if (host != nullptr) object["host_counters"] = host_json(*host);
  return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::unique_ptr<pipeline::EventSink<Drop>> make_drop_summary(Output output, bool json,
                                                             std::function<HostCounters()> host_counters) {
  auto counts = std::make_shared<DropCounts>();
  const auto report = [counts, json, host_counters = std::move(host_counters)](const pipeline::EventTotals& totals) {
    const auto host = host_counters ? host_counters() : HostCounters{};
    if (json) return report_json(*counts, host_counters ? &host : nullptr, totals);
    return tables(*counts) + (host_counters ? host_text(host) : "");
  };
  return std::make_unique<ReportSink<Drop>>(
      std::move(output), [counts](const Drop& drop) { counts->add(drop); }, report);
}

std::unique_ptr<pipeline::EventSink<Drop>> make_drop_summary(Output output, bool json) {
  return make_drop_summary(std::move(output), json, {});
}

}  // namespace sonde::exporter
