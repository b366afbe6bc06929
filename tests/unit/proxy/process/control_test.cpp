// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/process/control.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <thread>

#include "actuators/proxy/process/ask.hpp"
#include "actuators/proxy/process/control_wire.hpp"
#include "actuators/proxy/process/privileges.hpp"
#include "base/socket_address.hpp"
#include "harness/command.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

ControlRequests answers(const std::string& name) {
  return {
      .reload = [] { return Result<std::string>(fail(ErrorKind::usage, "proxy.json:3: \"workerz\": unknown key")); },
      .status = [name] { return Result<std::string>("{\"name\": \"" + name + "\"}"); },
      .stop = [] { return Result<std::string>("stopping"); },
      .listeners = [] { return Result<std::vector<ListeningSocket>>(); },
      .handed_over = [] {}};
}

struct ControlTest : testing::Test {
  test::TemporaryFile file{".sock"};
  const std::string& path = file.path();
};

TEST_F(ControlTest, AsksAndAnswers) {
  auto server = ControlServer::start(path, answers("one"));
  ASSERT_TRUE(server) << server.error().text();
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_EQ(*ask(path, "status"), "{\"name\": \"one\"}");
  EXPECT_EQ(*ask(path, "stop"), "stopping");
  const auto reload = ask(path, "reload");
  ASSERT_FALSE(reload);
  EXPECT_EQ(reload.error().kind, ErrorKind::usage);
  EXPECT_EQ(reload.error().message, "proxy.json:3: \"workerz\": unknown key");
  server->reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ControlTest, LongAnswersAreWhole) {
  auto requests = answers("");
  const std::string text(3'000'000, 'x');
  requests.status = [&] { return Result<std::string>(text); };
  auto server = ControlServer::start(path, requests);
  ASSERT_TRUE(server);
  EXPECT_EQ(*ask(path, "status"), text);
}

TEST_F(ControlTest, NobodyIsThere) {
  auto asked = ask(path, "status");
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().message, "no proxy at the control socket " + path);
  asked = ask(path, "dance");
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().kind, ErrorKind::usage);
  EXPECT_FALSE(HandOver::ask(path));
}

TEST_F(ControlTest, UnknownRequestsAndNoise) {
  auto server = ControlServer::start(path, answers("one"));
  ASSERT_TRUE(server);
  const auto exchange = [&](const std::string& request) {
    auto connection = connect_to_control(path, 5s);
    EXPECT_TRUE(send_all(connection->get(), request));
    return read_answer(connection->get());
  };
  auto answer = exchange("restart\n");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "\"restart\": expected reload, status, stop, drain or abort");
  answer = exchange("release\n");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "\"release\": expected listeners before");
  EXPECT_FALSE(exchange(std::string(1000, 'x')));  // hangs up
  EXPECT_TRUE(ask(path, "status"));
}

TEST_F(ControlTest, ASilentClientHarmsNobody) {
  auto server = ControlServer::start(path, answers("one"));
  ASSERT_TRUE(server);
  std::vector<Fd> silent;
  for (int i = 0; i < 10; ++i) {
    auto connection = connect_to_control(path, 1s);
    ASSERT_TRUE(connection);
    EXPECT_TRUE(send_all(connection->get(), "sta"));
    silent.push_back(std::move(*connection));
  }
  EXPECT_TRUE(ask(path, "status"));
  EXPECT_TRUE(send_all(silent[3].get(), "tus\n"));
  EXPECT_TRUE(read_answer(silent[3].get()));
}

// Takes every descriptor that a process may have, but for some.
class NoDescriptorsLeft {
 public:
  explicit NoDescriptorsLeft(std::size_t but_for) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit few{.rlim_cur = 200, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
    for (Fd fd(::dup(0)); fd; fd.reset(::dup(0))) taken_.push_back(std::move(fd));
    taken_.resize(taken_.size() - but_for);
  }
  ~NoDescriptorsLeft() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
  std::vector<Fd> taken_;
};

