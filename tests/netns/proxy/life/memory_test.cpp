// SPDX-License-Identifier: Apache-2.0
// What a reader that has stopped holds, and what connections cost that say nothing.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <regex>

#include "harness/command.hpp"
#include "proxied.hpp"

namespace sonde::test {
namespace {

constexpr std::uint64_t mebibyte = 1 << 20;

std::uint64_t resident_bytes(pid_t pid) {
  for (const auto& line : lines_of(read_file(fmt::format("/proc/{}/status", pid))))
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6)) * 1024;
  throw std::runtime_error("no VmRSS of " + std::to_string(pid));
}

// What all TCP sockets of the namespace hold, received and to be sent. `mem` of /proc/net/sockstat is that of the whole
// host (net/ipv4/proc.c, sockstat_seq_show).
std::uint64_t socket_bytes(const NetworkNamespace& where) {
  const auto text = where.run("ss -tmnH");
  static const std::regex memory("skmem:\\(r([0-9]+),[^)]*,w([0-9]+),");
  std::uint64_t bytes = 0;
  for (std::sregex_iterator at(text.begin(), text.end(), memory), end; at != end; ++at)
    for (std::size_t group = 1; group <= 2; ++group) bytes += std::stoull((*at)[group]);
  return bytes;
}

class Paths : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(ProxyMemory, Paths, ::testing::Values("bypass", "sockmap", "splice", "copy"));

// 512 MiB want to go to a reader that reads nothing: what lies between is what sockets and a pipe hold. When it reads
// on, everything is there.
TEST_P(Paths, AStalledReaderHoldsMemoryBounded) {
  const NetworkNamespace host;
  auto config = one_route("127.0.0.1:8443", "127.0.0.1:9443");
  config["forwarding"] = GetParam();
  const Proxied proxy(host, config);
  const auto before = resident_bytes(proxy.pid());
  Peer reader(host, {"swallow_slowly", "127.0.0.1", "9443"});
  reader.expect("listening");
  Peer sender(host, {"pour", "127.0.0.1", "8443", "name.test", std::to_string(512 * mebibyte)});
  const auto stopped = sender.expect("stopped_at")["stopped_at"].get<std::uint64_t>();
  EXPECT_LT(stopped, 64 * mebibyte) << "it has gone somewhere";
  EXPECT_LT(resident_bytes(proxy.pid()), before + 8 * mebibyte);
  const auto held = socket_bytes(host);
  EXPECT_GT(held, mebibyte);
  EXPECT_LT(held, 64 * mebibyte);
  reader.close_input();
  const auto sent = sender.expect("sent"), received = reader.expect("received");
  EXPECT_EQ(received["received"], 512 * mebibyte);
  EXPECT_EQ(received["sha256"], sent["sha256"]);
  sender.finish();
  EXPECT_EQ(proxy.log(1)[0]["path"], GetParam());
}

TEST(ProxyMemory, TwoThousandIdleConnectionsCostLittle) {
  const NetworkNamespace host;
  Peer upstream(host, {"echo", "127.0.0.1", "9443"});
  upstream.expect("listening");
  const Proxied proxy(host, one_route("127.0.0.1:8443", "127.0.0.1:9443"), {}, {"prlimit", "--nofile=20000"});
  Peer warm(host, {"hold", "127.0.0.1", "8443", "name.test", "50"});
  warm.expect("open");
  warm.finish();
  const auto before = resident_bytes(proxy.pid());
  Peer idle(host, {"idle", "127.0.0.1", "8443", "name.test", "2000"});
  EXPECT_EQ(idle.expect("open")["open"], 2000);
  EXPECT_EQ(proxy.statistic("active_connections"), 2000U);
  const auto each = (resident_bytes(proxy.pid()) - before) / 2000;
  EXPECT_LT(each, 5000U) << "bytes a connection";  // 20,000 within 100 MB
  idle.close_input();
  EXPECT_EQ(idle.expect("alive")["alive"], 2000);
  idle.finish();
}

}  // namespace
}  // namespace sonde::test
