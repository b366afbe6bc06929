// SPDX-License-Identifier: Apache-2.0
// The proxy as systemd starts it: with a listening socket and a socket for its notes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "actuators/proxy/process/port_holder.hpp"
#include "base/socket_address.hpp"
#include "harness/process.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::uint16_t port = 4433;

// execv with descriptor 3 and the environment of sd_listen_fds(3), as systemd-socket-activate(1) does it.
constexpr const char* launcher =
    "import os, sys\n"
    "fd, notify, *command = sys.argv[1:]\n"
    "os.dup2(int(fd), 3)\n"
    "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='proxy', NOTIFY_SOCKET=notify)\n"
    "os.execv(command[0], command)\n";

struct ActivationTest : testing::Test {
  ActivationTest() {
    place.call([this] {
      listener.reset(::socket(AF_INET, SOCK_STREAM, 0));  // inherited, and blocking as systemd gives it
      const SocketAddress name(address);
      EXPECT_EQ(::bind(listener.get(), name.get(), name.size()), 0);
      EXPECT_EQ(::listen(listener.get(), 64), 0);
    });
    notes.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    notify_path.path().copy(name.sun_path, sizeof(name.sun_path) - 1);
    EXPECT_EQ(::bind(notes.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)), 0);
    ::chmod(notify_path.path().c_str(), 0777);  // as systemd's is: the proxy is somebody else by then
    const timeval patience{.tv_sec = 30, .tv_usec = 0};
    ::setsockopt(notes.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    configure("a.example");
  }
  void configure(const std::string& name) const {
    config.write(R"({"listen_addr": "127.0.0.1:4433", "whitelist": [")" + name + R"("], "workers": 2,
      "log": {"output": "stderr"}, "ebpf": {"dns_cache": {"pinned": false}}, "control": ")" +
                 control.path() + "\"}");
    ::chmod(config.path().c_str(), 0644);
  }
  [[nodiscard]] std::vector<std::string> command() const {
    return {"python3",          "-c",          launcher, std::to_string(listener.get()),
            notify_path.path(), SONDE_PROGRAM, "proxy",  config.path()};
  }
  // The next note whose first line is not STATUS.
  [[nodiscard]] std::string note() const {
    char text[512];
    const auto size = ::recv(notes.get(), text, sizeof(text), 0);
    return size < 0 ? "nothing" : std::string(text, static_cast<std::size_t>(size));
  }
  // A connection that has asked in plain HTTP, which every proxy here answers by itself.
  [[nodiscard]] Fd ask() const {
    Fd client;
    place.call([&] {
      client.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const SocketAddress to(address);
      EXPECT_EQ(::connect(client.get(), to.get(), to.size()), 0) << std::strerror(errno);
    });
    const std::string request = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
    EXPECT_EQ(::send(client.get(), request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
    return client;
  }
  static std::string answer(const Fd& client) {
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    char text[512];
    const auto size = ::recv(client.get(), text, sizeof(text), 0);
    return size < 0 ? std::strerror(errno) : std::string(text, static_cast<std::size_t>(size));
  }
  [[nodiscard]] std::vector<Listener> listeners() const {
    std::vector<Listener> found;
    place.call([&] { found = listeners_at(port); });
    return found;
  }

  test::NetworkNamespace place;
  Endpoint address{.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}, .port = port};
  Fd listener;
  Fd notes;
  test::TemporaryFile notify_path{".notify"};
  test::TemporaryFile config{".json"};
  test::TemporaryFile control{".control"};
};

TEST_F(ActivationTest, ServesTheSocketOfTheServiceManager) {
  const auto before = listeners();
  ASSERT_EQ(before.size(), 1U);
  const Fd early = ask();  // before there is a proxy
  test::Process proxy(place, command());
  EXPECT_THAT(note(), StartsWith("READY=1")) << proxy.errors();
  EXPECT_THAT(answer(early), StartsWith("HTTP/1.1 400 "));
  for (int i = 0; i < 20; ++i) EXPECT_THAT(answer(ask()), StartsWith("HTTP/1.1 400 "));
  const auto during = listeners();
  ASSERT_EQ(during.size(), 1U) << "it makes none of its own";
  EXPECT_EQ(during[0].inode, before[0].inode);

  configure("b.example");
  EXPECT_THAT(test::run(std::string(SONDE_PROGRAM) + " proxy reload " + config.path()), HasSubstr("reloaded"));
  EXPECT_THAT(note(), StartsWith("RELOADING=1\nMONOTONIC_USEC="));
  EXPECT_THAT(note(), StartsWith("READY=1"));

  proxy.signal(SIGTERM);
  EXPECT_THAT(note(), StartsWith("STOPPING=1"));
  EXPECT_EQ(proxy.wait(), 0) << proxy.errors();
  const Fd late = ask();  // waits for the next proxy
  test::Process next(place, command());
  EXPECT_THAT(note(), StartsWith("READY=1")) << next.errors();
  EXPECT_THAT(answer(late), StartsWith("HTTP/1.1 400 "));
  EXPECT_TRUE(next.wait_for_error_text("sonde: proxy: listens on "));  // then it hears signals
  next.signal(SIGTERM);
  EXPECT_EQ(next.wait(), 0) << next.errors();
}

TEST_F(ActivationTest, RunsAsSomebodyElseWithTwoCapabilities) {
  test::Process proxy(place, command());
  ASSERT_THAT(note(), StartsWith("READY=1")) << proxy.errors();
  for (const auto& thread : test::lines_of(test::run("ls /proc/" + std::to_string(proxy.pid()) + "/task"))) {
    const auto status = test::read_file("/proc/" + std::to_string(proxy.pid()) + "/task/" + thread + "/status");
    EXPECT_THAT(status, HasSubstr("\nUid:\t65534\t65534\t65534\t65534\n")) << thread;
    EXPECT_THAT(status, HasSubstr("\nCapPrm:\t0000000000001400\n")) << "CAP_NET_BIND_SERVICE, CAP_NET_ADMIN";
    EXPECT_THAT(status, HasSubstr("\nCapEff:\t0000000000001400\n"));
    EXPECT_THAT(status, HasSubstr("\nNoNewPrivs:\t1\n"));
  }
  EXPECT_TRUE(proxy.wait_for_error_text("sonde: proxy: listens on "));
  proxy.signal(SIGTERM);
  EXPECT_EQ(proxy.wait(), 0) << proxy.errors();
}

}  // namespace
}  // namespace sonde::proxy
