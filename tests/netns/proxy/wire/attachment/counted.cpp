// SPDX-License-Identifier: Apache-2.0
#include "counted.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <stdexcept>

#include "harness/command.hpp"
#include "harness/result.hpp"
#include "kernel/pins.hpp"

extern "C" {
extern const std::uint8_t sonde_test_wire_counter_bpf_object[];
extern const std::uint8_t sonde_test_wire_counter_bpf_object_end[];
}

namespace sonde::test {
namespace {

kernel::Object open_object() {
  return value_or_throw(kernel::Object::open(
      {sonde_test_wire_counter_bpf_object, sonde_test_wire_counter_bpf_object_end}, "wire_counter"));
}

}  // namespace

Counter::Counter() : object_(open_object()) { value_or_throw(object_.load()); }
proxy::WirePrograms Counter::programs() const {
  return {.ethernet_fd = value_or_throw(object_.program_fd("count_packet")),
          .raw_ip_fd = value_or_throw(object_.program_fd("count_raw_packet"))};
}
int Counter::dropping_program() const { return value_or_throw(object_.program_fd("drop_packet")); }
std::uint64_t Counter::read(const char* map, std::uint32_t ifindex) const {
  std::uint64_t value = 0;
  if (!value_or_throw(kernel::map_lookup(value_or_throw(object_.map_fd(map)), &ifindex, &value)))
    throw std::runtime_error("no counter for that interface");
  return value;
}

// The way to it is for root only, as that to the pins of the proxy.
PinFolder::PinFolder() : above_(value_or_throw(kernel::find_bpffs()) + fmt::format("/sonde-test-{}", ::getpid())) {
  path_ = above_ + "/wire-1";
  for (const auto& folder : {above_, path_})
    if (::mkdir(folder.c_str(), 0700) != 0) throw std::runtime_error("cannot make " + folder);
}
PinFolder::~PinFolder() {
  for (const auto& name : names()) std::filesystem::remove(path_ + "/" + name);
  ::rmdir(path_.c_str());
  ::rmdir(above_.c_str());
}
std::vector<std::string> PinFolder::names() const {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(path_)) found.push_back(entry.path().filename());
  std::ranges::sort(found);
  return found;
}

Host::Host() {
  add_veth(inside, "veth0", neighbour, "veth1");
  const auto link_address = [](const NetworkNamespace& where, const std::string& name) {
    const auto text = where.run("ip -o link show dev " + name + " | grep -o 'link/ether [^ ]*'");
    return text.substr(text.find(' ') + 1, 17);
  };
  inside.run("ip addr add 10.9.0.1/24 dev veth0; ip neigh replace 10.9.0.2 nud permanent dev veth0 lladdr " +
             link_address(neighbour, "veth1"));
  neighbour.run("ip addr add 10.9.0.2/24 dev veth1; ip neigh replace 10.9.0.1 nud permanent dev veth1 lladdr " +
                link_address(inside, "veth0"));
}

std::uint32_t Host::ifindex(const std::string& name) const {
  std::uint32_t found = 0;
  inside.call([&] { found = ::if_nametoindex(name.c_str()); });
  return found;
}

void Host::ping() const { inside.run("ping -c 1 -W 2 -q 10.9.0.2"); }

std::unique_ptr<proxy::Attachment> Host::attach(const Counter& counter, const std::string& folder) const {
  std::unique_ptr<proxy::Attachment> made;
  inside.call([&] { made = value_or_throw(proxy::Attachment::make(counter.programs(), folder)); });
  return made;
}

std::vector<std::string> Host::names(const proxy::Attachment& attachment) const {
  std::vector<std::string> names;
  for (const auto& interface : attachment.interfaces()) {
    EXPECT_EQ(interface.ifindex, ifindex(interface.name));
    EXPECT_EQ(interface.failure, "");
    names.push_back(interface.name);
  }
  std::ranges::sort(names);
  return names;
}

std::string Host::clsact(const std::string& name) const {
  return inside.run(fmt::format("tc qdisc show dev {0} | grep clsact || true; tc filter show dev {0} ingress", name));
}

namespace {

Fd pipe_end(std::array<int, 2>& ends, int which) {
  return Fd(std::exchange(ends.at(static_cast<std::size_t>(which)), -1));
}

void tell(const Fd& fd) {
  const char byte = '.';
  if (::write(fd.get(), &byte, 1) != 1) throw std::runtime_error("the other side has gone");
}

void await(const Fd& fd) {
  char byte = 0;
  if (::read(fd.get(), &byte, 1) != 1) throw std::runtime_error("the other side has gone");
}

}  // namespace

Child::Child(const NetworkNamespace& where, const std::function<bool(const Steps&)>& function) {
  std::array<int, 2> up{}, down{};
  if (::pipe2(up.data(), O_CLOEXEC) != 0 || ::pipe2(down.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  Fd up_read = pipe_end(up, 0), up_write = pipe_end(up, 1), down_read = pipe_end(down, 0),
     down_write = pipe_end(down, 1);
  pid_ = ::fork();
  if (pid_ == 0) {
    up_read.reset();
    down_write.reset();
    int status = 2;
    try {
      if (::setns(where.fd(), CLONE_NEWNET) == 0)
        status = function({.done = [&] { tell(up_write); }, .wait = [&] { await(down_read); }}) ? 0 : 1;
    } catch (const std::exception& problem) {
      fmt::print(stderr, "child: {}\n", problem.what());
    }
    ::_exit(status);
  }
  from_ = std::move(up_read);
  to_ = std::move(down_write);
}
Child::~Child() { kill(); }
void Child::wait_until_done() const { await(from_); }
void Child::go_on() const { tell(to_); }
void Child::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(std::exchange(pid_, -1), nullptr, 0);
}
int Child::join() {
  int status = -1;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

}  // namespace sonde::test
