// SPDX-License-Identifier: Apache-2.0
// The name servers of resolv.conf(5), whose port is always 53, in a namespace of the test's own.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "actuators/proxy/resolve/memory_cache.hpp"
#include "dns_server.hpp"
#include "harness/command.hpp"
#include "harness/netns.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;

DnsServer::Handler answer_with(std::string address) {
  return [address](const DnsQuery& query) -> DnsReply {
    if (query.type != 1) return {};
    return {.parts = {.answers = {record_a(query.name, 300, address.c_str())}}};
  };
}

Task<> resolve(Resolver& resolver, std::string name, std::optional<Result<Resolved>>& result) {
  auto answer = co_await resolver.resolve(std::move(name));
  result = std::move(answer);
}

std::string ask(Loop& loop, Resolver& resolver, const std::string& name) {
  std::optional<Result<Resolved>> result;
  auto task = resolve(resolver, name, result);
  task.start();
  const auto end = Clock::now() + 10s;
  while (!result && Clock::now() < end) loop.run_once(10ms);
  if (!result) return "waits";
  return *result ? (*result)->addresses.front().address_text() : (*result).error().message;
}

TEST(ResolvConf, IsReadAgainWhenItChanges) {
  const test::NetworkNamespace where;
  where.call([] {
    const DnsServer one(answer_with("192.0.2.1"), "127.0.0.1", 53);
    const DnsServer other(answer_with("192.0.2.2"), "127.0.0.2", 53);
    const test::TemporaryFile file(".conf");
    file.write("nameserver 127.0.0.1\nsearch example\n");
    const auto loop = Loop::make();
    ASSERT_TRUE(loop);
    MemoryCache cache(10);
    const auto resolver = Resolver::make(**loop, {}, cache, {.hosts = "/dev/null", .resolv_conf = file.path()});
    ASSERT_TRUE(resolver) << resolver.error().text();
    EXPECT_EQ(ask(**loop, **resolver, "one.example"), "192.0.2.1");
    file.write("# moved\nnameserver 127.0.0.2\nsearch example\n");
    const auto later = Clock::now() + 1100ms;
    while (Clock::now() < later) (*loop)->run_once(100ms);
    EXPECT_EQ(ask(**loop, **resolver, "two.example"), "192.0.2.2");
    EXPECT_EQ(ask(**loop, **resolver, "short"), "192.0.2.2");
    const auto asked = other.questions();
    EXPECT_EQ(std::ranges::count(asked, "A short"), 1) << "as it is: no search domain is put behind it";
    EXPECT_EQ(std::ranges::count(asked, "A short.example"), 0);
  });
}

}  // namespace
}  // namespace sonde::proxy
