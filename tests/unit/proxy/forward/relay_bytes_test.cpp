// SPDX-License-Identifier: Apache-2.0
// Every byte arrives, once and in order, through pipes and through memory.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "joined.hpp"

namespace sonde::proxy::test {
namespace {

struct Bytes : testing::TestWithParam<bool> {
  [[nodiscard]] static JoinedOptions options(int buffer = 0) {
    JoinedOptions made;
    made.relay.splice = GetParam();
    made.buffer = buffer;
    return made;
  }
};
INSTANTIATE_TEST_SUITE_P(Relay, Bytes, testing::Values(true, false),
                         [](const auto& splice) { return splice.param ? "splice" : "copy"; });

void expect_both_ways(JoinedOptions options, std::uint64_t out, std::uint64_t back, std::size_t most, bool pauses,
                      std::uint64_t seed) {
  const std::string first = options.first;
  const bool splice = options.relay.splice;
  Joined joined(std::move(options));
  Stream out_sent;
  Stream out_got;
  Stream back_sent;
  Stream back_got;
  {
    const Peer a([&] { out_sent = send_random(joined.client.get(), out, seed, most, pauses); });
    const Peer b([&] { out_got = receive(joined.upstream.get()); });
    const Peer c([&] { back_sent = send_random(joined.upstream.get(), back, seed + 1, most, pauses); });
    const Peer d([&] { back_got = receive(joined.client.get()); });
    joined.relay->start();
    const bool ended = joined.run_until_ended(60s);
    EXPECT_TRUE(ended);
    if (!ended) {  // lets the peers go
      ::shutdown(joined.client.get(), SHUT_RDWR);
      ::shutdown(joined.upstream.get(), SHUT_RDWR);
    }
  }
  Stream expected;
  expected.add(reinterpret_cast<const std::uint8_t*>(first.data()), first.size());
  if (first.empty()) {
    EXPECT_EQ(out_sent, out_got);
  } else {
    EXPECT_EQ(out_sent.bytes + first.size(), out_got.bytes);
  }
  EXPECT_EQ(back_sent, back_got);
  EXPECT_EQ(out_sent.bytes, out);
  EXPECT_EQ(back_sent.bytes, back);
  ASSERT_TRUE(joined.result);
  EXPECT_EQ(joined.result->total().to_upstream, out + first.size());
  EXPECT_EQ(joined.result->total().to_client, back);
  EXPECT_TRUE(splice || joined.result->spliced.to_upstream + joined.result->spliced.to_client == 0);
  EXPECT_EQ(joined.told, 1);
}

TEST_P(Bytes, MuchBothWays) { expect_both_ways(options(), 30'000'000, 50'000'000, 200'000, true, 1); }

TEST_P(Bytes, AsFastAsTheyCome) { expect_both_ways(options(), 100'000'000, 3'000, 1'000'000, false, 2); }

TEST_P(Bytes, SmallPieces) { expect_both_ways(options(), 300'000, 300'000, 30, true, 3); }

TEST_P(Bytes, TinyBuffersOfSockets) { expect_both_ways(options(4096), 700'000, 900'000, 20'000, false, 4); }

TEST_P(Bytes, NothingAtAll) { expect_both_ways(options(), 0, 0, 1, false, 5); }

TEST_P(Bytes, OneWayOnly) { expect_both_ways(options(), 0, 5'000'000, 100'000, true, 6); }

TEST_P(Bytes, WhatWasHeldGoesFirst) {
  auto made = options(4096);
  made.first = std::string(60'000, 'h') + "!";
  Joined joined(std::move(made));
  send_text(joined.client.get(), "and then this");
  joined.relay->start();
  std::string got;
  ASSERT_TRUE(joined.run_until([&] {
    got += receive_some(joined.upstream.get());
    return got.size() >= 60'014;
  }));
  EXPECT_EQ(got, std::string(60'000, 'h') + "!and then this");
  EXPECT_EQ(joined.relay->so_far().copied.to_upstream, 60'014U);
}

TEST_P(Bytes, BulkGoesThroughPipes) {
  Joined joined(options());
  Stream sent;
  Stream got;
  {
    const Peer a([&] { sent = send_random(joined.client.get(), 50'000'000, 7, 500'000, false); });
    const Peer b([&] {
      got = receive(joined.upstream.get());
      ::shutdown(joined.upstream.get(), SHUT_WR);
    });
    joined.relay->start();
    EXPECT_TRUE(joined.run_until_ended());
  }
  EXPECT_EQ(sent, got);
  const std::uint64_t spliced = joined.result->spliced.to_upstream;
  if (GetParam())
    EXPECT_GT(spliced, 25'000'000U);
  else
    EXPECT_EQ(spliced, 0U);
}

// An urgent byte stays where it is in the stream, whether the reader knows of such or not.
TEST_P(Bytes, UrgentBytesArriveInLine) {
  Joined joined(options());
  joined.relay->start();
  std::string expected;
  std::string got;
  for (int i = 0; i < 50; ++i) {
    const std::string before(i % 5 == 0 ? 150'000 : i * 7 + 1, static_cast<char>('a' + i % 26));
    send_text(joined.client.get(), before);
    ASSERT_EQ(::send(joined.client.get(), "U", 1, MSG_OOB), 1);
    if (i % 3 != 0) send_text(joined.client.get(), "after");
    expected += before + "U" + (i % 3 != 0 ? "after" : "");
    ASSERT_TRUE(joined.run_until([&] {
      got += receive_some(joined.upstream.get());
      return got.size() >= expected.size();
    })) << i
        << ": " << got.size() << " of " << expected.size();
  }
  EXPECT_EQ(got, expected);
  ::shutdown(joined.client.get(), SHUT_WR);
  ::shutdown(joined.upstream.get(), SHUT_WR);
  EXPECT_TRUE(joined.run_until_ended());
}

TEST_P(Bytes, SmallOnesAreNotDelayed) {
  Joined joined(options());
  joined.relay->start();
  joined.settle();
  for (const int fd : {joined.relay_client_fd, joined.relay_upstream_fd}) {
    int value = 0;
    socklen_t size = sizeof(value);
    ASSERT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
    EXPECT_EQ(value, 1);
  }
}

}  // namespace
}  // namespace sonde::proxy::test
