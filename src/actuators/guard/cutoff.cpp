// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/cutoff.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "actuators/guard/model/decide.hpp"
#include "actuators/guard/network.hpp"

namespace sonde::guard {
namespace {

GuardPacket packet_of(const WorkConnection& connection, GuardDirection direction, const std::string& interface) {
  const bool in = direction == GuardDirection::in;
  const auto& source = in ? connection.remote : connection.local;
  const auto& destination = in ? connection.local : connection.remote;
  GuardPacket packet;
  packet.direction = direction;
  packet.size = 66;
  packet.family = connection.local.is_ipv4() ? 4 : 6;
  packet.source = source.address;
  packet.destination = destination.address;
  packet.protocol = IPPROTO_TCP;
  packet.source_port = source.port;
  packet.destination_port = destination.port;
  packet.interface = interface;
  return packet;
}

struct Probe {
  GuardDirection direction;
  bool opening;  ///< else a packet of the connection as it is
};
// The answer to an opening belongs to a connection of this host, whatever the rules are.
constexpr std::array probes{Probe{GuardDirection::in, false}, Probe{GuardDirection::out, false},
                            Probe{GuardDirection::in, true}};

// Its interface if the guard is on it. Else one below it may be guarded, such as the port of a bridge: all of them.
std::vector<std::string> interfaces_of(const WorkConnection& connection, std::span<const std::string> guarded) {
  if (std::ranges::find(guarded, connection.interface) != guarded.end()) return {connection.interface};
  return {guarded.begin(), guarded.end()};
}

// The peer is the remote end whichever way the packet goes. Of a million rules a few are left for the model.
std::vector<GuardRule> rules_about(const WorkConnection& connection, std::span<const GuardRule> rules) {
  std::vector<GuardRule> about;
  for (const auto& rule : rules)
    if (contains(rule.network, connection.remote.address)) about.push_back(rule);
  return about;
}

bool test(std::span<const GuardRule> rules, const WorkConnection& connection, const std::string& interface,
          std::int64_t now_wall_ns, std::vector<CutOff>& found) {
  for (const auto& [direction, opening] : probes) {
    auto packet = packet_of(connection, direction, interface);
    packet.established = !opening;
    packet.pure_syn = opening;
    const auto decision = decide(rules, packet, now_wall_ns);
    if (!decision.dropped || !decision.rule) continue;
    found.push_back({rules[*decision.rule].text(now_wall_ns), connection.text(), connection.own, opening});
    return true;
  }
  return false;
}

}  // namespace

std::vector<CutOff> find_cut_off(std::span<const GuardRule> rules, std::span<const WorkConnection> connections,
                                 std::span<const std::string> interfaces, std::int64_t now_wall_ns) {
  std::vector<CutOff> found;
  for (const auto& connection : connections) {
    const auto about = rules_about(connection, rules);
    for (const auto& interface : interfaces_of(connection, interfaces))
      if (test(about, connection, interface, now_wall_ns, found)) break;
  }
  return found;
}

std::string describe(const CutOff& cut_off) {
  const auto connection =
      (cut_off.own ? "your own connection, " : "the SSH connection of somebody who is logged in, ") +
      cut_off.connection;
  const auto what = cut_off.later ? "would not let " + connection + ", be opened again" : "would cut off " + connection;
  return "'" + cut_off.rule + "' " + what;
}

Result<void> refuse_cut_off(std::span<const CutOff> cut_off) {
  if (cut_off.empty()) return {};
  return fail(ErrorKind::failed, describe(cut_off.front()) + "; nothing was changed",
              "`sonde guard never ADDRESS` keeps an address safe; --force does it all the same");
}

}  // namespace sonde::guard
