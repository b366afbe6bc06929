// SPDX-License-Identifier: Apache-2.0
// What a relay may hold: memory, pipes, the loop, and for how long.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <new>

#include "joined.hpp"

namespace {
std::atomic<std::size_t> allocated = 0;  // bytes, by new
}

// Not inlined: the compiler would take malloc() and operator delete for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  allocated += ::malloc_usable_size(memory);
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  allocated -= ::malloc_usable_size(memory);
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

namespace sonde::proxy::test {
namespace {

std::size_t pipes_open() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry.path(), gone).string().starts_with("pipe:")) ++count;
  }
  return count / 2;
}

struct Limits : testing::TestWithParam<bool> {
  [[nodiscard]] static JoinedOptions options(int buffer = 0) {
    JoinedOptions made;
    made.relay.splice = GetParam();
    made.buffer = buffer;
    return made;
  }
};
INSTANTIATE_TEST_SUITE_P(Relay, Limits, testing::Values(true, false),
                         [](const auto& splice) { return splice.param ? "splice" : "copy"; });

// What the sender got rid of is in the four buffers of sockets and in what one read brought.
TEST_P(Limits, AReaderThatStallsHoldsBoundedMemory) {
  constexpr int buffer = 100'000;
  Joined joined(options(buffer));
  Stream sent;
  Stream got;
  {
    std::atomic<bool> read_now = false;
    const Peer sender([&] { sent = send_random(joined.client.get(), 30'000'000, 11, 300'000, false); });
    const Peer reader([&] {
      while (!read_now) std::this_thread::sleep_for(1ms);
      got = receive(joined.upstream.get());
      ::shutdown(joined.upstream.get(), SHUT_WR);
    });
    joined.relay->start();
    joined.run_for(300ms);
    const auto before = joined.relay->so_far().total().to_upstream;
    joined.run_for(300ms);
    EXPECT_EQ(joined.relay->so_far().total().to_upstream, before) << "it goes on without a reader";
    EXPECT_LE(before, 4U * buffer) << "more was written than the upstream's buffers hold";
    int unread = 0;
    socklen_t size = sizeof(unread);
    ASSERT_EQ(::getsockopt(joined.relay_client_fd, SOL_SOCKET, SO_RCVBUF, &unread, &size), 0);
    EXPECT_LE(unread, 4 * buffer) << "the receive buffer has grown";
    read_now = true;
    EXPECT_TRUE(joined.run_until_ended());
  }
  EXPECT_EQ(sent, got);
}

TEST_P(Limits, TheOtherDirectionGoesOnPastAStall) {
  Joined joined(options(50'000));
  const Peer sender([&] { send_random(joined.client.get(), 5'000'000, 12, 300'000, false); });
  joined.relay->start();
  joined.run_for(200ms);
  for (int i = 0; i < 20; ++i) {
    send_text(joined.upstream.get(), "news");
    std::string got;
    ASSERT_TRUE(joined.run_until([&] { return (got += receive_some(joined.client.get())).size() == 4; }));
    EXPECT_EQ(got, "news");
  }
  joined.relay->abort(RelayEndReason::stopped);
}

TEST_P(Limits, NoTurnIsLong) {
  Joined joined(options());
  const Peer sender([&] { send_random(joined.client.get(), 60'000'000, 13, 1'000'000, false); });
  const Peer reader([&] {
    receive(joined.upstream.get(), 1'000'000);
    ::shutdown(joined.upstream.get(), SHUT_WR);
  });
  joined.relay->start();
  std::uint64_t before = joined.relay->so_far().total().to_upstream;
  std::uint64_t longest = 0;
  const auto deadline = Clock::now() + 20s;
  while (!joined.result && Clock::now() < deadline) {
    joined.loop->run_once(20ms);
    const std::uint64_t now = joined.relay->so_far().total().to_upstream;
    longest = std::max(longest, now - before);
    before = now;
  }
  EXPECT_EQ(before, 60'000'000U);
  // Half a MiB and one more read; twice, if it has an event and a turn in the same batch.
  EXPECT_LE(longest, 2U * ((1U << 19) + (1U << 20)));
}

TEST(RelayPipes, AreOnlyHeldWhileThereIsSomethingInThem) {
  Joined joined;
  const std::size_t none = pipes_open();
  joined.relay->start();
  for (int i = 0; i < 100; ++i) {
    send_text(joined.client.get(), std::string(1000, 'x'));
    std::string got;
    ASSERT_TRUE(joined.run_until([&] { return (got += receive_some(joined.upstream.get())).size() == 1000; }));
  }
  EXPECT_EQ(pipes_open(), none) << "for little";
  for (int i = 0; i < 20; ++i) {
    std::size_t got = 0;
    send_text(joined.client.get(), std::string(500'000, 'y'));
    ASSERT_TRUE(joined.run_until([&] { return (got += receive_some(joined.upstream.get()).size()) == 500'000; }));
  }
  EXPECT_EQ(pipes_open(), none + 1) << "kept by the pool";
  joined.relay.reset();
  joined.pool.reset();
  EXPECT_EQ(pipes_open(), none);
}

TEST(RelayMemory, OfAnIdleConnectionIsBelowOneKiB) {
  constexpr int count = 200;
  Joined base;
  struct Nobody : RelayObserver {
    void relay_ended(Relay&, const RelayResult&) override {}
  } nobody;
  std::vector<Fd> peers;
  std::vector<std::unique_ptr<Relay>> relays;
  peers.reserve(4U * count);
  relays.reserve(count);
  const auto channel = [&] {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    auto made = std::make_unique<Channel>();
    EXPECT_TRUE(made->open(*base.loop, Fd(fds[0])));
    peers.emplace_back(fds[1]);
    return made;
  };
  const std::size_t before = allocated;
  for (int i = 0; i < count; ++i) {
    auto client = channel();
    auto upstream = channel();
    relays.push_back(std::make_unique<Relay>(*base.loop, *base.pool, std::move(client), std::move(upstream),
                                             std::vector<std::uint8_t>(2000, 'h'), nullptr, RelayOptions{}, nobody));
    relays.back()->start();
    EXPECT_EQ(receive_some(peers.back().get()).size(), 2000U);
    send_text(peers[peers.size() - 2].get(), std::string(100, 'a'));
  }
  base.run_for(50ms);
  EXPECT_EQ(receive_some(peers.back().get()).size(), 100U);
  const std::size_t each = (allocated - before) / count;
  EXPECT_GT(each, 200U) << "nothing is counted";
  EXPECT_LT(each, 1024U);
  RecordProperty("bytes", static_cast<int>(each));
}

}  // namespace
}  // namespace sonde::proxy::test
