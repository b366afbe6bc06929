// SPDX-License-Identifier: Apache-2.0
#include "doctor/privileges.hpp"

#include <gmock/gmock.h>
#include <linux/capability.h>

#include <cerrno>

namespace sonde::doctor {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* identity = "         0          0 4294967295\n";
constexpr const char* rootless = "         0       1000          1\n";

std::uint64_t bit(int capability) { return std::uint64_t{1} << capability; }

Privileges with(std::uint64_t effective, std::uint32_t user = 1000) { return {effective, true, user}; }

Error error_of(int code) { return {ErrorKind::unsupported, code, "cannot do it", "old hint"}; }

TEST(ParsePrivileges, EffectiveSet) {
  const auto root = parse_privileges("CapPrm:\t0\nCapEff:\t000001ffffffffff\nCapBnd:\t0\n", identity, 0);
  EXPECT_EQ(root.effective, 0x1ffffffffffULL);
  EXPECT_TRUE(root.initial_user_namespace);
  EXPECT_TRUE(root.has(CAP_NET_ADMIN));
  const auto raw = parse_privileges("CapEff:\t0000000000002000\n", identity, 0);
  EXPECT_TRUE(raw.has(CAP_NET_RAW));
  EXPECT_FALSE(raw.has(CAP_NET_ADMIN));
}

TEST(ParsePrivileges, WhatCannotBeReadIsNothing) {
  for (const auto* text : {"", "CapEff:", "CapEff:\t", "CapEff:\tzzz"})
    EXPECT_EQ(parse_privileges(text, identity, 0).effective, 0U) << text;
}

TEST(ParsePrivileges, UserNamespace) {
  const auto inside = parse_privileges("CapEff:\t000001ffffffffff\n", rootless, 0);
  EXPECT_FALSE(inside.initial_user_namespace);
  EXPECT_FALSE(inside.has(CAP_BPF));
  EXPECT_EQ(describe(inside), "root of a user namespace");
  EXPECT_EQ(capability(inside, CAP_BPF).answer, Answer::unknown);
}

TEST(Capability, SysAdminStandsInForBpfAndPerfmonOnly) {
  const auto admin = with(bit(CAP_SYS_ADMIN));
  EXPECT_EQ(capability(admin, CAP_BPF), yes("by CAP_SYS_ADMIN"));
  EXPECT_EQ(capability(admin, CAP_PERFMON), yes("by CAP_SYS_ADMIN"));
  EXPECT_EQ(capability(admin, CAP_NET_ADMIN).answer, Answer::no);
  EXPECT_EQ(capability(admin, CAP_NET_RAW).answer, Answer::no);
}

TEST(Capability, AdviceFitsTheUser) {
  EXPECT_THAT(capability(with(0, 1000), CAP_NET_RAW).advice, HasSubstr("run as root, or with CAP_NET_RAW"));
  EXPECT_THAT(capability(with(0, 0), CAP_NET_RAW).advice, HasSubstr("add CAP_NET_RAW"));
  EXPECT_THAT(capability(with(0, 0), CAP_NET_RAW).advice, Not(HasSubstr("run as root")));
}

TEST(Failure, RefusedWithoutTheCapabilityTellsNothing) {
  for (const int code : {EPERM, EACCES}) {
    const auto finding = failure(error_of(code), with(0), CAP_NET_ADMIN, "upgrade");
    EXPECT_EQ(finding.answer, Answer::unknown);
    EXPECT_THAT(finding.reason, HasSubstr("needs CAP_NET_ADMIN"));
    EXPECT_THAT(finding.advice, HasSubstr("run as root"));
  }
}

TEST(Failure, RefusedDespiteTheCapabilityIsSomebodyElse) {
  const auto finding = failure(error_of(EPERM), with(bit(CAP_NET_ADMIN), 0), CAP_NET_ADMIN, "upgrade");
  EXPECT_EQ(finding.answer, Answer::no);
  EXPECT_THAT(finding.reason, HasSubstr("although CAP_NET_ADMIN is held"));
  EXPECT_THAT(finding.advice, HasSubstr("seccomp"));
}

TEST(Failure, EveryOtherErrorIsANoWithTheAdvice) {
  for (const auto& privileges : {with(0), with(~std::uint64_t{0}, 0)})
    EXPECT_EQ(failure(error_of(EINVAL), privileges, CAP_NET_ADMIN, "upgrade"),
              no("cannot do it: Invalid argument", "upgrade"));
}

}  // namespace
}  // namespace sonde::doctor
