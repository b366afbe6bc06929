// SPDX-License-Identifier: Apache-2.0
// Namespaces, privileges, and what a killed proxy leaves.
#include <grp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <set>
#include <thread>

#include "base/socket_address.hpp"
#include "harness/command.hpp"
#include "peers.hpp"

namespace sonde::proxy::test {
namespace {

using sonde::test::NetworkNamespace;

/// Runs it in a process of its own: its exit status.
int in_child(const std::function<bool()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      ::_exit(work() ? 0 : 1);
    } catch (const std::exception& error) {
      std::fputs((std::string(error.what()) + "\n").c_str(), stderr);
      ::_exit(2);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Ids of the bypass's programs on this machine.
std::set<std::string> programs() {
  std::set<std::string> ids;
  for (const auto& line : sonde::test::lines_of(sonde::test::run("bpftool prog list")))
    if (line.find("name redirect_msg") != std::string::npos || line.find("name track_establish") != std::string::npos)
      ids.insert(line.substr(0, line.find(':')));
  return ids;
}

TEST(BypassLife, another_namespace_with_the_same_addresses_is_not_touched) {
  const NetworkNamespace ours;
  const NetworkNamespace theirs;
  ours.call([&] {
    const Bypassed bypassed(loopback_ipv4);
    const auto proxied = bypassed.proxy->address();
    std::thread([&] {
      theirs.call([&] {
        const Fd listener = listen_at(proxied);  // the same address and port
        Joined joined{connect_to(proxied), accept_from(listener)};
        for (int i = 0; i < 10; ++i) EXPECT_TRUE(talk(joined));
        EXPECT_EQ(bypassed.bypass->connections().seen_clients, 0U);
      });
    }).join();
    auto joined = join(bypassed);
    EXPECT_EQ(bypassed.bypass->connections().seen_clients, 1U);
  });
}

// After the start the proxy is nobody; kernel.unprivileged_bpf_disabled may be what it is.
TEST(BypassLife, goes_on_without_privileges) {
  NetworkNamespace().call([] {
    const int status = in_child([] {
      const Bypassed bypassed;
      constexpr uid_t nobody = 65534;
      if (::setgroups(0, nullptr) != 0 || ::setresgid(nobody, nobody, nobody) != 0 ||
          ::setresuid(nobody, nobody, nobody) != 0)
        return false;
      if (!bypassed.bypass->set_listeners({&bypassed.proxy->address(), 1})) return false;
      auto joined = join(bypassed);
      joined.client.reset();
      if (receive_end(joined.backend.get()) != 0) return false;
      joined.backend.reset();
      return eventually([&] { return bypassed.bypass->connections().ended == 1; });
    });
    EXPECT_EQ(status, 0);
  });
}

TEST(BypassLife, needs_privileges_to_begin) {
  NetworkNamespace().call([] {
    const int status = in_child([] {
      if (::setresuid(65534, 65534, 65534) != 0) return false;
      const auto made = Bypass::make();
      return !made && made.error().kind == ErrorKind::unsupported && !made.error().hint.empty();
    });
    EXPECT_EQ(status, 0);
  });
}

TEST(BypassLife, a_killed_proxy_leaves_no_program_and_no_stuck_client) {
  NetworkNamespace().call([] {
    int pipe_fds[2];
    ASSERT_EQ(::pipe(pipe_fds), 0);
    const Fd listener = listen_at(loopback_ipv4);
    const auto before = programs();
    const pid_t child = ::fork();
    if (child == 0) {
      auto bypass = Bypass::make();
      auto proxy = TrialProxy::start({.listen = loopback_ipv4,
                                      .backend = local_endpoint(listener.get()),
                                      .path = bypass->get(),
                                      .splice = true,
                                      .prefix = {}});
      const auto address = (*proxy)->address();
      (void)!::write(pipe_fds[1], &address, sizeof(address));
      ::pause();
    }
    Endpoint address;
    ASSERT_EQ(::read(pipe_fds[0], &address, sizeof(address)), static_cast<ssize_t>(sizeof(address)));
    auto own = programs();
    std::erase_if(own, [&](const auto& id) { return before.contains(id); });
    EXPECT_GE(own.size(), 2U);
    Joined joined;
    joined.client = connect_to(address);
    ASSERT_TRUE(send_stream(joined.client.get(), 1, 0, 300));
    joined.to_backend = 300;
    joined.backend = accept_from(listener);
    ASSERT_EQ(receive_stream(joined.backend.get(), 1, 0, 300), 300U);
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds{100};
    while (std::chrono::steady_clock::now() < until) ASSERT_TRUE(talk(joined));
    // What the kernel has taken does not go with the process.
    const auto unread = joined.to_backend + 100'000;
    ASSERT_TRUE(send_stream(joined.client.get(), 1, joined.to_backend, unread));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    EXPECT_EQ(receive_stream(joined.backend.get(), 1, joined.to_backend, unread), unread);
    EXPECT_GE(receive_end(joined.client.get()), 0);
    EXPECT_GE(receive_end(joined.backend.get()), 0);
    joined = {};  // as programs do whose peer has closed; until then their sockets hold redirect_msg
    EXPECT_TRUE(eventually([&] {
      const auto now = programs();
      return std::ranges::none_of(own, [&](const auto& id) { return now.contains(id); });
    }));
    ::close(pipe_fds[0]);
    ::close(pipe_fds[1]);
  });
}

}  // namespace
}  // namespace sonde::proxy::test