TEST_F(ControlTest, AProxyWithoutDescriptorsCanBeAskedAndDoesNotSpin) {
  auto server = ControlServer::start(path, answers("one"));
  ASSERT_TRUE(server);
  ASSERT_TRUE(ask(path, "status"));  // it runs, and has what it needs
  const Fd last(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const NoDescriptorsLeft exhausted(3);  // for two clients, and one that is accepted
  std::vector<Fd> clients;
  const auto ask_one_more = [&] {
    auto connection = connect_to_control(path, 10s);
    ASSERT_TRUE(connection) << connection.error().text();
    EXPECT_TRUE(send_all(connection->get(), "status\n"));
    clients.push_back(std::move(*connection));
  };
  ask_one_more();
  EXPECT_TRUE(read_answer(clients[0].get()));
  ask_one_more();
  EXPECT_TRUE(read_answer(clients[1].get())) << "by the spare one";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::connect(last.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_TRUE(send_all(last.get(), "status\n"));
  const auto begin = std::clock();
  std::this_thread::sleep_for(500ms);
  EXPECT_LT(std::clock() - begin, CLOCKS_PER_SEC / 10);
  clients[0].reset();
  EXPECT_TRUE(read_answer(last.get()));
}

TEST_F(ControlTest, ALivingProxyKeepsItsPath) {
  auto first = ControlServer::start(path, answers("one"));
  ASSERT_TRUE(first);
  auto second = ControlServer::start(path, answers("two"));
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().text(), HasSubstr("belongs to the running process " + std::to_string(::getpid())));
  EXPECT_EQ(*ask(path, "status"), "{\"name\": \"one\"}");
}

TEST_F(ControlTest, ADeadProxysPathIsReplaced) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto server = ControlServer::start(path, answers("dead"));
    ::raise(SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  ASSERT_TRUE(std::filesystem::exists(path));
  EXPECT_FALSE(ask(path, "status"));
  auto server = ControlServer::start(path, answers("alive"));
  ASSERT_TRUE(server) << server.error().text();
  EXPECT_EQ(*ask(path, "status"), "{\"name\": \"alive\"}");
}

TEST_F(ControlTest, NoFileIsReplaced) {
  file.write("precious");
  auto server = ControlServer::start(path, answers(""));
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().message, "control: " + path + ": expected a socket");
  EXPECT_EQ(test::run("cat " + path), "precious");
}

TEST_F(ControlTest, APathThatAnotherHasTakenStays) {
  auto first = ControlServer::start(path, answers("one"));
  ASSERT_TRUE(first);
  std::filesystem::remove(path);
  auto second = ControlServer::start(path, answers("two"));
  ASSERT_TRUE(second);
  first->reset();
  EXPECT_EQ(*ask(path, "status"), "{\"name\": \"two\"}");
}

// Accepts at sockets and answers with a letter, as long as it is told to.
class Acceptor {
 public:
  Acceptor(std::vector<ListeningSocket> sockets, char letter) : sockets_(std::move(sockets)), letter_(letter) {
    thread_ = std::thread([this] { run(); });
  }
  ~Acceptor() { stop(); }
  void stop() {
    stopped_ = true;
    if (thread_.joinable()) thread_.join();
    sockets_.clear();
  }
  [[nodiscard]] std::vector<ListeningSocket> duplicates() const {
    std::vector<ListeningSocket> copies;
    for (const auto& socket : sockets_)
      copies.push_back({.address = socket.address, .fd = Fd(::fcntl(socket.fd.get(), F_DUPFD_CLOEXEC, 0))});
    return copies;
  }
  [[nodiscard]] long served() const { return served_; }

 private:
  void run() {
    while (!stopped_) {
      std::vector<pollfd> waits;
      for (const auto& socket : sockets_) waits.push_back({.fd = socket.fd.get(), .events = POLLIN, .revents = 0});
      ::poll(waits.data(), waits.size(), 5);
      for (const auto& socket : sockets_) {
        const Fd client(::accept4(socket.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (client && ::send(client.get(), &letter_, 1, MSG_NOSIGNAL) == 1) ++served_;
      }
    }
  }
  std::vector<ListeningSocket> sockets_;
  char letter_;
  std::atomic<bool> stopped_{false};
  std::atomic<long> served_{0};
  std::thread thread_;
};

std::vector<ListeningSocket> two_sockets() {
  Endpoint four{.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}};
  Endpoint six;
  six.address[15] = 1;
  std::vector<ListeningSocket> sockets;
  for (const Endpoint& address : {four, six})
    if (auto listening = listen_on(address, false)) sockets.push_back(std::move(*listening));
  return sockets;
}

// Connects again and again; every connection must be answered.
class Clients {
 public:
  explicit Clients(std::vector<Endpoint> servers) : servers_(std::move(servers)) {
    for (int i = 0; i < 2; ++i) threads_.emplace_back([this] { run(); });
  }
  ~Clients() { stop(); }
  void stop() {
    stopped_ = true;
    for (auto& thread : threads_)
      if (thread.joinable()) thread.join();
  }
  std::atomic<long> answered{0};
  std::atomic<long> failed{0};

