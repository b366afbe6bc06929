// SPDX-License-Identifier: Apache-2.0
// Connections to the internet that stay open for hours and say nothing: a way in that waits. What waits by design is
// left out: by port, and inside one's own networks (pools of databases).
#include <fmt/core.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "detect/address.hpp"
#include "detect/bounded.hpp"
#include "detect/incidents.hpp"
#include "detect/process/process.hpp"
#include "detect/process/program.hpp"

namespace sonde::detect {

namespace {

constexpr std::size_t most_connections = 4096;
/// More than this in half a second is somebody at work.
constexpr std::uint64_t work_bytes = 2000;
constexpr std::uint8_t fin = 1, rst = 4, ack = 16;

struct Key {
  Endpoint low, high;
  friend bool operator==(const Key&, const Key&) = default;
};

struct KeyHash {
  std::size_t operator()(const Key& key) const { return combine(hash_of(key.low), hash_of(key.high)); }
};

struct Connection {
  std::int64_t first_ns = 0;
  std::int64_t idle_since_ns = 0;
  std::uint64_t bytes = 0;  ///< since then
  std::uint64_t packets = 0;
  Endpoint opener, service;
  SocketOwner owner;
};

/// ssh, IMAP, BGP, HTTPS (push), LDAP, VPNs, XMPP, push services, IRC, MQTT, AMQP.
bool waits_by_design(std::uint16_t port) {
  static constexpr std::array<std::uint16_t, 22> ports{22,   143,  179,  389,  443,  636,  853,  993,
                                                       1194, 1723, 1883, 3268, 5222, 5223, 5228, 5671,
                                                       5672, 6667, 6697, 8443, 8883, 51820};
  return std::ranges::find(ports, port) != ports.end();
}

class IdleDetector final : public Detector {
 public:
  explicit IdleDetector(const Context& context)
      : duration_ns_(to_ns(context.config.get("idle.duration"))),
        rate_(context.config.get("idle.rate")),
        connections_(most_connections),
        // Linux's keepalive is 7200 s: as long nobody knows whether it is still there.
        incidents_(context, 8000 * second_ns) {}

  void observe(const FlowSight& flow, const Report& /*report*/) override {
    if (flow.protocol != IPPROTO_TCP) return;
    const auto& [a, b] = flow.endpoints;
    const Key key = a < b ? Key{a, b} : Key{b, a};
    if ((flow.tcp_flags[0] | flow.tcp_flags[1]) & (fin | rst)) {
      connections_.erase(key);
      incidents_.over(KeyHash{}(key));
      return;
    }
    auto* connection = connections_.find(key);
    if (!connection) {
      const bool established = flow.start_seen && flow.tcp_flags[0] & flow.tcp_flags[1] & ack;
      if (!established || !goes_out(flow) || waits_by_design(b.port)) return;
      connection = &connections_.touch(key);
      connection->first_ns = connection->idle_since_ns = flow.first_wall_ns;
      connection->opener = a;
      connection->service = b;
    }
    if (flow.owner) connection->owner = *flow.owner;
    note(*connection, key, flow);
  }
  void advance(std::int64_t wall_ns, const Report& report) override { incidents_.advance(wall_ns, report); }
  void finish(std::int64_t wall_ns, const Report& report) override { incidents_.finish(wall_ns, report); }

 private:
  void note(Connection& connection, const Key& key, const FlowSight& flow) {
    connections_.touch(key);
    const auto bytes = flow.delta[0].bytes + flow.delta[1].bytes,
               packets = flow.delta[0].packets + flow.delta[1].packets;
    if (packets == 0) return;
    if (bytes > work_bytes) {
      connection.idle_since_ns = flow.wall_ns;
      connection.bytes = connection.packets = 0;
      incidents_.over(KeyHash{}(key));
      return;
    }
    connection.bytes += bytes;
    connection.packets += packets;
    const auto idle_ns = flow.wall_ns - connection.idle_since_ns;
    if (idle_ns < duration_ns_) return;
    const auto rate = static_cast<double>(connection.bytes) / (static_cast<double>(idle_ns) / 1e9);
    if (rate > rate_) return;
    incidents_.notice(KeyHash{}(key), flow.wall_ns, connection.first_ns,
                      [&](SecurityEvent& event) { describe(event, flow, connection, rate); });
  }

  static void describe(SecurityEvent& event, const FlowSight& flow, const Connection& connection, double rate) {
    event.kind = SecurityKind::long_idle;
    event.severity = Severity::info;
    event.outbound = flow.local[0] || flow.local[1];
    event.who = {connection.opener.address_text()};
    event.whom = {connection.service.text()};
    event.sources = event.targets = 1;
    event.owner = connection.owner;
    event.interface = flow.interface;
    const auto idle_ns = flow.wall_ns - connection.idle_since_ns;
    event.flows = {{.wall_ns = flow.wall_ns,
                    .protocol = IPPROTO_TCP,
                    .source = connection.opener,
                    .destination = connection.service,
                    .packets = connection.packets,
                    .bytes = connection.bytes}};
    event.summary = fmt::format("{} keeps a connection to {} open, idle for {}",
                                subject_of(connection.owner, connection.opener), event.whom[0], duration_text(idle_ns));
    event.evidence = {{"open_seconds", std::to_string((flow.wall_ns - connection.first_ns) / second_ns)},
                      {"idle_seconds", std::to_string(idle_ns / second_ns)},
                      {"bytes_per_second", fmt::format("{:.1f}", rate)}};
    event.response = fmt::format("sonde guard block {} --direction out --ttl 10m", connection.service.address_text());
  }

  std::int64_t duration_ns_;
  double rate_;
  Bounded<Key, Connection, KeyHash> connections_;
  Incidents incidents_;
};

}  // namespace

std::unique_ptr<Detector> make_idle_detector(const Context& context) { return std::make_unique<IdleDetector>(context); }

}  // namespace sonde::detect
