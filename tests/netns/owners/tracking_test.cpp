// SPDX-License-Identifier: Apache-2.0
// Each rung of the ladder: what it records for a socket that this process or a child of it opens, passes and uses. The
// oracle is the PID that fork(2) and getpid(2) give.
#include "sensors/owners/owner_tracking.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <thread>

#include "harness/netns.hpp"
#include "peers.hpp"
#include "sensors/owners/rungs.hpp"

namespace sonde::test {
namespace {

using owners::OwnerTracking;

std::uint32_t own_pid() { return static_cast<std::uint32_t>(::getpid()); }

void send_byte(int fd) { EXPECT_EQ(::send(fd, "x", 1, 0), 1); }
/// The rungs; one that this kernel does not have is skipped, and doctor says the same.
class Tracking : public testing::TestWithParam<const char*> {
 protected:
  bool start(std::uint32_t map_size = 65536) {
    auto started = OwnerTracking::start({.hook = GetParam(), .map_size = map_size, .filter = {}});
    if (!started && started.error().kind == ErrorKind::unsupported) {
      skipped_ = started.error().text();
      return false;
    }
    EXPECT_TRUE(started) << started.error().text();
    if (started) tracking_ = std::move(*started);
    return started.has_value();
  }

  [[nodiscard]] sonde_owner record(const Fd& socket) const {
    const auto record = tracking_->recorded(socket.get());
    EXPECT_TRUE(record) << "nothing recorded";
    return record.value_or(sonde_owner{});
  }

