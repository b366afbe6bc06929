// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/wire/trial_network.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>

#include <chrono>
#include <thread>

#include "kernel/veth.hpp"

namespace sonde::proxy {
namespace {

constexpr std::chrono::milliseconds pause{1};
constexpr int pauses_for_link = 3000;

Result<Fd> enter_new_namespace() {
  if (::unshare(CLONE_NEWNET) != 0) return fail_errno("cannot make a network namespace");
  Fd fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("cannot open a network namespace");
  return fd;
}

Result<void> enter_namespace(const Fd& fd) {
  if (::setns(fd.get(), CLONE_NEWNET) != 0) return fail_errno("cannot enter a network namespace");
  return {};
}

// Sockets stay in the namespace that they are made in.
Result<Fd> make_socket(int type) {
  Fd fd(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno("cannot open a socket");
  return fd;
}

Result<void> set_end(int socket, const char* interface, std::uint32_t address) {
  if (auto done = kernel::set_up(socket, interface); !done) return done;
  return kernel::set_address(socket, interface, address);
}

Result<void> wait_for_link(int socket, const char* interface) {
  for (int i = 0; i < pauses_for_link; ++i) {
    if (kernel::is_running(socket, interface)) return {};
    std::this_thread::sleep_for(pause);
  }
  return fail(ErrorKind::failed, std::string("no link on ") + interface + " in the private network namespace");
}

/// A veth pair from the proxy's namespace, which the thread is in, to another.
Result<void> connect_to(const Fd& own, const Fd& other, const char* name, std::uint32_t address,
                        std::uint32_t other_address) {
  constexpr const char* other_name = "sonde0";
  if (auto made = kernel::create_veth(name, other_name, other.get()); !made) return made;
  const auto here = make_socket(SOCK_DGRAM);
  if (!here) return std::unexpected(here.error());
  if (auto entered = enter_namespace(other); !entered) return entered;
  const auto there = make_socket(SOCK_DGRAM);
  if (auto entered = enter_namespace(own); !entered) return entered;
  if (!there) return std::unexpected(there.error());
  if (auto done = set_end(here->get(), name, address); !done) return done;
  if (auto done = set_end(there->get(), other_name, other_address); !done) return done;
  // The second has a link as it comes up; what the kernel says of it may be a second late (net/core/link_watch.c).
  return wait_for_link(here->get(), name);
}

}  // namespace

Result<TrialNetwork> TrialNetwork::enter() {
  TrialNetwork network;
  for (Fd* place : {&network.client_, &network.server_, &network.proxy_}) {
    auto made = enter_new_namespace();
    if (!made) return std::unexpected(made.error());
    *place = std::move(*made);
  }
  const auto socket = make_socket(SOCK_DGRAM);
  if (!socket) return std::unexpected(socket.error());
  if (auto up = kernel::set_up(socket->get(), "lo"); !up) return std::unexpected(up.error());
  auto done = connect_to(network.proxy_, network.client_, "sonde1", 0xc0000201, 0xc0000202);       // 192.0.2.1, .2
  if (done) done = connect_to(network.proxy_, network.server_, "sonde2", 0xc6336401, 0xc6336402);  // 198.51.100.1, .2
  if (!done) return std::unexpected(done.error());
  return network;
}

Result<Fd> TrialNetwork::socket_in(Place place) const {
  if (place == Place::proxy) return make_socket(SOCK_STREAM);
  if (auto entered = enter_namespace(place == Place::client ? client_ : server_); !entered)
    return std::unexpected(entered.error());
  auto socket = make_socket(SOCK_STREAM);
  if (auto entered = enter_namespace(proxy_); !entered) return std::unexpected(entered.error());
  return socket;
}

}  // namespace sonde::proxy
