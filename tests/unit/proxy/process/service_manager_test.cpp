// SPDX-License-Identifier: Apache-2.0
// What systemd hands over, and what it is told. tests/netns/proxy/activation starts the program as systemd does.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

#include "actuators/proxy/process/sockets.hpp"
#include "harness/command.hpp"

namespace sonde::proxy {
namespace {

// NOLINTBEGIN(concurrency-mt-unsafe): one thread

// In a process of its own whose descriptors from 3 on are these; 0 if `check` finds what it expects.
int with_descriptors(const std::vector<int>& descriptors, const std::function<bool()>& check) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::vector<int> high;
    for (const int fd : descriptors) high.push_back(::fcntl(fd, F_DUPFD, 100));
    for (std::size_t i = 0; i < high.size(); ++i) ::dup2(high[i], 3 + static_cast<int>(i));
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", std::to_string(descriptors.size()).c_str(), 1);
    ::setenv("LISTEN_FDNAMES", "a:b", 1);
    ::_exit(check() ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Endpoint loopback() { return {.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}}; }

TEST(ServiceManager, ListeningSocketsAreTaken) {
  auto first = listen_on(loopback(), false);
  auto second = listen_on(Endpoint{}, false);
  ASSERT_TRUE(first && second);
  ::fcntl(first->fd.get(), F_SETFL, 0);  // blocking, as systemd gives it
  EXPECT_EQ(with_descriptors({first->fd.get(), second->fd.get()},
                             [&] {
                               auto taken = activated_sockets();
                               return taken && taken->size() == 2 && (*taken)[0].address == first->address &&
                                      (*taken)[1].address == second->address && (*taken)[0].fd.get() == 3 &&
                                      ::fcntl(3, F_GETFD) == FD_CLOEXEC && (::fcntl(3, F_GETFL) & O_NONBLOCK) &&
                                      ::getenv("LISTEN_PID") == nullptr && ::getenv("LISTEN_FDS") == nullptr &&
                                      ::getenv("LISTEN_FDNAMES") == nullptr && activated_sockets()->empty();
                             }),
            0);
}

TEST(ServiceManager, SocketsOfAnotherProcessAreNot) {
  auto socket = listen_on(loopback(), false);
  ASSERT_TRUE(socket);
  EXPECT_EQ(with_descriptors({socket->fd.get()},
                             [] {
                               ::setenv("LISTEN_PID", std::to_string(::getppid()).c_str(), 1);
                               const auto taken = activated_sockets();
                               return taken && taken->empty() && ::fcntl(3, F_GETFD) >= 0 &&
                                      ::getenv("LISTEN_PID") == nullptr;
                             }),
            0);
}

TEST(ServiceManager, OtherSocketsAreErrors) {
  const Fd datagram(::socket(AF_INET, SOCK_DGRAM, 0));
  const Fd local(::socket(AF_UNIX, SOCK_STREAM, 0));
  const Fd connected(::socket(AF_INET, SOCK_STREAM, 0));
  const Fd file(::open("/dev/null", O_RDONLY));
  for (const Fd* fd : {&datagram, &local, &connected, &file})
    EXPECT_EQ(with_descriptors({fd->get()},
                               [] {
                                 const auto taken = activated_sockets();
                                 return !taken && taken.error().kind == ErrorKind::usage &&
                                        taken.error().message.starts_with("LISTEN_FDS: descriptor 3: expected a ");
                               }),
              0);
}

struct NotifyTest : testing::Test {
  // `name`: of the socket; "@..." is an abstract one.
  void listen(const std::string& name) {
    fd.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (name[0] == '@') address.sun_path[0] = '\0';
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                     static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())),
              0);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~NotifyTest() override { ::unsetenv("NOTIFY_SOCKET"); }
  [[nodiscard]] std::string received() const {
    char text[256];
    const auto size = ::recv(fd.get(), text, sizeof(text), 0);
    return size < 0 ? "nothing" : std::string(text, static_cast<std::size_t>(size));
  }
  Fd fd;
};

TEST_F(NotifyTest, ByPath) {
  const test::TemporaryFile path(".notify");
  listen(path.path());
  notify_service_manager("READY=1\nSTATUS=well");
  EXPECT_EQ(received(), "READY=1\nSTATUS=well");
}

TEST_F(NotifyTest, ByAbstractName) {
  listen("@sonde-test-" + std::to_string(::getpid()));
  notify_service_manager("STOPPING=1");
  EXPECT_EQ(received(), "STOPPING=1");
  notify_service_manager("RELOADING=1");
  EXPECT_THAT(received(), testing::MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[0-9]+"));
}

TEST_F(NotifyTest, WithoutAManagerNothingHappens) {
  ::unsetenv("NOTIFY_SOCKET");
  notify_service_manager("READY=1");
  ::setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
  notify_service_manager("READY=1");
  ::setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
  notify_service_manager("READY=1");
}
// NOLINTEND(concurrency-mt-unsafe)

}  // namespace
}  // namespace sonde::proxy
