// SPDX-License-Identifier: Apache-2.0
// curl is the client where a client has to be right.
#include "actuators/proxy/admin/admin.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "actuators/proxy/process/sockets.hpp"
#include "base/socket_address.hpp"
#include "harness/command.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

struct AdminTest : testing::Test {
  AdminTest() {
    const Endpoint loopback{.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}};
    auto listening = listen_on(loopback, false);
    EXPECT_TRUE(listening);
    address = listening->address;
    auto started = AdminServer::start(std::move(listening->fd), {.metrics = [this] { return metrics; },
                                                                 .status = [] { return std::string("{\"a\": 1}\n"); },
                                                                 .healthy = [this] { return healthy.load(); }});
    EXPECT_TRUE(started) << started.error().text();
    if (started) server = std::move(*started);
  }
  [[nodiscard]] std::string url(const std::string& path) const { return "http://" + address.text() + path; }
  [[nodiscard]] std::string curl(const std::string& arguments) const {
    return test::run("curl -sS --max-time 5 " + arguments + " 2>&1 || true");
  }
  [[nodiscard]] Fd connect(std::chrono::seconds patience = 5s) const {
    Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress to(address);
    EXPECT_EQ(::connect(client.get(), to.get(), to.size()), 0);
    const timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return client;
  }
  static void send(const Fd& to, const std::string& text) {
    EXPECT_EQ(::send(to.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // Until the other side closes.
  static std::string read_all(const Fd& from) {
    std::string text;
    char bytes[4096];
    for (ssize_t size = 0; (size = ::recv(from.get(), bytes, sizeof(bytes), 0)) > 0;)
      text.append(bytes, static_cast<std::size_t>(size));
    return text;
  }
  std::string metrics = "# HELP a x\n# TYPE a gauge\na 1\n";
  std::atomic<bool> healthy = true;
  Endpoint address;
  std::unique_ptr<AdminServer> server;
};

TEST_F(AdminTest, Pages) {
  const std::string format = " -w '|%{http_code}|%{content_type}'";
  EXPECT_EQ(curl(url("/metrics") + format), metrics + "|200|text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(curl(url("/status") + format), "{\"a\": 1}\n|200|application/json");
  EXPECT_EQ(curl(url("/healthz") + format), "ok\n|200|text/plain; charset=utf-8");
  EXPECT_THAT(curl(url("/") + format), testing::AllOf(HasSubstr("/metrics"), HasSubstr("|200|")));
  EXPECT_EQ(curl(url("/metrics?x=y") + format), metrics + "|200|text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(curl(url("/metricsx") + format), HasSubstr("|404|"));
  EXPECT_THAT(curl(url("/../etc/passwd") + " --path-as-is" + format), HasSubstr("|404|"));
  healthy = false;
  EXPECT_EQ(curl(url("/healthz") + format), "draining\n|503|text/plain; charset=utf-8");
}

TEST_F(AdminTest, OtherMethodsAreRefused) {
  const std::string answer = curl("-i -d x=y " + url("/status"));
  EXPECT_THAT(answer, testing::AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: GET, HEAD\r\n")));
  EXPECT_THAT(curl("-X DELETE -w '%{http_code}' " + url("/status")), HasSubstr("405"));
}

TEST_F(AdminTest, HeadHasNoBody) {
  const std::string answer = curl("-I " + url("/metrics"));
  EXPECT_THAT(answer, testing::AllOf(StartsWith("HTTP/1.1 200 "),
                                     HasSubstr("Content-Length: " + std::to_string(metrics.size()) + "\r\n"),
                                     testing::EndsWith("\r\n\r\n")));
}

TEST_F(AdminTest, AConnectionIsKept) {
  EXPECT_THAT(curl("-w '|%{num_connects}' " + url("/healthz") + " " + url("/status")), "ok\n|1{\"a\": 1}\n|0");
  const Fd client = connect();
  send(client, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string both = read_all(client);
  EXPECT_NE(both.find("ok\n"), both.rfind("ok\n")) << both;
  const Fd old = connect();
  send(old, "GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_THAT(read_all(old), testing::EndsWith("ok\n"));
}

TEST_F(AdminTest, GarbageIsToldSo) {
  for (const std::string& text :
       {std::string("hello\r\n\r\n"), std::string("\x16\x03\x01\x02\x00\x01", 6) + std::string(100, 'x'),
        "GET / HTTP/1.1\r\nX: " + std::string(20'000, 'y') + "\r\n\r\n", std::string("GET / HTTP/9.9\r\n\r\n")}) {
    const Fd client = connect();
    send(client, text);
    EXPECT_THAT(read_all(client), StartsWith("HTTP/1.1 400 ")) << text.substr(0, 20);
  }
  EXPECT_THAT(curl(url("/healthz")), "ok\n");
}

TEST_F(AdminTest, SilentClientsKeepNobodyOut) {
  std::vector<Fd> silent;
  for (int i = 0; i < 200; ++i) {
    silent.push_back(connect());
    if (i % 2 == 0) send(silent.back(), "GET /hea");
  }
  for (int i = 0; i < 5; ++i) EXPECT_THAT(curl(url("/healthz")), "ok\n");
  int closed = 0;
  for (const Fd& client : silent) {
    char byte = 0;
    const auto size = ::recv(client.get(), &byte, 1, MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno == ECONNRESET)) ++closed;
  }
  EXPECT_GE(closed, 200 - 64) << "not more than 64 at a time";
}

TEST_F(AdminTest, ARequestMustComeInTime) {
  const Fd client = connect(20s);
  send(client, "GET / HTTP/1.1\r\n");
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(read_all(client), "");
  const auto waited = std::chrono::steady_clock::now() - before;
  EXPECT_GT(waited, 8s);
  EXPECT_LT(waited, 15s);
}

TEST_F(AdminTest, ASlowReaderHarmsNobody) {
  metrics = std::string(20'000'000, 'x');
  std::vector<Fd> slow;
  for (int i = 0; i < 10; ++i) {
    slow.push_back(connect());
    send(slow.back(), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  for (int i = 0; i < 5; ++i) EXPECT_THAT(curl(url("/healthz")), "ok\n");
  EXPECT_EQ(curl(url("/metrics") + " | wc -c"), "20000000\n");
}

TEST_F(AdminTest, EndsWithClientsConnected) {
  const Fd silent = connect();
  const Fd kept = connect();
  send(kept, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  char byte = 0;
  EXPECT_EQ(::recv(kept.get(), &byte, 1, 0), 1);
  server.reset();
  EXPECT_EQ(read_all(silent), "");
}

}  // namespace
}  // namespace sonde::proxy
