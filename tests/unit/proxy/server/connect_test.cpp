// SPDX-License-Identifier: Apache-2.0
// Happy eyeballs and SOCKS5 against sockets of the test on loopback.
#include "actuators/proxy/server/connect.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/socket_address.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;

Endpoint loopback(std::uint8_t last, std::uint16_t port = 0) {
  return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, last}, port};
}

struct Listening {
  explicit Listening(const Endpoint& where, int backlog = 16) {
    const SocketAddress at(where);
    fd.reset(::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(fd.get(), at.get(), at.size()), 0);
    EXPECT_EQ(::listen(fd.get(), backlog), 0);
    address = local_endpoint(fd.get());
  }
  Fd fd;
  Endpoint address;
};

// Its queue is full, so that a SYN gets no answer.
struct Silent : Listening {
  explicit Silent(const Endpoint& at) : Listening(at, 0) {
    for (int i = 0; i < 4; ++i) {
      fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      const SocketAddress to(address);
      ::connect(fillers.back().get(), to.get(), to.size());
    }
  }
  std::vector<Fd> fillers;
};

// An address that refuses: bound for a moment, then closed.
Endpoint refusing() { return Listening(loopback(1)).address; }

struct ConnectTest : testing::Test {
  ConnectTest() { loop = std::move(*Loop::make()); }

  Result<Connected> connect(std::vector<Endpoint> addresses, std::chrono::milliseconds timeout) {
    auto task = run(std::move(addresses), timeout);
    task.start();
    loop->run();
    return std::move(*result);
  }
  Task<> run(std::vector<Endpoint> addresses, std::chrono::milliseconds timeout) {
    ConnectOptions options{timeout, [this](int fd, const Endpoint&) { prepared += fd >= 0; }};
    auto connected = co_await connect_any(*loop, std::move(addresses), std::move(options));
    result.emplace(std::move(connected));
    loop->stop();
  }

  std::unique_ptr<Loop> loop;
  std::optional<Result<Connected>> result;
  int prepared = 0;
};

TEST_F(ConnectTest, TheFirstAddressThatAnswersIsTaken) {
  const Listening server(loopback(1));
  const auto connected = connect({server.address}, 5s);
  ASSERT_TRUE(connected) << connected.error().text();
  EXPECT_EQ(connected->address, server.address);
  EXPECT_EQ(remote_endpoint(connected->channel->fd()), server.address);
  EXPECT_EQ(prepared, 1);
}

TEST_F(ConnectTest, ARefusalLeadsToTheNextAtOnce) {
  const Listening server(loopback(1));
  const auto begin = Clock::now();
  const auto connected = connect({refusing(), refusing(), server.address}, 5s);
  ASSERT_TRUE(connected) << connected.error().text();
  EXPECT_EQ(connected->address, server.address);
  EXPECT_LT(Clock::now() - begin, 200ms);  // not by waiting 250 ms for each
}

TEST_F(ConnectTest, OneThatIsSilentIsNotWaitedFor) {
  const Silent silent(loopback(2));
  const Listening server(loopback(1));
  const auto begin = Clock::now();
  const auto connected = connect({silent.address, server.address}, 5s);
  ASSERT_TRUE(connected) << connected.error().text();
  EXPECT_EQ(connected->address, server.address);
  EXPECT_GE(Clock::now() - begin, 250ms);
  EXPECT_LT(Clock::now() - begin, 3s);
}

TEST_F(ConnectTest, SilenceIsATimeout) {
  const Silent silent(loopback(2));
  const auto begin = Clock::now();
  const auto connected = connect({silent.address}, 300ms);
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code, ETIMEDOUT);
  EXPECT_GE(Clock::now() - begin, 300ms);
  EXPECT_NE(connected.error().text().find(silent.address.text()), std::string::npos) << connected.error().text();
}

TEST_F(ConnectTest, TheErrorIsTheLastOnes) {
  const auto connected = connect({refusing(), refusing()}, 5s);
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code, ECONNREFUSED);
}