 private:
  void run() {
    for (std::size_t i = 0; !stopped_; ++i) {
      const SocketAddress server(servers_[i % servers_.size()]);
      const Fd client(::socket(server.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
      char letter = 0;
      const bool well =
          ::connect(client.get(), server.get(), server.size()) == 0 && ::recv(client.get(), &letter, 1, 0) == 1;
      ++(well ? answered : failed);
    }
  }
  std::vector<Endpoint> servers_;
  std::atomic<bool> stopped_{false};
  std::vector<std::thread> threads_;
};

void wait_for(const std::atomic<long>& count, long more) {
  const long wanted = count + more;
  for (int i = 0; i < 6000 && count < wanted; ++i) std::this_thread::sleep_for(5ms);
  EXPECT_GE(count, wanted);
}

TEST_F(ControlTest, ListenersAreHandedOverWithoutARefusedConnection) {
  auto sockets = two_sockets();
  ASSERT_EQ(sockets.size(), 2U);
  const std::vector<Endpoint> addresses{sockets[0].address, sockets[1].address};
  auto old = std::make_unique<Acceptor>(std::move(sockets), 'o');
  std::atomic<bool> handed_over = false;
  auto requests = answers("old");
  requests.listeners = [&] { return Result<std::vector<ListeningSocket>>(old->duplicates()); };
  requests.handed_over = [&] {
    old->stop();
    handed_over = true;
  };
  auto server = ControlServer::start(path, requests);
  ASSERT_TRUE(server);
  Clients clients(addresses);
  wait_for(clients.answered, 200);

  auto hand_over = HandOver::ask(path);
  ASSERT_TRUE(hand_over) << hand_over.error().text();
  EXPECT_EQ(hand_over->pid(), ::getpid());
  auto taken = hand_over->take();
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(taken[0].address, addresses[0]);
  EXPECT_EQ(taken[1].address, addresses[1]);
  EXPECT_TRUE(::fcntl(taken[0].fd.get(), F_GETFD) & FD_CLOEXEC);
  auto path_taken = ControlSocket::bind(path, &*hand_over);
  ASSERT_TRUE(path_taken) << path_taken.error().text();
  Acceptor next(std::move(taken), 'n');
  wait_for(clients.answered, 100);
  EXPECT_FALSE(handed_over);
  ASSERT_TRUE(hand_over->release());
  EXPECT_TRUE(handed_over);
  auto next_server = ControlServer::start(std::move(*path_taken), answers("next"));
  ASSERT_TRUE(next_server);
  EXPECT_EQ(*ask(path, "status"), "{\"name\": \"next\"}");
  wait_for(clients.answered, 200);
  server->reset();
  EXPECT_EQ(*ask(path, "status"), "{\"name\": \"next\"}") << "the old one's end must leave the path alone";
  clients.stop();
  next.stop();  // it counts a connection after it has answered
  EXPECT_EQ(clients.failed, 0);
  EXPECT_GT(old->served(), 0);
  EXPECT_GT(next.served(), 0);
  EXPECT_EQ(old->served() + next.served(), clients.answered);
}

TEST_F(ControlTest, ASuccessorThatFailsChangesNothing) {
  Acceptor old(two_sockets(), 'o');
  auto requests = answers("old");
  requests.listeners = [&] { return Result<std::vector<ListeningSocket>>(old.duplicates()); };
  requests.handed_over = [] { ADD_FAILURE() << "nobody has taken over"; };
  auto server = ControlServer::start(path, requests);
  ASSERT_TRUE(server);
  {
    auto hand_over = HandOver::ask(path);
    ASSERT_TRUE(hand_over);
    auto path_taken = ControlSocket::bind(path, &*hand_over);
    ASSERT_TRUE(path_taken);
  }
  for (int i = 0; i < 6000 && !ask(path, "status"); ++i) std::this_thread::sleep_for(5ms);
  EXPECT_EQ(*ask(path, "status"), "{\"name\": \"old\"}") << "the path is taken back";
}

TEST_F(ControlTest, ManyListenersAreHandedOver) {
  auto sockets = two_sockets();
  auto requests = answers("old");
  constexpr std::size_t count = 600;  // more than one message could carry (SCM_MAX_FD)
  requests.listeners = [&] {
    std::vector<ListeningSocket> copies;
    for (std::size_t i = 0; i < count; ++i)
      copies.push_back(
          {.address = sockets[i % 2].address, .fd = Fd(::fcntl(sockets[i % 2].fd.get(), F_DUPFD_CLOEXEC, 0))});
    return Result<std::vector<ListeningSocket>>(std::move(copies));
  };
  ASSERT_GT(raise_file_limit(), 2 * count + 100);
  auto server = ControlServer::start(path, requests);
  ASSERT_TRUE(server);
  auto hand_over = HandOver::ask(path);
  ASSERT_TRUE(hand_over) << hand_over.error().text();
  const auto taken = hand_over->take();
  ASSERT_EQ(taken.size(), count);
  for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(taken[i].address, sockets[i % 2].address);
}

}  // namespace
}  // namespace sonde::proxy
