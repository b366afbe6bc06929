// SPDX-License-Identifier: Apache-2.0
// Connections on the wire, with or without a proxy that runs.
#include "actuators/proxy/server/wire_record.hpp"
#include "actuators/proxy/stats/record_line.hpp"
#include "actuators/proxy/wire/left_behind.hpp"
#include "actuators/proxy/wire/listing.hpp"
#include "sonde/proxy.hpp"

namespace sonde {
namespace {

// Null: there is none.
Result<std::unique_ptr<proxy::Table>> find_table() {
  auto table = proxy::Table::find();
  if (table) return table;
  auto error = table.error();
  if (error.kind == ErrorKind::unsupported && error.hint.empty()) error.hint = "run it as root";
  return std::unexpected(std::move(error));
}

ProxyWireConnection named(proxy::ListedConnection listed) {
  auto& connection = listed.connection;
  const proxy::WireEnds ends{.client = connection.client,
                             .proxy_to_client = connection.listener,
                             .proxy_to_upstream = connection.proxy,
                             .upstream = connection.upstream};
  if (const auto record = proxy::read_wire_record(listed.record, ends)) {
    connection.server_name = record->server_name;
    connection.route = record->route;
  }
  return std::move(connection);
}

/// What was counted goes nowhere: there are no statistics without a proxy.
class Lines : public proxy::WireObserver {
 public:
  explicit Lines(const ProxyWireWatch& watch) : watch_(watch) {}

 private:
  void adopted(std::uint32_t, const std::string&) override {}
  void moved(std::uint32_t, std::uint64_t, std::uint64_t) override {}
  void ended(std::uint32_t, const proxy::WireEnd& end) override {
    if (watch_.ended) watch_.ended(proxy::record_line(proxy::finished_record(end)));
  }
  const ProxyWireWatch& watch_;
};

}  // namespace

Result<std::vector<ProxyWireConnection>> list_wire_connections() {
  const auto table = find_table();
  if (!table) return std::unexpected(table.error());
  std::vector<ProxyWireConnection> connections;
  if (!*table) return connections;
  for (auto& listed : proxy::list_table(**table)) connections.push_back(named(std::move(listed)));
  return connections;
}

Result<std::uint32_t> drain_wire(const ProxyConfig& config, const ProxyWireWatch& watch) {
  const auto table = find_table();
  if (!table) return std::unexpected(table.error());
  if (!*table) return std::uint32_t{0};
  Lines lines(watch);
  const proxy::WireLimits limits{
      .idle = config.timeouts.idle, .half_closed = config.timeouts.half_closed, .max_age = config.wire.max_age};
  return proxy::drain_left_behind(**table, limits, lines,
                                  [&](std::uint32_t left) { return !watch.waiting || watch.waiting(left); });
}

Result<std::optional<std::uint32_t>> abort_wire(const ProxyWireWatch& watch) {
  using Count = std::optional<std::uint32_t>;
  const auto table = find_table();
  if (!table && table.error().kind == ErrorKind::failed) {
    if (auto removed = proxy::remove_unreadable_table(); !removed) return std::unexpected(removed.error());
    return Count{};
  }
  if (!table) return std::unexpected(table.error());
  if (!*table) return Count{0};
  Lines lines(watch);
  const auto count = proxy::abort_left_behind(**table, lines);
  if (!count) return std::unexpected(count.error());
  return Count{*count};
}

}  // namespace sonde
