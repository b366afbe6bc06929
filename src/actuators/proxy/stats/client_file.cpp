// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/stats/client_file.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "actuators/proxy/process/log.hpp"
#include "actuators/proxy/stats/words.hpp"

namespace sonde::proxy {
namespace {

using Json = nlohmann::ordered_json;

Json members_of(const Traffic& traffic) {
  return {{"bytes_received", traffic.received}, {"bytes_sent", traffic.sent}, {"connections", traffic.connections}};
}

// Absent: 0.
bool read_number(const nlohmann::json& object, const char* name, std::uint64_t& number) {
  const auto found = object.find(name);
  if (found == object.end()) return true;
  if (!found->is_number_unsigned()) return false;
  number = found->get<std::uint64_t>();
  return true;
}

bool read_traffic(const nlohmann::json& object, Traffic& traffic) {
  return object.is_object() && read_number(object, "bytes_received", traffic.received) &&
         read_number(object, "bytes_sent", traffic.sent) && read_number(object, "connections", traffic.connections);
}

// What the file says. One that is broken gets another name, so that nobody's numbers are overwritten.
Result<ClientSums> read_or_set_aside(StateFile& file) {
  const auto text = file.read();
  if (!text) return std::unexpected(text.error());
  auto stored = parse_persistent(*text);
  if (stored) return stored;
  const auto aside = file.set_aside();
  if (!aside)
    return fail(ErrorKind::failed, fmt::format("{}: {}, and it cannot be set aside: {}", file.path(),
                                               stored.error().message, aside.error().text()));
  log(LogLevel::warn, "statistics", "{}: {}; set aside as {}, the clients' traffic begins at zero", file.path(),
      stored.error().message, *aside);
  return ClientSums{};
}

Result<void> save_locked(StateFile& file, ClientTraffic& clients, std::int64_t now_seconds) {
  auto stored = read_or_set_aside(file);
  if (!stored) return std::unexpected(stored.error());
  merge(*stored, clients.begin_save());
  stored->trim(clients.limit());
  if (auto written = file.write(persistent_text(*stored, now_seconds), true); !written) return written;
  clients.settle(*stored);
  return {};
}

}  // namespace

std::string client_file_text(ClientSums sums, std::size_t limit, std::int64_t now_ns) {
  sums.sort();
  Json clients = Json::array();
  for (const ClientEntry& entry : sums.clients) {
    Json one{{"address", entry.client.address_text()}};
    one.update(members_of(entry.traffic));
    one["bytes_total"] = entry.traffic.bytes();
    if (entry.last_active != 0) one["last_active"] = time_text(entry.last_active * 1'000'000'000);
    clients.push_back(std::move(one));
  }
  Json others = members_of(sums.others);
  others["departures"] = sums.departures;
  const Json file{{"written_at", time_text(now_ns)},
                  {"max_tracked_ips", limit},
                  {"clients", std::move(clients)},
                  {"others", std::move(others)},
                  {"total", members_of(sums.total())}};
  return file.dump(1) + "\n";
}

std::string persistent_text(const ClientSums& sums, std::int64_t now_seconds) {
  Json stats = Json::object();
  for (const ClientEntry& entry : sums.clients) {
    Json one = members_of(entry.traffic);
    one["last_active"] = entry.last_active;
    stats[entry.client.address_text()] = std::move(one);
  }
  const Json file{{"saved_at", now_seconds}, {"stats", std::move(stats)}, {"others", members_of(sums.others)}};
  return file.dump(1) + "\n";
}

Result<ClientSums> parse_persistent(std::string_view text) {
  ClientSums sums;
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return sums;
  const auto file = nlohmann::json::parse(text, nullptr, false);
  if (file.is_discarded()) return fail(ErrorKind::failed, "is not JSON");
  const auto stats = file.is_object() ? file.find("stats") : file.end();
  if (!file.is_object() || stats == file.end() || !stats->is_object())
    return fail(ErrorKind::failed, "has no object \"stats\"");
  for (const auto& [name, value] : stats->items()) {
    const auto client = parse_client_address(name);
    if (!client) return fail(ErrorKind::failed, fmt::format("stats: \"{}\": expected an address", name));
    ClientEntry entry{.client = *client, .traffic = {}};
    std::uint64_t last_active = 0;
    if (!read_traffic(value, entry.traffic) || !read_number(value, "last_active", last_active))
      return fail(ErrorKind::failed, fmt::format("stats: \"{}\": expected numbers", name));
    entry.last_active = static_cast<std::int64_t>(last_active);
    sums.clients.push_back(entry);
  }
  if (const auto others = file.find("others"); others != file.end())
    if (!read_traffic(*others, sums.others)) return fail(ErrorKind::failed, "others: expected numbers");
  return sums;
}

Result<void> load_clients(StateFile& file, ClientTraffic& clients) {
  if (auto locked = file.lock(); !locked) return locked;
  auto stored = read_or_set_aside(file);
  file.unlock();
  if (!stored) return std::unexpected(stored.error());
  stored->trim(clients.limit());
  clients.settle(*stored);
  return {};
}

Result<void> save_clients(StateFile& file, ClientTraffic& clients, std::int64_t now_seconds) {
  if (auto locked = file.lock(); !locked) return locked;
  auto saved = save_locked(file, clients, now_seconds);
  file.unlock();
  return saved;
}

}  // namespace sonde::proxy
