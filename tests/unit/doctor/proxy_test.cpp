// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <linux/capability.h>

#include "doctor/proxy_trials.hpp"

namespace sonde::doctor {
namespace {

using testing::HasSubstr;

constexpr Privileges everything{.effective = ~std::uint64_t{0}};
constexpr Privileges no_network{.effective = ~(std::uint64_t{1} << CAP_NET_ADMIN)};

const std::vector<ProxyPathState> states{{ProxyForwarding::bypass, true, "self-test"},
                                         {ProxyForwarding::sockmap, false, "it stalled"},
                                         {ProxyForwarding::splice, false, "no pipes"}};

TEST(ProxyPath, OnIsAYesThatNamesTheHook) {
  const auto finding = proxy_path(states, ProxyForwarding::bypass, everything);
  EXPECT_EQ(finding.answer, Answer::yes);
  EXPECT_THAT(finding.hook, HasSubstr("sk_msg"));
}

TEST(ProxyPath, OffIsANoWithItsReason) {
  const auto finding = proxy_path(states, ProxyForwarding::sockmap, everything);
  EXPECT_EQ(finding.answer, Answer::no);
  EXPECT_EQ(finding.reason, "it stalled");
  EXPECT_NE(finding.advice, "");
}

TEST(ProxyPath, OffForWantOfAPrivilegeCannotBeTold) {
  const auto kernel = proxy_path(states, ProxyForwarding::sockmap, no_network);
  EXPECT_EQ(kernel.answer, Answer::unknown);
  EXPECT_THAT(kernel.advice, HasSubstr("CAP_NET_ADMIN"));
  EXPECT_EQ(proxy_path(states, ProxyForwarding::splice, no_network).answer, Answer::no) << "splice needs none";
}

TEST(ProxyPath, TheWireIsTriedInNetworkNamespaces) {
  const std::vector<ProxyPathState> on{{ProxyForwarding::wire, true, "self-test"}};
  EXPECT_EQ(proxy_path(on, ProxyForwarding::wire, everything).hook, "tc ingress");
  const std::vector<ProxyPathState> off{{ProxyForwarding::wire, false, "not tried: Operation not permitted"}};
  constexpr Privileges no_namespaces{.effective = ~(std::uint64_t{1} << CAP_SYS_ADMIN)};
  const auto finding = proxy_path(off, ProxyForwarding::wire, no_namespaces);
  EXPECT_EQ(finding.answer, Answer::unknown);
  EXPECT_THAT(finding.advice, HasSubstr("CAP_SYS_ADMIN"));
  const auto broken = proxy_path(off, ProxyForwarding::wire, everything);
  EXPECT_EQ(broken.answer, Answer::no);
  EXPECT_EQ(broken.reason, "not tried: Operation not permitted");
  EXPECT_THAT(broken.advice, HasSubstr("next path"));
}

TEST(ProxyPath, WhatWasNotTriedCannotBeTold) {
  EXPECT_EQ(proxy_path(states, ProxyForwarding::copy, everything).answer, Answer::unknown);
}

}  // namespace
}  // namespace sonde::doctor
