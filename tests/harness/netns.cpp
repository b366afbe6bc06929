// SPDX-License-Identifier: Apache-2.0
#include "harness/netns.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <stdexcept>
#include <system_error>

#include "harness/command.hpp"

namespace sonde::test {
namespace {

constexpr const char* own_namespace = "/proc/thread-self/ns/net";

void check(bool succeeded, const char* what) {
  if (!succeeded) throw std::system_error(errno, std::generic_category(), what);
}

// Where the thread was, and back there at the end.
class Return {
 public:
  Return() : fd_(::open(own_namespace, O_RDONLY | O_CLOEXEC)) { check(static_cast<bool>(fd_), own_namespace); }
  Return(const Return&) = delete;
  Return& operator=(const Return&) = delete;
  ~Return() {
    if (::setns(fd_.get(), CLONE_NEWNET) != 0) std::terminate();
  }

 private:
  Fd fd_;
};

}  // namespace

NetworkNamespace::NetworkNamespace(Ipv6 ipv6) {
  {
    const Return back;
    check(::unshare(CLONE_NEWNET) == 0, "unshare(CLONE_NEWNET)");
    fd_.reset(::open(own_namespace, O_RDONLY | O_CLOEXEC));
    check(static_cast<bool>(fd_), own_namespace);
  }
  if (ipv6 == Ipv6::off) {
    run("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
  }
  run("ip link set lo up");
}

void NetworkNamespace::call(const std::function<void()>& function) const {
  const Return back;
  check(::setns(fd(), CLONE_NEWNET) == 0, "setns");
  function();
}

std::string NetworkNamespace::run(const std::string& command) const {
  std::string output;
  call([&] { output = test::run(command); });
  return output;
}

std::string NetworkNamespace::path() const { return fmt::format("/proc/{}/fd/{}", ::getpid(), fd()); }

namespace {

// A device whose peer came up later drops what it is given until the kernel's link watcher has seen the carrier.
void wait_until_up(const NetworkNamespace& where, const std::string& name) {
  where.run(
      fmt::format("for i in $(seq 500); do ip link show dev {} | grep -q 'state UP' && exit 0; sleep 0.01; done; "
                  "exit 1",
                  name));
}

}  // namespace

void add_veth(const NetworkNamespace& a, const std::string& name_a, const NetworkNamespace& b,
              const std::string& name_b) {
  a.run(fmt::format("ip link add {} type veth peer name {} netns {}", name_a, name_b, b.path()));
  a.run(fmt::format("ip link set {} up", name_a));
  b.run(fmt::format("ip link set {} up", name_b));
  wait_until_up(a, name_a);
  wait_until_up(b, name_b);
}

bool add_vlan(const NetworkNamespace& where, const std::string& device, int id) {
  const auto made = where.run(fmt::format(
      "ip link add link {0} name vlan{1} type vlan id {1} 2>&1 && ip link set vlan{1} up || echo failed", device, id));
  if (made.find("Unknown device type") != std::string::npos || made.find("not supported") != std::string::npos)
    return false;
  if (!made.empty()) throw std::runtime_error("cannot make a VLAN interface: " + made);
  return true;
}

// Not from /sys, which shows the namespace in which it was mounted.
std::uint64_t interface_counter(const NetworkNamespace& where, const std::string& interface,
                                const std::string& counter) {
  const auto text = where.run(fmt::format("ip -s -j link show dev {}", interface));
  const bool received = counter.starts_with("rx_");
  const auto side = text.find(received ? "\"rx\":" : "\"tx\":");
  const auto key = "\"" + counter.substr(3) + "\":";
  const auto at = side == std::string::npos ? side : text.find(key, side);
  if (at == std::string::npos) throw std::runtime_error("no counter " + counter + " in " + text);
  return std::stoull(text.substr(at + key.size()));
}

}  // namespace sonde::test
