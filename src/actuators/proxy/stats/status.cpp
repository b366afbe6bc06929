// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "actuators/proxy/stats/report.hpp"
#include "actuators/proxy/stats/trackers.hpp"
#include "actuators/proxy/stats/words.hpp"

namespace sonde::proxy {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t top_clients = 10;

Json members_of(const Traffic& traffic) {
  return {{"bytes_received", traffic.received}, {"bytes_sent", traffic.sent}, {"connections", traffic.connections}};
}

// The 13 of the original sni-proxy and its uptime, by the same names.
Json statistics_of(const Statistics& statistics) {
  Json members;
  for (std::size_t i = 0; i < static_cast<std::size_t>(Counter::bypassed); ++i) {
    const auto counter = static_cast<Counter>(i);
    members[counter_name(counter)] = statistics.sum(counter);
    if (counter == Counter::total_connections) members["active_connections"] = statistics.active();
  }
  const std::chrono::duration<double> uptime = std::chrono::steady_clock::now() - statistics.started();
  members["uptime_seconds"] = std::round(uptime.count() * 1000) / 1000;
  return members;
}

Json refusals_of(const Statistics& statistics) {
  Json members;
  for (std::size_t i = 1; i < static_cast<std::size_t>(Refusal::count); ++i)
    members[refusal_name(static_cast<Refusal>(i))] = statistics.sum(static_cast<Refusal>(i));
  return members;
}

Json paths_of(const Statistics& statistics, const ReportFacts& facts) {
  Json paths = Json::array();
  for (const auto& [path, counter] : path_counters) {
    Json one{{"path", proxy_forwarding_name(path)}, {"connections", statistics.sum(counter)}};
    const auto state = std::ranges::find(facts.paths, path, &ProxyPathState::path);
    if (state != facts.paths.end()) {
      one["on"] = state->on;
      one["reason"] = state->reason;
    }
    paths.push_back(std::move(one));
  }
  return paths;
}

Json clients_of(const ClientTraffic& clients) {
  ClientSums sums = clients.sums();
  const Traffic total = sums.total();
  const std::size_t tracked = sums.clients.size();
  sums.sort();
  Json top = Json::array();
  for (std::size_t i = 0; i < std::min(top_clients, tracked); ++i) {
    Json one{{"address", sums.clients[i].client.address_text()}};
    one.update(members_of(sums.clients[i].traffic));
    top.push_back(std::move(one));
  }
  Json others = members_of(sums.others);
  others["departures"] = sums.departures;
  return {{"tracked", tracked},
          {"max_tracked_ips", clients.limit()},
          {"top", std::move(top)},
          {"others", std::move(others)},
          {"total", members_of(total)}};
}

Json upstreams_of(const ReportFacts& facts) {
  Json upstreams = Json::array();
  for (const auto& one : facts.upstreams) {
    Json members{{"route", one.route}, {"upstream", one.upstream}};
    if (one.checked) members["up"] = one.up;  // without health checks nobody knows
    members["connections"] = one.connections;
    upstreams.push_back(std::move(members));
  }
  return upstreams;
}

Json wire_of(const WireFacts& wire) {
  Json members{{"connections", wire.connections},
               {"capacity", wire.capacity},
               {"joined", wire.joined},
               {"adopted", wire.adopted}};
  Json refused = Json::object();
  for (const auto& [reason, count] : wire.refused) refused[reason] = count;
  members["refused"] = std::move(refused);
  members["packets"] = wire.statistics.packets;
  members["bytes"] = wire.statistics.bytes;
  for (const auto& [name, value] : wire_counters) members[name] = wire.statistics.*value;
  Json interfaces = Json::array();
  for (const auto& interface : wire.interfaces) {
    Json one{{"name", interface.name}};
    if (!interface.hook.empty()) one["hook"] = interface.hook;
    if (!interface.failure.empty()) one["failure"] = interface.failure;
    interfaces.push_back(std::move(one));
  }
  members["interfaces"] = std::move(interfaces);
  return members;
}

}  // namespace

std::string status_json(const Statistics& statistics, const ReportFacts& facts) {
  const auto& trackers = statistics.trackers();
  Json status{{"name", "sonde proxy"},
              {"version", SONDE_VERSION},
              {"pid", ::getpid()},
              {"started", time_text(statistics.started_wall_ns())},
              {"draining", facts.draining},
              {"workers", facts.workers},
              {"listeners", facts.listeners},
              {"statistics", statistics_of(statistics)},
              {"refusals", refusals_of(statistics)},
              {"ends", trackers.ends()},
              {"forwarding", paths_of(statistics, facts)},
              {"upstreams", upstreams_of(facts)},
              {"dns_cache", {{"capacity", facts.dns_cache_capacity}, {"in_kernel", facts.dns_cache_in_kernel}}},
              {"reloads", facts.reloads},
              {"failed_reloads", facts.failed_reloads}};
  if (!facts.client_filter.empty())
    status["client_filter"] = {{"state", facts.client_filter},
                               {"packets_passed", facts.filter_passed},
                               {"packets_dropped", facts.filter_dropped}};
  if (facts.wire) status["wire"] = wire_of(*facts.wire);
  if (trackers.clients) status["clients"] = clients_of(*trackers.clients);
  if (trackers.domains)
    status["domains"] = {{"tracked", trackers.domains->size()}, {"departures", trackers.domains->departures()}};
  if (trackers.access_log)
    status["access_log"] = {{"lines_written", trackers.access_log->written()},
                            {"lines_lost", trackers.access_log->lost()}};
  return status.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace sonde::proxy
