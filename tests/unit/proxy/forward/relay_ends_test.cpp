// SPDX-License-Identifier: Apache-2.0
// Ends of streams, resets, aborts: each is passed on as what it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "joined.hpp"

namespace sonde::proxy::test {
namespace {

int error_of_read(int fd) {
  char byte = 0;
  return ::recv(fd, &byte, 1, MSG_DONTWAIT) < 0 ? errno : 0;
}
bool at_end(int fd) {
  char byte = 0;
  return ::recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}
bool is_open(int fd) { return error_of_read(fd) == EAGAIN; }

struct Ends : testing::Test {
  void start() {
    joined.relay->start();
    joined.settle();
  }
  [[nodiscard]] RelayEndReason reason() {
    EXPECT_TRUE(joined.run_until_ended());
    EXPECT_EQ(joined.told, 1);
    return joined.result ? joined.result->reason : RelayEndReason::stopped;
  }
  Joined joined;
};

TEST_F(Ends, TheClientsStreamFirst) {
  start();
  send_text(joined.client.get(), "question");
  ::shutdown(joined.client.get(), SHUT_WR);
  joined.settle();
  EXPECT_EQ(receive_some(joined.upstream.get()), "question");
  EXPECT_TRUE(at_end(joined.upstream.get()));
  EXPECT_FALSE(joined.result);
  for (int i = 0; i < 3; ++i) {
    send_text(joined.upstream.get(), "answer");
    joined.settle();
    EXPECT_EQ(receive_some(joined.client.get()), "answer");
    EXPECT_TRUE(is_open(joined.client.get()));
  }
  joined.upstream.reset();
  EXPECT_EQ(reason(), RelayEndReason::client_closed);
  EXPECT_TRUE(at_end(joined.client.get()));
}

TEST_F(Ends, TheUpstreamsStreamFirst) {
  start();
  send_text(joined.upstream.get(), "hello");
  ::shutdown(joined.upstream.get(), SHUT_WR);
  joined.settle();
  EXPECT_EQ(receive_some(joined.client.get()), "hello");
  EXPECT_TRUE(at_end(joined.client.get()));
  send_text(joined.client.get(), "still");
  joined.settle();
  EXPECT_EQ(receive_some(joined.upstream.get()), "still");
  EXPECT_TRUE(is_open(joined.upstream.get()));
  ::shutdown(joined.client.get(), SHUT_WR);
  EXPECT_EQ(reason(), RelayEndReason::upstream_closed);
  EXPECT_TRUE(at_end(joined.upstream.get()));
}

std::uint32_t segments_received(const Fd& fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  EXPECT_EQ(::getsockopt(fd.get(), IPPROTO_TCP, TCP_INFO, &info, &size), 0);
  return info.tcpi_segs_in;
}

TEST_F(Ends, TheEndGoesWithTheLastBytes) {
  start();
  const auto before = segments_received(joined.client);
  send_text(joined.upstream.get(), "answer");
  ::shutdown(joined.upstream.get(), SHUT_WR);
  joined.settle();
  EXPECT_EQ(segments_received(joined.client) - before, 1U);
  EXPECT_EQ(receive_some(joined.client.get()), "answer");
  EXPECT_TRUE(at_end(joined.client.get()));
}

// The upstream has gone: the client's second write fails, and what waited for the end goes out before the reset.
TEST_F(Ends, AnAnswerWithItsEndArrivesThoughTheQuestionFailed) {
  start();
  send_text(joined.client.get(), std::string(200'000, 'q'));
  send_text(joined.upstream.get(), "refused");
  joined.upstream.reset();
  EXPECT_EQ(reason(), RelayEndReason::upstream_reset);
  EXPECT_EQ(receive_some(joined.client.get()), "refused");
}

TEST_F(Ends, BothBeforeTheRelayLooked) {
  send_text(joined.client.get(), "a");
  send_text(joined.upstream.get(), "b");
  ::shutdown(joined.client.get(), SHUT_WR);
  ::shutdown(joined.upstream.get(), SHUT_WR);
  joined.relay->start();
  EXPECT_EQ(joined.told, 0) << "told within start()";
  EXPECT_THAT(reason(), testing::AnyOf(RelayEndReason::client_closed, RelayEndReason::upstream_closed));
  EXPECT_EQ(receive_some(joined.upstream.get()), "a");
  EXPECT_EQ(receive_some(joined.client.get()), "b");
  EXPECT_TRUE(at_end(joined.client.get()));
  EXPECT_TRUE(at_end(joined.upstream.get()));
}

TEST_F(Ends, AResetOfTheClient) {
  start();
  send_text(joined.client.get(), "x");
  joined.settle();
  reset(joined.client);
  EXPECT_EQ(reason(), RelayEndReason::client_reset);
  EXPECT_EQ(receive_some(joined.upstream.get()), "x");
  EXPECT_EQ(error_of_read(joined.upstream.get()), ECONNRESET);
}

TEST_F(Ends, AResetOfTheUpstream) {
  start();
  reset(joined.upstream);
  EXPECT_EQ(reason(), RelayEndReason::upstream_reset);
  EXPECT_EQ(error_of_read(joined.client.get()), ECONNRESET);
}

TEST_F(Ends, AResetOvertakesNothing) {
  start();
  const std::string answer(100'000, 'a');
  send_text(joined.upstream.get(), answer);
  reset(joined.upstream);
  EXPECT_EQ(reason(), RelayEndReason::upstream_reset);
  std::string got;
  for (std::string more = receive_some(joined.client.get()); !more.empty(); more = receive_some(joined.client.get()))
    got += more;
  EXPECT_EQ(got, answer);
  EXPECT_EQ(joined.result->total().to_client, answer.size());
}

TEST_F(Ends, AnAnswerBeforeAResetArrivesThoughTheQuestionFailed) {
  start();
  send_text(joined.upstream.get(), "refused");
  reset(joined.upstream);
  send_text(joined.client.get(), "a question that nobody reads");
  EXPECT_EQ(reason(), RelayEndReason::upstream_reset);
  EXPECT_EQ(receive_some(joined.client.get()), "refused");
  EXPECT_EQ(error_of_read(joined.client.get()), ECONNRESET);
}

// close() with nobody to read: the next bytes are answered with a reset.
TEST_F(Ends, BytesForAnUpstreamThatHasGone) {
  start();
  joined.upstream.reset();
  joined.settle();
  EXPECT_TRUE(at_end(joined.client.get()));
  send_text(joined.client.get(), "first");
  joined.settle();
  EXPECT_EQ(reason(), RelayEndReason::upstream_reset);
}

TEST_F(Ends, AResetAfterAHalfClose) {
  start();
  ::shutdown(joined.client.get(), SHUT_WR);
  joined.settle();
  EXPECT_TRUE(at_end(joined.upstream.get()));
  reset(joined.client);
  EXPECT_EQ(reason(), RelayEndReason::client_reset);
  EXPECT_EQ(::send(joined.upstream.get(), "late", 4, MSG_NOSIGNAL), -1);
  EXPECT_EQ(errno, EPIPE);
}

TEST_F(Ends, AResetWhileTheOtherSideReadsNothing) {
  start();
  const Peer sender([&] { send_random(joined.client.get(), 64 << 20, 1, 500'000, false); });
  joined.run_for(300ms);
  ASSERT_FALSE(joined.result);
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(joined.client.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  sockaddr nowhere{.sa_family = AF_UNSPEC, .sa_data = {}};
  ::connect(joined.client.get(), &nowhere, sizeof(nowhere));  // a reset while the other thread sends
  EXPECT_EQ(reason(), RelayEndReason::client_reset);
  EXPECT_EQ(receive(joined.upstream.get()).error, ECONNRESET);
}

TEST_F(Ends, AnAbortResetsBoth) {
  start();
  joined.relay->abort(RelayEndReason::stopped);
  EXPECT_EQ(joined.told, 1);
  EXPECT_EQ(joined.result->reason, RelayEndReason::stopped);
  EXPECT_EQ(error_of_read(joined.client.get()), ECONNRESET);
  EXPECT_EQ(error_of_read(joined.upstream.get()), ECONNRESET);
  joined.relay->abort(RelayEndReason::idle);
  joined.settle();
  EXPECT_EQ(joined.told, 1);
}

TEST_F(Ends, AnAbortRightAfterAnEndInStartTellsAtOnce) {
  ::shutdown(joined.client.get(), SHUT_WR);
  ::shutdown(joined.upstream.get(), SHUT_WR);
  joined.relay->start();
  ASSERT_EQ(joined.told, 0);
  joined.relay->abort(RelayEndReason::stopped);
  EXPECT_EQ(joined.told, 1);
  EXPECT_NE(joined.result->reason, RelayEndReason::idle);
  joined.settle();
  EXPECT_EQ(joined.told, 1);
}

TEST_F(Ends, OneThatIsDestroyedResetsBothAndTellsNobody) {
  start();
  joined.relay.reset();
  EXPECT_EQ(error_of_read(joined.client.get()), ECONNRESET);
  EXPECT_EQ(error_of_read(joined.upstream.get()), ECONNRESET);
  joined.settle();
  EXPECT_EQ(joined.told, 0);
}

TEST_F(Ends, TheObserverMayDestroyIt) {
  joined.destroy_when_told = true;
  start();
  send_text(joined.client.get(), "x");
  ::shutdown(joined.client.get(), SHUT_WR);
  ::shutdown(joined.upstream.get(), SHUT_WR);
  EXPECT_EQ(reason(), RelayEndReason::client_closed);
  EXPECT_FALSE(joined.relay);
}

TEST_F(Ends, TheObserverMayDestroyItInAnAbort) {
  joined.destroy_when_told = true;
  start();
  joined.relay->abort(RelayEndReason::stopped);
  EXPECT_FALSE(joined.relay);
}

TEST_F(Ends, DestroyedBeforeItsNextTurn) {
  const Peer sender([&] { send_random(joined.client.get(), 64 << 20, 1, 500'000, false); });
  const Peer reader([&] { receive(joined.upstream.get()); });
  joined.relay->start();
  for (int i = 0; i < 20; ++i) joined.loop->run_once(5ms);
  joined.relay.reset();
  joined.settle();
}

TEST(RelayEndReasonName, OfEach) {
  EXPECT_STREQ(relay_end_reason_name(RelayEndReason::client_closed), "client-closed");
  EXPECT_STREQ(relay_end_reason_name(RelayEndReason::upstream_reset), "upstream-reset");
  EXPECT_STREQ(relay_end_reason_name(RelayEndReason::half_closed), "half-closed");
  EXPECT_STREQ(relay_end_reason_name(RelayEndReason::stopped), "stopped");
}

}  // namespace
}  // namespace sonde::proxy::test
