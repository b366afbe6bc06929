// SPDX-License-Identifier: Apache-2.0
// Each reason that can be provoked, with its owner, and as many drops as the kernel's own counters say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "harness/traffic.hpp"
#include "watch.hpp"

namespace sonde::test {
namespace {

TEST(Try, Exchange) {
  const Pair pair;
  const auto seen = watch_drops([&] {
    exchange_tcp(pair.left, pair.right, "10.9.0.2", 4000, 80, "hello", "world");
    send_udp(pair.left, "10.9.0.2", 4000, 514, "nobody");
    pair.left.run("timeout 1 nc -w 1 10.9.0.2 99 || true");
  });
  std::cerr << lines_of(seen.drops);
  for (auto& s : seen.loss.stages) std::cerr << s.name << " " << s.taken << " " << s.given << " " << s.filtered << " " << s.lost << " " << s.note << "\n";
}

}  // namespace
}  // namespace sonde::test
