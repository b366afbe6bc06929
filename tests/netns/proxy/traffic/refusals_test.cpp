// SPDX-License-Identifier: Apache-2.0
// Who is refused is told what TLS has for it, and is counted by cause.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "hosts.hpp"

namespace sonde::test {
namespace {

class ProxyRefusals : public ::testing::Test {
 protected:
  void SetUp() override {
    config_["timeouts"] = {{"hello", "1500ms"}};
    config_["limits"] = {{"hello_bytes", 4096}};
  }
  void start() { proxy_ = std::make_unique<Proxied>(host_, config_); }

  /// Sends bytes to the proxy; they must be answered so, and counted once under this cause and in the access log.
  void expect_refused(const std::vector<std::string>& words, const std::string& answer, const std::string& cause) {
    const auto before = proxy_->refusals(cause);
    const auto lines = proxy_->log().size();
    const auto said = peer_says(host_, words, "answer");
    if (answer == "HTTP")
      EXPECT_EQ(said["answer"].get<std::string>().substr(0, 26), "485454502f312e312034303020") << said;  // HTTP/1.1 400
    else
      EXPECT_EQ(said["answer"], answer) << cause << said;
    EXPECT_NE(said["end"], "stuck") << cause;
    EXPECT_TRUE(eventually([&] { return proxy_->refusals(cause) == before + 1; })) << proxy_->status()["refusals"];
    const auto log = proxy_->log(lines + 1);
    ASSERT_GT(log.size(), lines);
    EXPECT_EQ(log.back()["refused"], cause) << log.back();
    EXPECT_FALSE(log.back().contains("path")) << log.back();
  }

  NetworkNamespace host_;
  Json config_ = one_route("127.0.0.1:8443", "127.0.0.1:9443");
  std::unique_ptr<Proxied> proxy_;
};

std::vector<std::string> raw(const std::string& hex) { return {"send_raw", "127.0.0.1", "8443", hex}; }

std::vector<std::string> hello(const std::string& name, const std::string& with_name = "1",
                               const std::string& key_share = "32") {
  return {"send_hello", "127.0.0.1", "8443", name, "16384", key_share, with_name};
}

// An alert record: 15, version 0301 as before any is agreed on, length 2, fatal (2), description (RFC 8446 section 6).
std::string alert(int description) { return fmt::format("150301000202{:02x}", description); }

TEST_F(ProxyRefusals, ByTheRightAlertAndCountedByCause) {
  start();
  expect_refused(hello("other.test"), alert(112), "name-not-allowed");
  expect_refused(hello("sub.name.test"), alert(112), "name-not-allowed");
  expect_refused(hello("", "0"), alert(109), "no-server-name");
  expect_refused(hello("name.test", "1", "9000"), alert(22), "hello-too-long");
  expect_refused(raw("474554202f20485454502f312e310d0a486f73743a20780d0a0d0a"), "HTTP",
                 "plain-http");  // GET / HTTP/1.1
  expect_refused(raw("000102030405060708090a0b0c0d0e0f"), "", "not-tls");
  expect_refused(raw("160301000401ffffff"), alert(22), "hello-too-long");  // a message of 16 MiB
  expect_refused(raw("16030100080100000403030000"), alert(50), "malformed-hello");
  const auto status = proxy_->status();
  EXPECT_EQ(status["statistics"]["rejected_requests"], 8) << status.dump(1);
  EXPECT_EQ(status["statistics"]["total_connections"], 8);
  EXPECT_EQ(status["statistics"]["sni_parse_errors"], 6) << status.dump(1);
  EXPECT_EQ(status["statistics"]["active_connections"], 0);
}

TEST_F(ProxyRefusals, OpensslShowsTheAlert) {
  start();
  const auto said =
      outcome_of(host_, "openssl s_client -connect 127.0.0.1:8443 -servername other.test </dev/null 2>&1");
  EXPECT_NE(said.output.find("unrecognized name"), std::string::npos) << said.output;
  const auto without = outcome_of(host_, "openssl s_client -connect 127.0.0.1:8443 -noservername </dev/null 2>&1");
  EXPECT_NE(without.output.find("alert number 109"), std::string::npos) << without.output;
}

TEST_F(ProxyRefusals, NamesAreFolded) {
  Peer upstream(host_, {"echo", "127.0.0.1", "9443"});
  upstream.expect("listening");
  start();
  for (const auto* const name : {"NAME.test", "name.TEST.", "Name.Test"}) {
    auto words = hello(name);
    words.emplace_back("1");
    const auto said = peer_says(host_, words, "answer");
    EXPECT_EQ(said["answer"].get<std::string>().substr(0, 12), "68656c6c6f20") << name << said;
  }
}

// One byte now and then, or none, or half a hello and then the end.
TEST_F(ProxyRefusals, WhoTakesTooLongOrGoesAway) {
  start();
  const auto slow = peer_says(host_, {"drip", "127.0.0.1", "8443", "name.test", "0.1"}, "seconds");
  EXPECT_NE(slow["end"], "open") << slow;
  EXPECT_GE(slow["seconds"], 1.4) << slow;
  EXPECT_LT(slow["seconds"], 10.0) << slow;
  EXPECT_TRUE(eventually([&] { return proxy_->refusals("hello-timeout") == 1; })) << proxy_->status();
  const auto silent = peer_says(host_, {"send_raw", "127.0.0.1", "8443", "", "20"}, "answer");
  EXPECT_NE(silent["end"], "stuck") << silent;
  EXPECT_GE(silent["seconds"], 1.4) << silent;
  EXPECT_TRUE(eventually([&] { return proxy_->refusals("hello-timeout") == 2; })) << proxy_->status();
  EXPECT_EQ(proxy_->statistic("connection_timeouts"), 2U);
  EXPECT_EQ(outcome_of(host_, "printf '\\26\\3\\1\\0\\200\\1' | timeout 10 socat - TCP:127.0.0.1:8443").status, 0);
  EXPECT_TRUE(eventually([&] { return proxy_->refusals("hello-incomplete") == 1; })) << proxy_->status();
  EXPECT_EQ(proxy_->statistic("active_connections"), 0U);
}

TEST_F(ProxyRefusals, AnUpstreamThatRefusesOrIsSilent) {
  config_["timeouts"]["connect"] = "700ms";
  config_["routes"].push_back({{"name", "silent"}, {"sni", {"silent.test"}}, {"upstreams", {"10.99.0.1:443"}}});
  host_.run(
      "ip link add none0 type veth peer name none1 && ip link set none0 up && ip link set none1 up && "
      "ip route add 10.99.0.0/24 dev none0 && ip neigh add 10.99.0.1 lladdr 02:00:00:00:00:99 dev none0");
  start();
  expect_refused(hello("name.test"), alert(80), "connect-failed");
  expect_refused(hello("silent.test"), alert(80), "connect-timeout");
  const auto log = proxy_->log(2);
  EXPECT_NE(log.front()["detail"].get<std::string>().find("127.0.0.1:9443"), std::string::npos) << log.front();
  EXPECT_EQ(proxy_->statistic("failed_connections"), 2U);
  EXPECT_EQ(proxy_->statistic("connection_timeouts"), 1U);
}

}  // namespace
}  // namespace sonde::test
