// SPDX-License-Identifier: Apache-2.0
// Whom it runs as, and where it may do less.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <pwd.h>

#include <filesystem>
#include <map>

#include "harness/command.hpp"
#include "planned.hpp"

namespace sonde::test {
namespace {

std::map<std::string, std::string> status_of(pid_t pid) {
  std::map<std::string, std::string> members;
  for (const auto& line : lines_of(read_file(fmt::format("/proc/{}/status", pid)))) {
    const auto colon = line.find(":\t");
    if (colon != std::string::npos) members[line.substr(0, colon)] = line.substr(colon + 2);
  }
  return members;
}

TEST(ProxyPrivileges, RunsAsNobodyAfterTheStart) {
  const NetworkNamespace host;
  const Proxied proxy(host, one_route("127.0.0.1:443", "127.0.0.1:9443"));
  const auto* const nobody = ::getpwnam("nobody");
  ASSERT_NE(nobody, nullptr);
  namespace fs = std::filesystem;
  std::size_t threads = 0;
  for (const auto& task : fs::directory_iterator(fmt::format("/proc/{}/task", proxy.pid()))) {
    const auto status = status_of(std::stoi(task.path().filename()));
    EXPECT_EQ(status.at("Uid"), fmt::format("{0}\t{0}\t{0}\t{0}", nobody->pw_uid)) << task.path();
    EXPECT_EQ(status.at("Gid"), fmt::format("{0}\t{0}\t{0}\t{0}", nobody->pw_gid)) << task.path();
    EXPECT_EQ(status.at("CapInh"), "0000000000000000");
    constexpr std::uint64_t admin = 1ULL << 21;  // CAP_SYS_ADMIN
    const auto effective = std::stoull(status.at("CapEff"), nullptr, 16);
    EXPECT_EQ(effective & admin, 0U) << status.at("CapEff");
    EXPECT_EQ(status.at("NoNewPrivs"), "1");
    ++threads;
  }
  EXPECT_GE(threads, 3U);
}

void expect_carries(const NetworkNamespace& host, int count = 60) {
  const auto sums = run_planned({.client = host,
                                 .upstream = host,
                                 .proxy_address = "127.0.0.1",
                                 .proxy_port = "8443",
                                 .upstream_address = "127.0.0.1",
                                 .upstream_port = "9443",
                                 .count = count,
                                 .at_once = 15});
  EXPECT_GT(sums.connections, static_cast<std::uint64_t>(count) * 8 / 10);
}

TEST(ProxyWithoutEbpf, BecauseTheFileSaysSo) {
  const NetworkNamespace host;
  auto config = one_route("127.0.0.1:8443", "127.0.0.1:9443");
  config["ebpf"] = {{"enabled", false}};
  const Proxied proxy(host, config);
  expect_carries(host);
  const auto status = proxy.status();
  for (const auto& path : status["forwarding"]) {
    if (path["path"] != "bypass" && path["path"] != "sockmap") continue;
    EXPECT_EQ(path["on"], false) << path;
    EXPECT_FALSE(path["reason"].get<std::string>().empty()) << path;
    EXPECT_EQ(path["connections"], 0) << path;
  }
  EXPECT_EQ(status["dns_cache"]["in_kernel"], false);
}

// Root of a user namespace has no rights over the kernel's programs; it has over its ports.
TEST(ProxyWithoutEbpf, BecauseItMayNot) {
  const NetworkNamespace host;
  auto config = one_route("127.0.0.1:8443", "127.0.0.1:9443");
  config["user"] = "root";
  const Proxied proxy(host, config, {}, {"unshare", "--user", "--map-root-user"});
  expect_carries(host);
  const auto said = proxy.status();
  for (const auto& path : said["forwarding"])
    if (path["path"] == "bypass") {
      EXPECT_EQ(path["on"], false) << path;
    }
}

TEST(ProxyWithoutEbpf, AsAnOrdinaryUser) {
  const NetworkNamespace host;
  const Proxied proxy(host, one_route("127.0.0.1:8443", "127.0.0.1:9443"), {},
                      {"setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"});
  expect_carries(host);
}

}  // namespace
}  // namespace sonde::test
