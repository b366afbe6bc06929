// SPDX-License-Identifier: Apache-2.0
// Where the filter is put, who else may be there, and that nothing stays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "filtered_host.hpp"
#include "kernel/attach.hpp"

namespace sonde::test {
namespace {

using testing::AnyOf;

std::uint32_t xdp_on(const NetworkNamespace& where, const char* interface) {
  std::uint32_t program = 0;
  where.call([&] { program = kernel::query_xdp(::if_nametoindex(interface)).value_or(0); });
  return program;
}

TEST(ProxyFilterHooks, NativeXdpWhereTheDriverHasIt) {
  const FilteredHost net;
  const auto filter = net.filter({"stranger0"}, {endpoint("0.0.0.0", 443)}, {"10.1.0.0/16"});
  ASSERT_EQ(filter->interfaces().size(), 1U);
  EXPECT_EQ(filter->interfaces()[0].name, "stranger0");
  EXPECT_EQ(filter->interfaces()[0].how, "native XDP");
}

TEST(ProxyFilterHooks, GenericXdpWhereTheDriverHasNone) {
  const FilteredHost net;
  const auto listener = listen_in(net.host, "127.0.0.1", 443);
  const auto filter = net.filter({"lo"}, {endpoint("127.0.0.1", 443)}, {"127.0.0.2/32"});
  EXPECT_EQ(filter->interfaces()[0].how, "generic XDP");
  EXPECT_TRUE(connects(net.host, "127.0.0.1", 443, "127.0.0.2"));
  EXPECT_FALSE(connects(net.host, "127.0.0.1", 443, "127.0.0.3"));
}

TEST(ProxyFilterHooks, TcBesideTheXdpProgramOfSomebodyElse) {
  const FilteredHost net;
  const auto listener = listen_in(net.host, "0.0.0.0", 443);
  const auto other = net.filter({"stranger0"}, {endpoint("0.0.0.0", 9)}, {"10.1.0.0/16"});
  const auto theirs = xdp_on(net.host, "stranger0");
  auto filter = net.filter({"stranger0"}, {endpoint("0.0.0.0", 443)}, {"10.1.0.0/16"});
  EXPECT_THAT(filter->interfaces()[0].how, AnyOf("tcx", "clsact"));
  EXPECT_EQ(xdp_on(net.host, "stranger0"), theirs);
  EXPECT_FALSE(connects(net.stranger, "10.2.0.1", 443));
  ASSERT_TRUE(filter->set(std::vector{endpoint("0.0.0.0", 443)}, networks({"10.2.0.2/32"})));
  EXPECT_TRUE(connects(net.stranger, "10.2.0.1", 443));
  ASSERT_TRUE(filter->set(std::vector{endpoint("0.0.0.0", 443)}, networks({"10.1.0.0/16"})));
  net.host.call([&] { filter.reset(); });  // clsact is let go of where the thread is
  EXPECT_EQ(xdp_on(net.host, "stranger0"), theirs);
  EXPECT_TRUE(connects(net.stranger, "10.2.0.1", 443)) << "it is gone, and so is its verdict";
}

TEST(ProxyFilterHooks, ChosenByTheAddressesOfTheListeners) {
  const FilteredHost net;
  const auto names = [&](const std::vector<Endpoint>& listeners) {
    std::vector<std::string> found;
    const auto filter = net.filter({}, listeners, {});
    for (const auto& interface : filter->interfaces()) found.push_back(interface.name);
    return found;
  };
  EXPECT_THAT(names({endpoint("10.2.0.1", 443)}), testing::ElementsAre("stranger0"));
  EXPECT_THAT(names({endpoint("fd01::1", 443)}), testing::ElementsAre("friend0"));
  EXPECT_THAT(names({endpoint("0.0.0.0", 443)}), testing::ElementsAre("friend0", "stranger0"));
  EXPECT_ANY_THROW(names({endpoint("127.0.0.1", 443)}));
  EXPECT_ANY_THROW((void)net.filter({"nosuch0"}, {endpoint("0.0.0.0", 443)}, {}));
}

TEST(ProxyFilterHooks, GoneWithTheObjectAndWithAKilledProcess) {
  const FilteredHost net;
  { const auto filter = net.filter({"stranger0"}, {endpoint("0.0.0.0", 443)}, {}); }
  EXPECT_EQ(xdp_on(net.host, "stranger0"), 0U);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto filter = net.filter({"stranger0"}, {endpoint("0.0.0.0", 443)}, {});
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  for (int i = 0; i < 100 && xdp_on(net.host, "stranger0") != 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  EXPECT_EQ(xdp_on(net.host, "stranger0"), 0U);
}

}  // namespace
}  // namespace sonde::test
