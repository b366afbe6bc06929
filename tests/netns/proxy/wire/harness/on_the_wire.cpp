// SPDX-License-Identifier: Apache-2.0
#include "on_the_wire.hpp"

#include <gtest/gtest.h>

namespace sonde::test {
namespace {

Json config_of(const WireOfHosts& options) {
  auto config = wired_config(wire_forwarding(), options.client_ipv6, options.server_ipv6);
  config.update(options.more);
  return config;
}

}  // namespace

OnTheWire::OnTheWire(const WiredHosts& hosts, const WireOfHosts& options)
    : hosts_(hosts),
      options_(options),
      server_at_(endpoint_at(options.server_ipv6 ? server_ipv6 : server_ipv4, server_port)),
      listening_(hosts.server, server_at_, options.prepare_listener),
      proxy_(std::make_unique<Proxied>(hosts.proxy, config_of(options))) {}

void OnTheWire::start_anew() {
  proxy_.reset();
  proxy_ = std::make_unique<Proxied>(hosts_.proxy, config_of(options_));
  ended_ = 0;
}

Conversation OnTheWire::relayed(const Meeting& meeting) {
  auto where = meeting;
  where.proxy = endpoint_at(options_.client_ipv6 ? proxy_ipv6 : proxy_ipv4, proxy_port);
  auto conversation = meet(hosts_.client, listening_, where);
  EXPECT_TRUE(conversation.talk());
  return conversation;
}

Conversation OnTheWire::joined(const Meeting& meeting) {
  auto conversation = relayed(meeting);
  EXPECT_TRUE(comes_to_the_wire(hosts_.proxy, conversation.client_end));
  EXPECT_TRUE(conversation.talk());
  return conversation;
}

void OnTheWire::expect_end(const Conversation& conversation, const std::string& end, const std::string& path) {
  const auto line = proxy_->log(++ended_).back();
  EXPECT_EQ(line.at("end"), end) << line;
  EXPECT_EQ(line.at("client"), conversation.client_end.text()) << line;
  EXPECT_EQ(line.at("bytes_received"), conversation.hello + conversation.client.sent) << line;
  EXPECT_EQ(line.at("bytes_sent"), conversation.server.sent) << line;
  if (wire_forwarding() == "wire") {
    EXPECT_EQ(line.at("path"), path) << line;
  }
  expect_nothing_left();
}

void OnTheWire::expect_nothing_left() {
  EXPECT_TRUE(eventually([&] { return wire_connections(hosts_.proxy).empty(); }));
  EXPECT_TRUE(eventually([&] { return proxy_->statistic("active_connections") == 0; })) << proxy_->status();
  EXPECT_TRUE(eventually([&] { return open_sockets(hosts_.proxy).empty(); })) << open_sockets(hosts_.proxy);
}

Exchanged OnTheWire::exchange(std::size_t connections, std::size_t at_once, std::uint64_t least, std::uint64_t most) {
  const auto before = proxy_->status().at("statistics");
  auto exchanged = run_exchange({.client = hosts_.client,
                                 .server = hosts_.server,
                                 .proxy = endpoint_at(options_.client_ipv6 ? proxy_ipv6 : proxy_ipv4, proxy_port),
                                 .listener = server_at_,
                                 .connections = connections,
                                 .at_once = at_once,
                                 .least = least,
                                 .most = most,
                                 .listening = listening_.fd()});
  EXPECT_TRUE(exchanged.failures.empty()) << exchanged.text();
  EXPECT_EQ(exchanged.connections.size(), connections) << exchanged.text();
  // Those on the wire are told of a moment after they have ended.
  const auto grown = [&](const char* name) { return proxy_->statistic(name) - before.at(name).get<std::uint64_t>(); };
  EXPECT_TRUE(eventually([&] { return grown("bytes_received") >= exchanged.up(); }));
  EXPECT_TRUE(eventually([&] { return grown("bytes_sent") >= exchanged.down(); }));
  EXPECT_EQ(grown("bytes_received"), exchanged.up());
  EXPECT_EQ(grown("bytes_sent"), exchanged.down());
  ended_ += connections;
  return exchanged;
}

std::string open_sockets(const NetworkNamespace& where) {
  return where.run("ss -Htan state connected exclude time-wait");
}

std::string waiting_sockets(const NetworkNamespace& where) { return where.run("ss -Htan state time-wait"); }

}  // namespace sonde::test
