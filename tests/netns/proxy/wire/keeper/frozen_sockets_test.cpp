// SPDX-License-Identifier: Apache-2.0
// What frozen sockets send, judged by the kernel's counters of segments and of packets.
#include "actuators/proxy/wire/frozen_sockets.hpp"

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <sstream>
#include <string>
#include <thread>

#include "base/socket_address.hpp"
#include "harness/netns.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;

struct Sent {
  std::uint64_t segments = 0, resets = 0, packets = 0;
  friend bool operator==(const Sent&, const Sent&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Sent& sent) {
    return out << sent.segments << " segments, " << sent.resets << " resets, " << sent.packets << " packets";
  }
};

struct Case {
  const char* name;
  Endpoint address;
  int option;  ///< of the listener
};

// A connection over loopback: `client` is the remote end, `server` the proxy's, whose listener stays.
class FrozenSockets : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    where_.call([&] { connect(); });
  }

  void connect() {
    const SocketAddress address(GetParam().address);
    const int one = 1;
    listener_.reset(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::setsockopt(listener_.get(), SOL_SOCKET, GetParam().option, &one, sizeof(one)), 0);
    ASSERT_EQ(::bind(listener_.get(), address.get(), address.size()), 0);
    ASSERT_EQ(::listen(listener_.get(), 8), 0);
    const SocketAddress bound(local_endpoint(listener_.get()));
    client_.reset(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(client_.get(), bound.get(), bound.size()), 0);
    server_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ASSERT_TRUE(server_);
    local_ = local_endpoint(server_.get());
    remote_ = remote_endpoint(server_.get());
    std::this_thread::sleep_for(20ms);
  }

  [[nodiscard]] Sent sent() const {
    std::istringstream lines(
        where_.run("awk '/^Tcp:/ {r = $15; s = $12} END {print s, r}' /proc/net/snmp; "
                   "awk '/lo:/ {print $11}' /proc/net/dev"));
    Sent sent;
    lines >> sent.segments >> sent.resets >> sent.packets;
    return sent;
  }

  [[nodiscard]] static std::uint32_t sequence(int fd, int queue) {
    std::uint32_t number = 0;
    socklen_t size = sizeof(number);
    EXPECT_EQ(::setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)), 0);
    EXPECT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &number, &size), 0);
    return number;
  }

  // Errno of the client's next read, 0 at its end, EAGAIN if it goes on.
  [[nodiscard]] int read_client() const {
    char byte = 0;
    const auto size = ::recv(client_.get(), &byte, 1, MSG_DONTWAIT);
    return size < 0 ? errno : static_cast<int>(size);
  }

  test::NetworkNamespace where_{test::NetworkNamespace::Ipv6::on};
  Fd listener_, client_, server_;
  Endpoint local_, remote_;
};

TEST_P(FrozenSockets, closing_sends_nothing) {
  const auto before = sent();
  ASSERT_TRUE(freeze_socket(server_.get()));
  server_.reset();
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(sent(), before);
  EXPECT_EQ(read_client(), EAGAIN);
}

// The oracle sees a close that is not frozen.
TEST_P(FrozenSockets, an_ordinary_close_is_seen) {
  const auto before = sent();
  server_.reset();
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(sent().segments, before.segments + 2);
  EXPECT_EQ(read_client(), 0);
}

TEST_P(FrozenSockets, the_end_of_the_process_sends_nothing) {
  const auto before = sent();
  const auto child = ::fork();
  if (child == 0) {
    if (!freeze_socket(server_.get())) ::_exit(1);
    ::raise(SIGSTOP);  // the parent closes its copy
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
  ASSERT_TRUE(WIFSTOPPED(status));
  server_.reset();
  ASSERT_EQ(::kill(child, SIGCONT), 0);
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(sent(), before);
  EXPECT_EQ(read_client(), EAGAIN);
}

TEST_P(FrozenSockets, thawing_sends_nothing_and_it_works_again) {
  const auto before = sent();
  ASSERT_TRUE(freeze_socket(server_.get()));
  ASSERT_TRUE(thaw_socket(server_.get()));
  EXPECT_EQ(sent(), before);
  ASSERT_EQ(::send(server_.get(), "x", 1, 0), 1);
  EXPECT_EQ(read_client(), 1);
  // A listener can be bound beside it.
  where_.call([&] {
    listener_.reset();
    const SocketAddress address(local_);
    const Fd again(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int one = 1;
    ::setsockopt(again.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    EXPECT_EQ(::bind(again.get(), address.get(), address.size()), 0);
    EXPECT_EQ(::listen(again.get(), 1), 0);
  });
}

TEST_P(FrozenSockets, a_reserved_one_is_silent_and_keeps_the_ends) {
  ASSERT_TRUE(freeze_socket(server_.get()));
  where_.call([&] {
    const auto refused = reserve_socket(local_, remote_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, EADDRNOTAVAIL);
  });
  server_.reset();
  const auto before = sent();
  where_.call([&] {
    auto reserved = reserve_socket(local_, remote_);
    ASSERT_TRUE(reserved) << reserved.error().text();
    EXPECT_EQ(local_endpoint(reserved->get()), local_);
    EXPECT_EQ(remote_endpoint(reserved->get()), remote_);
    EXPECT_FALSE(reserve_socket(local_, remote_)) << "the ends are given twice";
    EXPECT_EQ(sent(), before);
    reserved->reset();
    std::this_thread::sleep_for(50ms);
    EXPECT_EQ(sent(), before);
    EXPECT_EQ(read_client(), EAGAIN);
    EXPECT_TRUE(reserve_socket(local_, remote_)) << "the ends are free again";
  });
}

TEST_P(FrozenSockets, the_remote_accepts_the_reset) {
  ASSERT_TRUE(freeze_socket(server_.get()));
  const auto next_sent = sequence(server_.get(), TCP_SEND_QUEUE);
  const auto next_received = sequence(server_.get(), TCP_RECV_QUEUE);
  server_.reset();
  const auto before = sent();
  where_.call([&] {
    const auto reset = reset_remote(local_, remote_, next_sent, next_received);
    ASSERT_TRUE(reset) << reset.error().text();
  });
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(read_client(), ECONNRESET);
  const auto after = sent();
  EXPECT_EQ(after.resets, before.resets + 1);
  EXPECT_EQ(after.segments, before.segments + 1);
}

// RFC 5961: one with another sequence number only makes the remote ask.
TEST_P(FrozenSockets, a_reset_of_another_number_is_not_accepted) {
  ASSERT_TRUE(freeze_socket(server_.get()));
  const auto next_sent = sequence(server_.get(), TCP_SEND_QUEUE);
  const auto next_received = sequence(server_.get(), TCP_RECV_QUEUE);
  server_.reset();
  where_.call([&] { ASSERT_TRUE(reset_remote(local_, remote_, next_sent - 100'000, next_received)); });
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(read_client(), EAGAIN);
}

Endpoint loopback(bool ipv6) {
  Endpoint endpoint;
  if (ipv6)
    endpoint.address[15] = 1;
  else
    endpoint.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
  return endpoint;
}

INSTANTIATE_TEST_SUITE_P(Families, FrozenSockets,
                         testing::Values(Case{"ipv4_reuse_address", loopback(false), SO_REUSEADDR},
                                         Case{"ipv4_reuse_port", loopback(false), SO_REUSEPORT},
                                         Case{"ipv6_reuse_address", loopback(true), SO_REUSEADDR},
                                         Case{"ipv6_reuse_port", loopback(true), SO_REUSEPORT}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace sonde::proxy
