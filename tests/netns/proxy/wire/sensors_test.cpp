// SPDX-License-Identifier: Apache-2.0
// What sonde shows of connections on the wire: `sonde flows` on the proxy's host, `sonde retrans` where the peers are.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <thread>

#include "harness/command.hpp"
#include "on_the_wire.hpp"

namespace sonde::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t much = 2 << 20;

/// `sonde COMMAND -o json`.
class Sensor {
 public:
  Sensor(const NetworkNamespace& where, const std::string& command, std::vector<std::string> options,
         const std::string& ready)
      : process_(where, words(command, std::move(options))) {
    EXPECT_TRUE(process_.wait_for_error_text(ready, proxy_patience)) << process_.errors();
  }
  /// Its objects of this type. It has ended well, and lost nothing.
  std::vector<Json> finish(const std::string& type) {
    process_.signal(SIGINT);
    EXPECT_EQ(process_.wait(proxy_patience), 0) << process_.errors();
    std::vector<Json> objects;
    for (const auto& line : lines_of(process_.output())) {
      auto object = Json::parse(line);
      if (object.at("type") == "summary") {
        EXPECT_EQ(object.at("loss").at("lost"), 0) << object;
      }
      if (object.at("type") == type) objects.push_back(std::move(object));
    }
    return objects;
  }

 private:
  static std::vector<std::string> words(const std::string& command, std::vector<std::string> options) {
    options.insert(options.begin(), {SONDE_PROGRAM, command, "-o", "json"});
    return options;
  }
  Process process_;
};

/// What the end at this address has sent, of the flow that was seen on this interface.
Json end_of_flow(const std::vector<Json>& flows, const std::string& interface, const std::string& address) {
  for (const auto& flow : flows)
    for (const auto* end : {"opener", "responder"})
      if (flow.at("interface") == interface && flow.at(end).at("address") == address) return flow.at(end);
  ADD_FAILURE() << "nothing of " << address << " on " << interface;
  return Json::object();
}

// Each packet once as it comes and once as it leaves: on either interface as many as the wire has counted.
TEST(WireSensors, FlowsCountPacketsOnBothInterfaces) {
  const WiredHosts hosts;
  OnTheWire wire(hosts);
  auto conversation = wire.joined();
  std::this_thread::sleep_for(300ms);  // an acknowledgement may be late
  const auto before = wire_connection(hosts.proxy, conversation.client_end);
  ASSERT_TRUE(before);
  Sensor sensor(hosts.proxy, "flows", {"-i", "west", "-i", "east", "tcp"}, "sonde: source");
  EXPECT_TRUE(conversation.talk(much));
  std::this_thread::sleep_for(300ms);
  const auto flows = sensor.finish("flow");
  const auto after = wire_connection(hosts.proxy, conversation.client_end);
  ASSERT_TRUE(after);
  ASSERT_EQ(flows.size(), 2U);
  const std::tuple<const char*, const char*, sonde_wire_side> seen[] = {
      {"west", "10.8.1.1", SONDE_WIRE_CLIENT},    // from the client
      {"east", "10.8.2.2", SONDE_WIRE_CLIENT},    // rewritten, to the upstream
      {"east", "10.8.2.1", SONDE_WIRE_UPSTREAM},  // from the upstream
      {"west", "10.8.1.2", SONDE_WIRE_UPSTREAM}};
  for (const auto& [interface, address, side] : seen) {
    const auto end = end_of_flow(flows, interface, address);
    EXPECT_EQ(end.at("total").at("packets"), after->sides[side].packets - before->sides[side].packets) << end;
    EXPECT_GT(end.at("total").at("bytes"), much) << end;
    EXPECT_EQ(end.at("retransmissions"), after->sides[side].repeated - before->sides[side].repeated) << end;
  }
}

/// What TcpRetransSegs has grown by.
class Retransmitted {
 public:
  explicit Retransmitted(const NetworkNamespace& where) : where_(where), before_(now()) {}
  [[nodiscard]] std::uint64_t grown() const { return now() - before_; }
  [[nodiscard]] std::uint64_t inode() const { return std::stoull(where_.run("stat -Lc %i /proc/self/ns/net")); }

 private:
  [[nodiscard]] std::uint64_t now() const { return kernel_counter(where_, "TcpRetransSegs"); }
  const NetworkNamespace& where_;
  std::uint64_t before_;
};

// Peers retransmit to each other, and the proxy's host nothing: whose peers are on its own host, in containers, sees
// theirs there. Each is an event as of any connection, with the ends that the peer knows.
TEST(WireSensors, RetransmissionsAreThePeers) {
  const Badness bad{.lost = 0.02, .delay = 200us};
  const WiredHosts hosts({}, bad);
  OnTheWire wire(hosts);
  auto conversation = wire.joined();
  Sensor sensor(hosts.proxy, "retrans", {}, "owners by ");
  const Retransmitted client(hosts.client), proxy(hosts.proxy), server(hosts.server);
  EXPECT_TRUE(conversation.talk(much));
  std::this_thread::sleep_for(300ms);  // for the last acknowledgement
  const auto of_client = client.grown(), of_proxy = proxy.grown(), of_server = server.grown();
  const std::map<std::uint64_t, std::string> remotes = {{client.inode(), proxy_ipv4}, {server.inode(), "10.8.2.2"}};
  std::map<std::uint64_t, std::uint64_t> segments;  // by namespace
  for (const auto& event : sensor.finish("retransmission")) {
    const auto where = event.at("network_namespace").get<std::uint64_t>();
    segments[where] += event.at("segments").get<std::uint64_t>() + event.value("unreported", std::uint64_t{0});
    const auto remote = remotes.find(where);
    if (remote != remotes.end()) {
      EXPECT_EQ(event.at("remote"), remote->second) << event;
    }
  }
  EXPECT_GT(of_client, 0U);
  EXPECT_GT(of_server, 0U);
  EXPECT_EQ(of_proxy, 0U);
  EXPECT_EQ(segments[client.inode()], of_client);
  EXPECT_EQ(segments[server.inode()], of_server);
  EXPECT_EQ(segments[proxy.inode()], 0U);
  const auto connection = wire_connection(hosts.proxy, conversation.client_end);
  ASSERT_TRUE(connection);
  EXPECT_GT(connection->sides[SONDE_WIRE_CLIENT].repeated, 0U);
}

}  // namespace
}  // namespace sonde::test
