// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/loop/loop.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "actuators/proxy/loop/task.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;

struct LoopTest : testing::Test {
  LoopTest() {
    auto made = Loop::make();
    if (made) loop = std::move(*made);
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    EXPECT_TRUE(channel.open(*loop, Fd(fds[0])));
    peer.reset(fds[1]);
  }
  void send(const char* text) { EXPECT_GT(::write(peer.get(), text, std::char_traits<char>::length(text)), 0); }

  std::unique_ptr<Loop> loop;
  Channel channel;
  Fd peer;
};

// -1: nothing came in time.
Task<long> read_some(Loop& loop, Channel& channel, std::chrono::milliseconds patience) {
  const auto deadline = loop.now() + patience;
  for (;;) {
    if (!co_await loop.ready(channel, EPOLLIN, deadline)) co_return -1;
    char bytes[16];
    const long size = ::read(channel.fd(), bytes, sizeof(bytes));
    if (size >= 0) co_return size;
    channel.clear(EPOLLIN);
  }
}

Task<> read_into(Loop& loop, Channel& channel, std::chrono::milliseconds patience, long& size) {
  size = co_await read_some(loop, channel, patience);
  loop.stop();
}

TEST_F(LoopTest, ATaskGoesOnWhenBytesCome) {
  long size = 0;
  auto task = read_into(*loop, channel, 10s, size);
  task.start();
  EXPECT_FALSE(task.done());
  send("abc");
  loop->run();
  EXPECT_TRUE(task.done());
  EXPECT_EQ(size, 3);
}

TEST_F(LoopTest, ADeadlineEndsTheWaitAndIsNotEarly) {
  long size = 0;
  auto task = read_into(*loop, channel, 60ms, size);
  const auto begin = Clock::now();
  task.start();
  loop->run();
  EXPECT_EQ(size, -1);
  EXPECT_GE(Clock::now() - begin, 60ms);
}

TEST_F(LoopTest, AnEndOfStreamIsReady) {
  long size = -2;
  auto task = read_into(*loop, channel, 10s, size);
  task.start();
  peer.reset();
  loop->run();
  EXPECT_EQ(size, 0);
}

TEST_F(LoopTest, ATaskThatIsDestroyedWhileItWaitsIsNotWoken) {
  long size = -2;
  {
    auto task = read_into(*loop, channel, 30ms, size);
    task.start();
  }
  send("abc");
  loop->run_once(100ms);
  loop->run_once(100ms);
  EXPECT_EQ(size, -2);
}

Task<> first_of(Loop& loop, Channel& one, Channel& other, int& which) {
  const Wait waits[] = {{&one, EPOLLIN}, {&other, EPOLLIN}};
  which = co_await loop.any(waits, loop.now() + 10s);
  loop.stop();
}

TEST_F(LoopTest, AnyTellsWhichIsReady) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
  Channel other;
  ASSERT_TRUE(other.open(*loop, Fd(fds[0])));
  const Fd other_peer(fds[1]);
  channel.clear(EPOLLIN);
  other.clear(EPOLLIN);
  int which = -2;
  auto task = first_of(*loop, channel, other, which);
  task.start();
  ASSERT_EQ(::write(other_peer.get(), "x", 1), 1);
  loop->run();
  EXPECT_EQ(which, 1);
}

// A channel that takes over the place of one that was closed while events are handed out gets none of the old one's.
struct Closer : Waker {
  Channel* victim = nullptr;
  Channel* next = nullptr;
  Loop* loop = nullptr;
  int other_end = -1;
  void wake(Channel&) override {
    if (!victim) return;
    victim->close();
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    ASSERT_TRUE(next->open(*loop, Fd(fds[0])));
    next->clear(EPOLLIN | EPOLLOUT);
    other_end = fds[1];
    victim = nullptr;
  }
};

TEST_F(LoopTest, EventsOfAClosedChannelAreForNobodyElse) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
  Channel victim;
  Channel next;
  ASSERT_TRUE(victim.open(*loop, Fd(fds[0])));
  const Fd victim_peer(fds[1]);
  loop->run_once(10ms);  // both are writable
  Closer closer;
  closer.victim = &victim;
  closer.next = &next;
  closer.loop = loop.get();
  channel.set_waker(&closer);
  send("a");
  ASSERT_EQ(::write(victim_peer.get(), "b", 1), 1);
  loop->run_once(10ms);
  EXPECT_EQ(next.ready() & EPOLLIN, 0U);
  ::close(closer.other_end);
}

TEST_F(LoopTest, TimersOfLaterRoundsWaitAndManyFireInTime) {
  std::vector<std::unique_ptr<Timer>> timers;
  int fired = 0;
  int early = 0;
  for (int i = 0; i < 3000; ++i) {
    const auto when = loop->now() + std::chrono::milliseconds(i % 150);
    timers.push_back(std::make_unique<Timer>([&, when] {
      ++fired;
      early += Clock::now() < when;
    }));
    timers.back()->set(*loop, when);
  }
  Timer later([&] { ADD_FAILURE() << "a round too early"; });
  later.set(*loop, loop->now() + 40s);
  for (int i = 0; i < 500; ++i) timers[static_cast<std::size_t>(i)]->cancel();
  const auto end = Clock::now() + 250ms;
  while (Clock::now() < end) loop->run_once(10ms);
  EXPECT_EQ(fired, 2500);
  EXPECT_EQ(early, 0);
  EXPECT_TRUE(later.is_set());
}

TEST_F(LoopTest, WorkOfOtherThreadsRunsOnTheLoops) {
  std::thread::id where;
  std::thread other([&] {
    loop->post([&] { where = std::this_thread::get_id(); });
    loop->stop();
  });
  loop->run();
  other.join();
  EXPECT_EQ(where, std::this_thread::get_id());
}

}  // namespace
}  // namespace sonde::proxy