  std::unique_ptr<OwnerTracking> tracking_;
  std::string skipped_;
};

#define START(...) \
  if (!start(__VA_ARGS__)) GTEST_SKIP() << skipped_

std::string rung_name(const testing::TestParamInfo<const char*>& info) { return info.param; }

// What only some rungs see, or only some stores do.
class SendTracking : public Tracking {};
class AcceptTracking : public Tracking {};
class SilentTracking : public Tracking {};
class MapTracking : public Tracking {};

INSTANTIATE_TEST_SUITE_P(Rungs, Tracking, testing::Values("fentry", "tracepoint", "kprobe", "cgroup"), rung_name);
INSTANTIATE_TEST_SUITE_P(Rungs, SendTracking, testing::Values("fentry", "tracepoint", "kprobe"), rung_name);
INSTANTIATE_TEST_SUITE_P(Rungs, AcceptTracking, testing::Values("fentry", "kprobe"), rung_name);
INSTANTIATE_TEST_SUITE_P(Rungs, SilentTracking, testing::Values("tracepoint", "cgroup"), rung_name);
INSTANTIATE_TEST_SUITE_P(Rungs, MapTracking, testing::Values("kprobe"), rung_name);

TEST_P(Tracking, NamesWhoMadeTheSocket) {
  START();
  for (const int family : {AF_INET, AF_INET6}) {
    for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
      const Fd socket(::socket(family, type, 0));
      const auto owner = record(socket);
      EXPECT_EQ(owner.opener.pid, own_pid());
      EXPECT_EQ(owner.opener.evidence, SONDE_OWNER_CREATED);
      EXPECT_EQ(owner.opener.uid, ::geteuid());
      EXPECT_STREQ(owner.opener.comm, program_invocation_short_name);
      EXPECT_EQ(owner.user.start_time_ns, 0U);
    }
  }
}

TEST_P(Tracking, TellsTheStartTimeAsProcDoes) {
  START();
  const Fd socket(::socket(AF_INET, SOCK_DGRAM, 0));
  const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  EXPECT_EQ(record(socket).opener.start_time_ns / (1'000'000'000 / ticks_per_second), own_start_ticks());
}

TEST_P(SendTracking, NamesWhoSentLast) {
  START();
  for (const int family : {AF_INET, AF_INET6}) {
    const auto tcp = connect_loopback(family);
    const auto child = in_child([&] { (void)::send(tcp.client.get(), "x", 1, 0); });
    auto owner = record(tcp.client);
    EXPECT_EQ(owner.opener.pid, own_pid());
    EXPECT_EQ(owner.user.pid, static_cast<std::uint32_t>(child));
    EXPECT_EQ(owner.user.evidence, SONDE_OWNER_SENT);
    send_byte(tcp.client.get());
    EXPECT_EQ(record(tcp.client).user.pid, own_pid());
  }
}

TEST_P(SendTracking, NamesTheThread) {
  START();
  const auto tcp = connect_loopback(AF_INET);
  long thread = 0;
  std::thread([&] {
    thread = ::syscall(SYS_gettid);
    send_byte(tcp.client.get());
  }).join();
  const auto owner = record(tcp.client);
  EXPECT_EQ(owner.user.pid, own_pid());
  EXPECT_EQ(owner.user.tid, static_cast<std::uint32_t>(thread));
}

TEST_P(Tracking, NamesWhoSendsDatagrams) {
  START();
  for (const int family : {AF_INET, AF_INET6}) {
    const Fd socket(::socket(family, SOCK_DGRAM, 0));
    sockaddr_storage to{};
    to.ss_family = static_cast<sa_family_t>(family);
    auto& address6 = reinterpret_cast<sockaddr_in6&>(to);
    reinterpret_cast<sockaddr_in&>(to).sin_port = htons(9);
    if (family == AF_INET6)
      address6.sin6_addr = in6addr_loopback;
    else
      reinterpret_cast<sockaddr_in&>(to).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto child =
        in_child([&] { (void)::sendto(socket.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to)); });
    EXPECT_EQ(record(socket).user.pid, static_cast<std::uint32_t>(child)) << family;
  }
}

TEST_P(SendTracking, NamesWhoGotTheSocketPassed) {
  START();
  const auto tcp = connect_loopback(AF_INET);
  const auto child = pass_to_child(tcp.client.get(), [](int fd) { (void)::send(fd, "x", 1, 0); });
  const auto owner = record(tcp.client);
  EXPECT_EQ(owner.user.pid, static_cast<std::uint32_t>(child));
  EXPECT_EQ(owner.opener.pid, own_pid());
}

TEST_P(SendTracking, NamesWhoUsesSendfileAndSplice) {
  START();
  const auto tcp = connect_loopback(AF_INET);
  const Fd file(::open("/proc/self/exe", O_RDONLY));
  const auto by_sendfile = in_child([&] { (void)::sendfile(tcp.client.get(), file.get(), nullptr, 100); });
  EXPECT_EQ(record(tcp.client).user.pid, static_cast<std::uint32_t>(by_sendfile));
  const auto by_splice = in_child([&] {
    int pipe[2];
    if (::pipe(pipe) != 0 || ::write(pipe[1], "x", 1) != 1) return;
    (void)::splice(pipe[0], nullptr, tcp.accepted.get(), nullptr, 1, 0);
  });
  EXPECT_EQ(record(tcp.accepted).user.pid, static_cast<std::uint32_t>(by_splice));
}

TEST_P(AcceptTracking, NamesWhoAcceptsNotWhoListens) {
  START();
  const auto tcp = connect_loopback(AF_INET, false);
  std::uint32_t accepted_by = 0;
  int channel[2];
  ASSERT_EQ(::pipe(channel), 0);
  const auto child = in_child([&] {
    const Fd accepted(::accept(tcp.listener.get(), nullptr, nullptr));
    const auto owner = tracking_->recorded(accepted.get());
    if (owner) accepted_by = owner->opener.pid;
    (void)::write(channel[1], &accepted_by, sizeof(accepted_by));
  });
  EXPECT_EQ(::read(channel[0], &accepted_by, sizeof(accepted_by)), static_cast<ssize_t>(sizeof(accepted_by)));
  EXPECT_EQ(accepted_by, static_cast<std::uint32_t>(child));
  ::close(channel[0]);
  ::close(channel[1]);
}

TEST_P(SilentTracking, NamesWhoClosesAnAcceptedSocketThatNeverSent) {
  START();
  auto tcp = connect_loopback(AF_INET);
  EXPECT_EQ(record(tcp.accepted).inherited, SONDE_INHERITED_ALL);
  EXPECT_EQ(record(tcp.accepted).opener.pid, own_pid());
  const auto child = in_child([&] { ::shutdown(tcp.accepted.get(), SHUT_WR); });
  const auto owner = record(tcp.accepted);
  EXPECT_EQ(owner.inherited, SONDE_INHERITED_OPENER);
  EXPECT_EQ(owner.user.pid, static_cast<std::uint32_t>(child));
  EXPECT_EQ(owner.user.evidence, SONDE_OWNER_CLOSED);
}

TEST_P(SilentTracking, LooksForTheHolderOfAnAcceptedSocketAgain) {
  START();
  const auto tcp = connect_loopback(AF_INET);
  ASSERT_EQ(record(tcp.accepted).inherited, SONDE_INHERITED_ALL);
  ASSERT_TRUE(tracking_->seed());
  const auto owner = record(tcp.accepted);
  EXPECT_EQ(owner.inherited, SONDE_INHERITED_OPENER);
  EXPECT_EQ(owner.user.pid, own_pid());
  EXPECT_EQ(owner.user.evidence, SONDE_OWNER_HOLDS);
}

TEST_P(Tracking, FindsSocketsOlderThanItself) {
  const auto tcp = connect_loopback(AF_INET6);
  const Fd udp(::socket(AF_INET, SOCK_DGRAM, 0));
  START();
  for (const auto* socket : {&tcp.listener, &tcp.client, &tcp.accepted, &udp}) {
    const auto owner = record(*socket);
    EXPECT_EQ(owner.opener.pid, own_pid());
    EXPECT_EQ(owner.opener.evidence, SONDE_OWNER_HOLDS);
  }
}

TEST_P(Tracking, OfSeveralHoldersTheOldestIsTheOpener) {
  const Fd socket(::socket(AF_INET, SOCK_STREAM, 0));
  int channel[2];
  ASSERT_EQ(::pipe(channel), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    ::_exit(::read(channel[0], &byte, 1) == 1 ? 0 : 1);
  }
  if (start()) {
    const auto owner = record(socket);
    EXPECT_EQ(owner.opener.pid, own_pid());
    EXPECT_EQ(owner.user.pid, static_cast<std::uint32_t>(child));
    EXPECT_EQ(owner.user.evidence, SONDE_OWNER_HOLDS);
  }
  EXPECT_EQ(::write(channel[1], "x", 1), 1);
  ::waitpid(child, nullptr, 0);
  ::close(channel[0]);
  ::close(channel[1]);
  if (!skipped_.empty()) GTEST_SKIP() << skipped_;
}

TEST_P(Tracking, SeesEveryNetworkNamespace) {
  START();
  const NetworkNamespace other;
  other.call([&] {
    const auto tcp = connect_loopback(AF_INET);
    send_byte(tcp.client.get());
    EXPECT_EQ(record(tcp.client).opener.pid, own_pid());
  });
}

TEST_P(MapTracking, CountsWhatTheMapPushesOut) {
  START(64);
  std::vector<Fd> sockets;
  sockets.reserve(4096);
  for (int i = 0; i < 4096; ++i) sockets.emplace_back(::socket(AF_INET, SOCK_DGRAM, 0));
  bool told = false;
  for (const auto& notice : tracking_->notices()) told = told || notice.find("pushed out") != std::string::npos;
  EXPECT_TRUE(told);
}

// The second one runs no hooks of its own, and keeps those of the first when that ends.
TEST(Sharing, OutlivesWhoAttached) {
  auto first = OwnerTracking::start({});
  ASSERT_TRUE(first) << first.error().text();
  const auto second = OwnerTracking::start({});
  ASSERT_TRUE(second) << second.error().text();
  EXPECT_NE((*second)->notices().front().find("shared with another sonde"), std::string::npos);
  const Fd before(::socket(AF_INET, SOCK_DGRAM, 0));
  first->reset();
  const Fd after(::socket(AF_INET, SOCK_DGRAM, 0));
  for (const auto* socket : {&before, &after}) {
    const auto owner = (*second)->recorded(socket->get());
    ASSERT_TRUE(owner);
    EXPECT_EQ(owner->opener.pid, own_pid());
    EXPECT_EQ(owner->opener.evidence, SONDE_OWNER_CREATED);
  }
}

TEST(Ladder, NamesTheRungsForAWrongWord) {
  const auto started = OwnerTracking::start({.hook = "fentri", .filter = {}});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::usage);
  EXPECT_NE(started.error().text().find("'fentri'"), std::string::npos);
  EXPECT_NE(started.error().text().find("fentry, tracepoint, kprobe, cgroup"), std::string::npos);
}

TEST(Ladder, SaysWhichRungItTook) {
  const auto started = OwnerTracking::start({});
  ASSERT_TRUE(started) << started.error().text();
  EXPECT_EQ((*started)->notices().front().rfind("owners by ", 0), 0U);
}

}  // namespace
}  // namespace sonde::test
