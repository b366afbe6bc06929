// SPDX-License-Identifier: Apache-2.0
// How it ends, and what is left then: nothing but what the manual says.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <set>

#include "harness/command.hpp"
#include "proxied.hpp"

namespace sonde::test {
namespace {

using namespace std::chrono_literals;

// Programs, maps and links of the kernel, by kind and number, with their names.
std::set<std::string> bpf_objects() {
  std::set<std::string> objects;
  for (const auto* const kind : {"prog", "map", "link"}) {
    const auto listed = Json::parse(run(std::string("bpftool -j ") + kind + " show 2>/dev/null || echo '[]'"));
    for (const auto& one : listed) {
      // The type of a link that bpftool does not know is a number.
      const auto name = one.value("name", one.contains("type") ? one["type"].dump() : std::string());
      objects.insert(std::string(kind) + " " + one["id"].dump() + " " + name);
    }
  }
  return objects;
}

// But for those of the wire splice, which are to stay.
std::set<std::string> pins() {
  const auto lines = lines_of(run(
      "find /sys/fs/bpf -mindepth 1 -not -path '*/sonde-proxy' -not -path '*/sonde-proxy/wire-*' 2>/dev/null || true"));
  return {lines.begin(), lines.end()};
}

// Those with names that the proxy gives its objects: other programs of the host come and go.
std::vector<std::string> of_proxy(const std::set<std::string>& now, const std::set<std::string>& before) {
  constexpr std::string_view names[] = {"redirect_msg",   "xdp_ip_filter", "SOCK_MAP",
                                        "CONNECTION_MAP", "DNS_CACHE",     "TRAFFIC_STATS",
                                        "CONNECTION_STA", "IP_WHITELIST",  "sonde_"};
  std::vector<std::string> fresh;
  for (const auto& object : now) {
    if (before.contains(object)) continue;
    if (std::ranges::any_of(names, [&](auto name) { return object.find(name) != std::string::npos; }))
      fresh.push_back(object);
  }
  return fresh;
}

std::string text_of(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

class ProxyEnd : public ::testing::Test {
 protected:
  void SetUp() override {
    upstream_.expect("listening");
    proxy_ = std::make_unique<Proxied>(host_, config_);
  }
  NetworkNamespace host_;
  Peer upstream_{host_, {"echo", "127.0.0.1", "9443"}};
  Json config_ = one_route("127.0.0.1:8443", "127.0.0.1:9443");
  std::set<std::string> objects_ = bpf_objects();
  std::set<std::string> pins_ = pins();
  std::unique_ptr<Proxied> proxy_;
};

TEST_F(ProxyEnd, StopLetsConnectionsEnd) {
  Peer holder(host_, {"hold", "127.0.0.1", "8443", "name.test", "5"});
  holder.expect("open");
  proxy_->process().signal(SIGTERM);
  EXPECT_TRUE(
      eventually([&] { return outcome_of(host_, "timeout 5 socat -u /dev/null TCP:127.0.0.1:8443").status != 0; }));
  EXPECT_EQ(proxy_->process().wait(300ms), -1) << "it ended before its connections";
  holder.finish();
  EXPECT_TRUE(holder.expect("asked")["failures"].empty()) << holder.expect("asked");
  EXPECT_EQ(proxy_->process().wait(10s), 0) << proxy_->process().errors();
  EXPECT_EQ(proxy_->log(5).size(), 5U);
}

TEST_F(ProxyEnd, AndResetsThoseThatTakeLongerThanTheDrainTime) {
  config_["timeouts"] = {{"drain", "1s"}};
  config_["listen_addr"] = "127.0.0.1:8444";
  Proxied proxy(host_, config_);
  Peer idle(host_, {"idle", "127.0.0.1", "8444", "name.test", "3"});
  idle.expect("open");
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(proxy.ask("stop").status, 0);
  EXPECT_EQ(proxy.process().wait(proxy_patience), 0) << proxy.process().errors();
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_GE(took, 900ms);
  EXPECT_LT(took, 20s);
  for (const auto& line : proxy.log(3)) EXPECT_EQ(line["end"], "stopped") << line;
}

TEST_F(ProxyEnd, ASecondSignalEndsAtOnce) {
  Peer idle(host_, {"idle", "127.0.0.1", "8443", "name.test", "3"});
  idle.expect("open");
  proxy_->process().signal(SIGTERM);
  EXPECT_EQ(proxy_->process().wait(500ms), -1);
  proxy_->process().signal(SIGTERM);
  EXPECT_NE(proxy_->process().wait(10s), -1);
}

// Nothing gets the chance to tidy up.
TEST_F(ProxyEnd, KilledItLeavesNothingAndNobodyWaits) {
  EXPECT_FALSE(of_proxy(bpf_objects(), objects_).empty()) << "no program or map of the proxy is to be seen";
  Peer idle(host_, {"idle", "127.0.0.1", "8443", "name.test", "20"});
  idle.expect("open");
  proxy_->process().signal(SIGKILL);
  EXPECT_EQ(proxy_->process().wait(), 128 + SIGKILL);
  idle.close_input();
  EXPECT_NE(idle.process().wait(20s), -1) << "a client waits still";
  EXPECT_TRUE(eventually([&] { return of_proxy(bpf_objects(), objects_).empty(); }))
      << text_of(of_proxy(bpf_objects(), objects_));
  EXPECT_EQ(pins(), pins_);
  // The path of the control socket is there and refuses; the next one takes it.
  config_["control"] = proxy_->control();
  const Proxied next(host_, config_);
  Peer client(host_, {"hold", "127.0.0.1", "8443", "name.test", "1"});
  client.expect("open");
  client.finish();
}

TEST_F(ProxyEnd, ItsObjectsHaveTheNamesOfTheManual) {
  const auto text = text_of(of_proxy(bpf_objects(), objects_));
  for (const auto* const name : {"redirect_msg", "SOCK_MAP", "CONNECTION_MAP", "DNS_CACHE", "TRAFFIC_STATS"})
    EXPECT_NE(text.find(name), std::string::npos) << name << " is not among\n" << text;
}

}  // namespace
}  // namespace sonde::test
