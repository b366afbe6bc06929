// SPDX-License-Identifier: Apache-2.0
#include "enrich/process/owner_resolver.hpp"

#include <gtest/gtest.h>

#include "fake_proc.hpp"

namespace sonde::enrich {
namespace {

using test::FakeProc;
using test::make_task;

class Resolver : public testing::Test {
 protected:
  FakeProc proc;
  ProcessTable table{proc.path(), 64, ""};

  static sonde_socket_owner raw(const sonde_task& opener, const sonde_task& user,
                                sonde_owner_method method = SONDE_METHOD_SK_STORAGE) {
    sonde_socket_owner owner{};
    owner.opener = opener;
    owner.user = user;
    owner.method = method;
    return owner;
  }
  static sonde_task task(std::uint32_t pid, sonde_owner_evidence evidence) {
    return make_task({.pid = pid, .start_time_ns = pid * 10'000'000ULL, .comm = "p", .evidence = evidence});
  }
};

TEST_F(Resolver, SaysWhyItIsUnknown) {
  sonde_socket_owner none{};
  none.reason = SONDE_REASON_TIME_WAIT;
  const auto owner = resolve_owner(none, table);
  EXPECT_FALSE(owner.owner.known());
  EXPECT_EQ(owner.owner.reason, SONDE_REASON_TIME_WAIT);
  EXPECT_EQ(owner.owner.process, nullptr);
  EXPECT_FALSE(owner.opener);
  EXPECT_EQ(table.size(), 0U);
}

TEST_F(Resolver, AnEmptyRecordIsNotRecorded) {
  const auto owner = resolve_owner(raw({}, {}), table);
  EXPECT_FALSE(owner.owner.known());
  EXPECT_EQ(owner.owner.reason, SONDE_REASON_NOT_RECORDED);
}

TEST_F(Resolver, NamesTheOneThatUsedItsOwnSocket) {
  const auto owner = resolve_owner(raw(task(7, SONDE_OWNER_CREATED), task(7, SONDE_OWNER_SENT)), table);
  EXPECT_EQ(owner.owner.pid, 7U);
  EXPECT_EQ(owner.owner.method, OwnerMethod::sk_storage);
  EXPECT_EQ(owner.owner.confidence, OwnerConfidence::high);
  EXPECT_EQ(owner.owner.evidence, SONDE_OWNER_SENT);
  EXPECT_EQ(owner.owner.comm, "p");
  ASSERT_NE(owner.owner.process, nullptr);
  EXPECT_EQ(owner.owner.process->pid, 7U);
  EXPECT_FALSE(owner.opener);
}

TEST_F(Resolver, NamesTheOpenerOfAPassedSocket) {
  const auto owner = resolve_owner(raw(task(7, SONDE_OWNER_CREATED), task(8, SONDE_OWNER_SENT)), table);
  EXPECT_EQ(owner.owner.pid, 8U);
  EXPECT_EQ(owner.owner.confidence, OwnerConfidence::medium);
  ASSERT_TRUE(owner.opener);
  EXPECT_EQ(owner.opener->pid, 7U);
  EXPECT_EQ(owner.opener->evidence, SONDE_OWNER_CREATED);
}

TEST_F(Resolver, AReusedPidIsAnotherProcess) {
  auto later = task(7, SONDE_OWNER_SENT);
  later.start_time_ns += 50'000'000;
  const auto owner = resolve_owner(raw(task(7, SONDE_OWNER_CREATED), later), table);
  ASSERT_TRUE(owner.opener);
  EXPECT_EQ(owner.owner.process->start_time_ns, later.start_time_ns);
  EXPECT_NE(owner.opener->process, owner.owner.process);
}

TEST_F(Resolver, TakesTheOpenerWhenNobodyUsedIt) {
  const auto owner = resolve_owner(raw(task(7, SONDE_OWNER_CREATED), {}), table);
  EXPECT_EQ(owner.owner.pid, 7U);
  EXPECT_EQ(owner.owner.confidence, OwnerConfidence::high);
  EXPECT_FALSE(owner.opener);
}

TEST_F(Resolver, AFileTableIsHalfAProof) {
  const auto held = resolve_owner(raw(task(7, SONDE_OWNER_HOLDS), {}, SONDE_METHOD_ITER), table);
  EXPECT_EQ(held.owner.method, OwnerMethod::iter);
  EXPECT_EQ(held.owner.confidence, OwnerConfidence::medium);
  const auto used = resolve_owner(raw(task(7, SONDE_OWNER_HOLDS), task(7, SONDE_OWNER_SENT)), table);
  EXPECT_EQ(used.owner.method, OwnerMethod::sk_storage);
  EXPECT_EQ(used.owner.confidence, OwnerConfidence::high);
}

TEST_F(Resolver, AddressesAndTheListenersRecordAreWeak) {
  const auto tuple = resolve_owner(raw(task(7, SONDE_OWNER_CREATED), {}, SONDE_METHOD_TUPLE), table);
  EXPECT_EQ(tuple.owner.method, OwnerMethod::tuple);
  EXPECT_EQ(tuple.owner.confidence, OwnerConfidence::low);
  auto inherited = raw(task(7, SONDE_OWNER_CREATED), task(7, SONDE_OWNER_ACCEPTED));
  inherited.inherited = 1;
  EXPECT_EQ(resolve_owner(inherited, table).owner.confidence, OwnerConfidence::low);
  const auto cookie = resolve_owner(raw(task(7, SONDE_OWNER_CREATED), {}, SONDE_METHOD_COOKIE), table);
  EXPECT_EQ(cookie.owner.method, OwnerMethod::cookie);
}

}  // namespace
}  // namespace sonde::enrich
