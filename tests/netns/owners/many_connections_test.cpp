// SPDX-License-Identifier: Apache-2.0
// A host that opens and closes connections all day: nothing of ours grows.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "harness/netns.hpp"
#include "peers.hpp"
#include "sensors/owners/owner_tracking.hpp"

namespace sonde::test {
namespace {

constexpr int connections = 100'000;

// Kilobytes of a line of a file of /proc: "VmRSS" of /proc/self/status, "SUnreclaim" of /proc/meminfo.
std::uint64_t kilobytes(const char* path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(name + ":")) return std::stoull(line.substr(name.size() + 1));
  return 0;
}

// Closed by reset, so that no TIME_WAIT is left to be counted.
void open_and_close(int number) {
  for (int i = 0; i < number; ++i) {
    const auto tcp = connect_loopback(AF_INET);
    const linger reset{1, 0};
    ASSERT_EQ(::setsockopt(tcp.client.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    ASSERT_EQ(::send(tcp.client.get(), "x", 1, 0), 1);
  }
}

TEST(ManyConnections, NothingGrows) {
  const NetworkNamespace where;
  const auto started = owners::OwnerTracking::start({});
  ASSERT_TRUE(started) << started.error().text();
  where.call([] { open_and_close(connections / 10); });  // what is cached once is there
  const auto resident = kilobytes("/proc/self/status", "VmRSS");
  const auto slab = kilobytes("/proc/meminfo", "SUnreclaim");
  where.call([] { open_and_close(connections); });
  ::sleep(1);  // storage of sockets is freed after a grace period
  EXPECT_LE(kilobytes("/proc/self/status", "VmRSS"), resident + 1024);
  constexpr std::uint64_t a_tenth_kept = connections / 10 * 384 / 1024;  // bytes a socket's record takes
  EXPECT_LE(kilobytes("/proc/meminfo", "SUnreclaim"), slab + a_tenth_kept);
  EXPECT_EQ((*started)->notices().size(), 1U) << (*started)->notices().back();  // nothing lost, nothing pushed out
}

}  // namespace
}  // namespace sonde::test