TEST_F(ConnectTest, ManySilentAddressesAreTriedInTurn) {
  const Silent silent(loopback(2));
  const Listening server(loopback(1));
  std::vector<Endpoint> addresses(9, silent.address);
  addresses.push_back(server.address);
  const auto connected = connect(std::move(addresses), 400ms);
  ASSERT_TRUE(connected) << connected.error().text();
  EXPECT_EQ(connected->address, server.address);
}

// A SOCKS5 server that says these answers, each in as many pieces as it has bytes, then `behind` in one with the last.
void answer(int listener, const std::vector<std::vector<std::uint8_t>>& answers, std::string behind) {
  const Fd client(::accept(listener, nullptr, nullptr));
  std::array<char, 512> request;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (::recv(client.get(), request.data(), request.size(), 0) <= 0) return;
    for (std::size_t k = 0; k + 1 < answers[i].size(); ++k) {
      ::send(client.get(), &answers[i][k], 1, MSG_NOSIGNAL);
      std::this_thread::sleep_for(2ms);
    }
    std::string rest(1, static_cast<char>(answers[i].back()));
    if (i + 1 == answers.size()) rest += behind;
    ::send(client.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
  }
  ::recv(client.get(), request.data(), request.size(), 0);
}

struct SocksTest : ConnectTest {
  Task<> ask(Endpoint server) {
    ConnectOptions options{2s, {}};
    std::vector<Endpoint> addresses{server};
    auto connected = co_await connect_any(*loop, std::move(addresses), std::move(options));
    EXPECT_TRUE(connected);
    channel = std::move(connected->channel);
    const auto deadline = loop->now() + 2s;
    ProxySocks5 socks{{"127.0.0.1", server.port}, "", ""};
    ProxyUpstream target{"a.example", 443};
    auto through = co_await connect_through(*loop, *channel, std::move(socks), std::move(target), deadline);
    traffic.emplace(std::move(through));
    loop->stop();
  }
  Result<Socks5Traffic> through(const std::vector<std::vector<std::uint8_t>>& answers, const std::string& behind = {}) {
    const Listening server(loopback(1));
    std::thread thread([&] { answer(server.fd.get(), answers, behind); });
    auto task = ask(server.address);
    task.start();
    loop->run();
    if (!traffic->has_value()) channel.reset();
    bytes_behind.resize(behind.size());
    for (std::size_t got = 0; channel && got < behind.size();) {
      const auto size = ::recv(channel->fd(), bytes_behind.data() + got, behind.size() - got, 0);
      if (size > 0) got += static_cast<std::size_t>(size);
    }
    channel.reset();
    thread.join();
    return *traffic;
  }

  std::unique_ptr<Channel> channel;
  std::optional<Result<Socks5Traffic>> traffic;
  std::string bytes_behind;
};

TEST_F(SocksTest, BytesBehindTheAnswerAreLeftForTheRelay) {
  const auto reply = through({{5, 0}, {5, 0, 0, 1, 10, 0, 0, 1, 0, 80}}, "hello from the upstream");
  ASSERT_TRUE(reply) << reply.error().text();
  EXPECT_EQ(reply->received, 12U);
  EXPECT_EQ(reply->sent, 3U + 4 + 1 + 9 + 2);
  EXPECT_EQ(bytes_behind, "hello from the upstream");
}

TEST_F(SocksTest, ARefusalSaysWhy) {
  const auto reply = through({{5, 0}, {5, 2, 0, 1, 0, 0, 0, 0, 0, 0}});
  ASSERT_FALSE(reply);
  EXPECT_NE(reply.error().text().find("127.0.0.1"), std::string::npos) << reply.error().text();
  EXPECT_NE(reply.error().code, ETIMEDOUT);
}

TEST_F(SocksTest, AServerThatHangsUpIsAFailure) {
  const auto reply = through({{5, 0}});
  ASSERT_FALSE(reply);
}

}  // namespace
}  // namespace sonde::proxy
