// SPDX-License-Identifier: Apache-2.0
// Limits of time, and what a path of the kernel is told and asked.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>

#include "joined.hpp"

namespace sonde::proxy::test {
namespace {

bool at_end(int fd) {
  char byte = 0;
  return ::recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

JoinedOptions with_times(std::chrono::milliseconds idle, std::chrono::milliseconds half_closed) {
  JoinedOptions options;
  options.relay.idle = idle;
  options.relay.half_closed = half_closed;
  return options;
}

TEST(RelayTime, IdleEndsIt) {
  Joined joined(with_times(150ms, 1h));
  const auto begin = Clock::now();
  joined.relay->start();
  ASSERT_TRUE(joined.run_until_ended());
  EXPECT_EQ(joined.result->reason, RelayEndReason::idle);
  EXPECT_GE(Clock::now() - begin, 150ms);
  EXPECT_EQ(receive(joined.client.get()).error, ECONNRESET);
  EXPECT_EQ(receive(joined.upstream.get()).error, ECONNRESET);
}

// Longer together than the limit, and each pause much shorter: a busy machine may stop the test for a while.
TEST(RelayTime, AnyByteEitherWayPutsItOff) {
  Joined joined(with_times(1s, 1h));
  joined.relay->start();
  auto last = Clock::now();
  for (int i = 0; i < 6; ++i) {
    joined.run_for(200ms);
    ASSERT_FALSE(joined.result) << i;
    last = Clock::now();
    send_text((i % 2 == 0 ? joined.client : joined.upstream).get(), "x");
  }
  ASSERT_TRUE(joined.run_until_ended());
  EXPECT_GE(Clock::now() - last, 1s);
}

TEST(RelayTime, HalfClosedHasItsOwn) {
  Joined joined(with_times(1h, 1s));
  joined.relay->start();
  joined.run_for(1200ms);
  ASSERT_FALSE(joined.result);
  ::shutdown(joined.client.get(), SHUT_WR);
  auto last = Clock::now();
  for (int i = 0; i < 6; ++i) {
    joined.run_for(200ms);
    ASSERT_FALSE(joined.result) << i;
    last = Clock::now();
    send_text(joined.upstream.get(), "x");
  }
  ASSERT_TRUE(joined.run_until_ended());
  EXPECT_EQ(joined.result->reason, RelayEndReason::half_closed);
  EXPECT_GE(Clock::now() - last, 1s);
}

/// A path that does as it is told.
struct Told {
  int begun = 0;
  Carried carried;
  bool delivered = true;
  bool may_write = true;
  int asked = 0;
  bool destroyed = false;
  bool open_when_destroyed = false;
  int fd = -1;
};
class ToldRelay : public KernelRelay {
 public:
  explicit ToldRelay(Told& told) : told_(told) {}
  ~ToldRelay() override {
    told_.destroyed = true;
    int type = 0;
    socklen_t size = sizeof(type);
    told_.open_when_destroyed = ::getsockopt(told_.fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
  }
  void begin() override { ++told_.begun; }
  [[nodiscard]] Carried carried() const override { return told_.carried; }
  [[nodiscard]] bool delivered(Direction) override {
    ++told_.asked;
    return told_.delivered;
  }
  [[nodiscard]] bool may_write(Direction) override { return told_.may_write; }

 private:
  Told& told_;
};

struct KernelPathOfRelay : testing::Test {
  void make(JoinedOptions options = {}) {
    options.kernel = std::make_unique<ToldRelay>(told);
    joined = std::make_unique<Joined>(std::move(options));
    told.fd = joined->relay_client_fd;
  }
  Told told;
  std::unique_ptr<Joined> joined;
};

TEST_F(KernelPathOfRelay, BeginsOnceWhatWasHeldHasBeenWritten) {
  JoinedOptions options;
  options.buffer = 4096;
  options.first = std::string(60'000, 'h');
  make(std::move(options));
  send_text(joined->client.get(), "later");
  joined->relay->start();
  joined->settle();
  EXPECT_EQ(told.begun, 0);
  std::string got;
  ASSERT_TRUE(joined->run_until([&] { return (got += receive_some(joined->upstream.get())).size() == 60'005; }));
  EXPECT_EQ(told.begun, 1);
  EXPECT_EQ(got, std::string(60'000, 'h') + "later");
}

TEST_F(KernelPathOfRelay, BeginsAtOnceWithNothingHeld) {
  make();
  EXPECT_EQ(told.begun, 0);
  joined->relay->start();
  EXPECT_EQ(told.begun, 1);
}

TEST_F(KernelPathOfRelay, AnEndWaitsForDelivery) {
  make();
  joined->relay->start();
  told.delivered = false;
  ::shutdown(joined->client.get(), SHUT_WR);
  joined->run_for(100ms);
  EXPECT_FALSE(at_end(joined->upstream.get()) && errno == 0);
  const int asked = told.asked;
  EXPECT_GE(asked, 2);
  EXPECT_LE(asked, 45);
  told.delivered = true;
  ASSERT_TRUE(joined->run_until([&] { return at_end(joined->upstream.get()); }));
  joined->upstream.reset();
  ASSERT_TRUE(joined->run_until_ended());
  EXPECT_EQ(joined->result->reason, RelayEndReason::client_closed);
}

TEST_F(KernelPathOfRelay, BytesWaitForThoseBeforeThem) {
  make();
  joined->relay->start();
  told.may_write = false;
  send_text(joined->client.get(), "later");
  send_text(joined->upstream.get(), "later, too");
  joined->run_for(100ms);
  EXPECT_EQ(receive_some(joined->upstream.get()), "");
  EXPECT_EQ(receive_some(joined->client.get()), "");
  told.may_write = true;
  joined->settle();
  EXPECT_EQ(receive_some(joined->upstream.get()), "later");
  EXPECT_EQ(receive_some(joined->client.get()), "later, too");
}

TEST_F(KernelPathOfRelay, WhatItCarriesIsNotIdle) {
  make(with_times(200ms, 1h));
  joined->relay->start();
  for (int i = 0; i < 10; ++i) {
    joined->run_for(60ms);
    ASSERT_FALSE(joined->result) << i;
    told.carried.to_client += 1;
  }
  ASSERT_TRUE(joined->run_until_ended());
  EXPECT_EQ(joined->result->reason, RelayEndReason::idle);
  EXPECT_EQ(joined->result->kernel.to_client, 10U);
}

TEST_F(KernelPathOfRelay, IsGoneBeforeTheSocketsAre) {
  make();
  joined->relay->start();
  told.carried = {100, 200};
  send_text(joined->client.get(), "abc");
  joined->settle();
  EXPECT_EQ(joined->relay->so_far().total().to_upstream, 103U);
  joined->client.reset();
  joined->upstream.reset();
  ASSERT_TRUE(joined->run_until_ended());
  EXPECT_TRUE(told.destroyed);
  EXPECT_TRUE(told.open_when_destroyed);
  EXPECT_EQ(joined->result->kernel.to_upstream, 100U);
  EXPECT_EQ(joined->relay->so_far().total().to_client, 200U);
}

}  // namespace
}  // namespace sonde::proxy::test
