// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/server/first_flight.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "actuators/proxy/protocol/proxy_header.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;

using Octets = std::vector<std::uint8_t>;

void put(Octets& out, std::size_t value, int bytes) {
  while (bytes-- > 0) out.push_back(static_cast<std::uint8_t>(value >> bytes * 8));
}

// A ClientHello of TLS 1.2 with this name; none when empty.
Octets client_hello(const std::string& name) {
  Octets extensions;
  if (!name.empty()) {
    put(extensions, 0, 2);
    put(extensions, name.size() + 5, 2);
    put(extensions, name.size() + 3, 2);
    put(extensions, 0, 1);
    put(extensions, name.size(), 2);
    extensions.insert(extensions.end(), name.begin(), name.end());
  }
  Octets body;
  put(body, 0x0303, 2);
  body.insert(body.end(), 32, 7);
  put(body, 0, 1);
  put(body, 2, 2);
  put(body, 0x1301, 2);
  put(body, 1, 1);
  put(body, 0, 1);
  put(body, extensions.size(), 2);
  body.insert(body.end(), extensions.begin(), extensions.end());
  Octets record{22, 3, 1};
  put(record, body.size() + 4, 2);
  put(record, 1, 1);
  put(record, body.size(), 3);
  record.insert(record.end(), body.begin(), body.end());
  return record;
}

struct FirstFlightTest : testing::Test {
  FirstFlightTest() {
    loop = std::move(*Loop::make());
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    EXPECT_TRUE(channel.open(*loop, Fd(fds[0])));
    peer.reset(fds[1]);
  }
  Task<> run(bool header, std::chrono::milliseconds patience) {
    refusal = co_await read_first_flight(*loop, channel, header, most, loop->now() + patience, flight);
    loop->stop();
  }
  // Sends the pieces one after another, the loop running in between.
  Refusal read(const std::vector<Octets>& pieces, bool header = false, std::chrono::milliseconds patience = 5s) {
    auto task = run(header, patience);
    task.start();
    for (const auto& piece : pieces) {
      if (task.done()) break;
      EXPECT_EQ(::write(peer.get(), piece.data(), piece.size()), static_cast<ssize_t>(piece.size()));
      loop->run_once(20ms);
    }
    if (end) peer.reset();
    loop->run();
    return refusal;
  }

  std::unique_ptr<Loop> loop;
  Channel channel;
  Fd peer;
  std::size_t most = 65536;
  bool end = false;
  Refusal refusal = Refusal::none;
  FirstFlight flight;
};

TEST_F(FirstFlightTest, AHelloByteByByte) {
  std::vector<Octets> pieces;
  const auto hello = client_hello("WWW.a.example.");
  for (const auto byte : hello) pieces.push_back({byte});
  EXPECT_EQ(read(pieces), Refusal::none);
  EXPECT_EQ(flight.hello.server_name, "www.a.example");
  EXPECT_EQ(flight.bytes, hello);
}

TEST_F(FirstFlightTest, WhatComesBehindTheHelloIsKept) {
  auto bytes = client_hello("a.example");
  bytes.insert(bytes.end(), {23, 3, 3, 0, 1, 42});
  EXPECT_EQ(read({bytes}), Refusal::none);
  EXPECT_EQ(flight.bytes, bytes);
}

TEST_F(FirstFlightTest, APartOfAHelloIsATimeout) {
  auto hello = client_hello("a.example");
  hello.resize(hello.size() - 1);
  EXPECT_EQ(read({hello}, false, 80ms), Refusal::hello_timeout);
}

TEST_F(FirstFlightTest, AnEndBeforeItIsWhole) {
  end = true;
  auto hello = client_hello("a.example");
  hello.resize(20);
  EXPECT_EQ(read({hello}), Refusal::hello_incomplete);
}

TEST_F(FirstFlightTest, NoName) { EXPECT_EQ(read({client_hello("")}), Refusal::no_server_name); }

TEST_F(FirstFlightTest, Http) {
  const std::string request = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
  EXPECT_EQ(read({{request.begin(), request.end()}}), Refusal::plain_http);
}

TEST_F(FirstFlightTest, Garbage) { EXPECT_EQ(read({{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}), Refusal::not_tls); }

struct HeaderTest : FirstFlightTest, testing::WithParamInterface<ProxyProtocolOut> {};

TEST_P(HeaderTest, IsTakenOff) {
  const Endpoint source{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7}, 4711};
  const Endpoint destination{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 8}, 443};
  const auto header = write_proxy_header(GetParam(), source, destination);
  const auto hello = client_hello("a.example");
  auto bytes = header;
  bytes.insert(bytes.end(), hello.begin(), hello.end());
  EXPECT_EQ(read({{bytes.begin(), bytes.begin() + 9}, {bytes.begin() + 9, bytes.end()}}, true), Refusal::none);
  EXPECT_EQ(flight.header_size, header.size());
  EXPECT_EQ(flight.source, source);
  EXPECT_EQ(flight.destination, destination);
  EXPECT_EQ(flight.bytes, hello);
}

INSTANTIATE_TEST_SUITE_P(Versions, HeaderTest, testing::Values(ProxyProtocolOut::v1, ProxyProtocolOut::v2),
                         [](const auto& version) { return version.param == ProxyProtocolOut::v1 ? "v1" : "v2"; });

TEST_F(FirstFlightTest, AHelloWithoutTheHeaderIsRefused) {
  EXPECT_EQ(read({client_hello("a.example")}, true), Refusal::proxy_header);
}

}  // namespace
}  // namespace sonde::proxy
