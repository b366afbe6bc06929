// SPDX-License-Identifier: Apache-2.0
#include "guarded.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <filesystem>
#include <sstream>
#include <thread>

namespace sonde::test {
namespace {

namespace fs = std::filesystem;

// Bound in `where`; counts as arrived what can be read within the patience.
bool datagram_arrives(const NetworkNamespace& from, const NetworkNamespace& to, const std::string& address,
                      std::uint16_t from_port, std::uint16_t port) {
  constexpr int patience_ms = 250;
  Fd socket;
  const bool ipv6 = address.find(':') != std::string::npos;
  to.call([&] { socket.reset(::socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); });
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(port);
  const auto* const name = ipv6 ? reinterpret_cast<sockaddr*>(&six) : reinterpret_cast<sockaddr*>(&four);
  EXPECT_EQ(::bind(socket.get(), name, ipv6 ? sizeof(six) : sizeof(four)), 0);
  send_udp(from, address, from_port, port, "hello");
  pollfd poll{.fd = socket.get(), .events = POLLIN, .revents = 0};
  return ::poll(&poll, 1, patience_ms) == 1;
}

}  // namespace

Outcome sonde_guard(const NetworkNamespace& where, const std::string& words,
                    const std::vector<std::string>& environment) {
  std::vector<std::string> arguments{"env", "-u", "SSH_CONNECTION"};
  arguments.insert(arguments.end(), environment.begin(), environment.end());
  arguments.insert(arguments.end(), {SONDE_PROGRAM, "guard"});
  std::istringstream stream(words);
  for (std::string word; stream >> word;) arguments.push_back(word);
  Process process(where, arguments);
  const int status = process.wait(std::chrono::seconds{60});
  return {status, process.output(), process.errors()};
}

std::string pin_directory(const NetworkNamespace& where) {
  std::uint64_t cookie = 0;
  where.call([&] {
    const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    socklen_t size = sizeof(cookie);
    constexpr int netns_cookie = 71;
    ::getsockopt(socket.get(), SOL_SOCKET, netns_cookie, &cookie, &size);
  });
  for (const char* root : {"/proc/1/root/sys/fs/bpf", "/sys/fs/bpf"}) {
    const auto path = fmt::format("{}/sonde/guard/netns-{}", root, cookie);
    std::error_code error;
    if (fs::exists(path, error)) return path;
  }
  return fmt::format("/sys/fs/bpf/sonde/guard/netns-{}", cookie);
}

std::vector<std::string> pins_of(const NetworkNamespace& where) {
  std::vector<std::string> pins;
  std::error_code error;
  const auto path = pin_directory(where);
  if (!fs::exists(path, error)) return pins;
  pins.push_back(path);
  for (const auto& entry : fs::directory_iterator(path, error)) pins.push_back(entry.path());
  return pins;
}

GuardedPair::GuardedPair(const std::string& mode) {
  if (!mode.empty()) run("attach -i veth1 --mode " + mode);
}

GuardedPair::~GuardedPair() { (void)sonde_guard(pair.right, "detach"); }

Outcome GuardedPair::run(const std::string& words, int status) const {
  auto outcome = sonde_guard(pair.right, words);
  EXPECT_EQ(outcome.status, status) << "sonde guard " << words << "\n" << outcome.output << outcome.errors;
  return outcome;
}

std::vector<std::string> GuardedPair::rules() const {
  std::vector<std::string> rules;
  for (const auto& line : lines_of(run("list -o json").output)) {
    const auto rule = nlohmann::json::parse(line);
    rules.push_back(fmt::format("{} {}", rule["id"].get<std::uint64_t>(), rule["words"].get<std::string>()));
  }
  return rules;
}

nlohmann::json GuardedPair::stats() const { return nlohmann::json::parse(run("stats -o json").output); }

std::uint64_t GuardedPair::outcome(const std::string& name) const { return stats()["outcomes"][name]["packets"]; }

std::uint64_t GuardedPair::hits(std::uint64_t id) const {
  const auto all = stats();
  for (const auto& rule : all["rules"])
    if (rule["id"] == id) return rule["packets"];
  ADD_FAILURE() << "no rule " << id;
  return 0;
}

bool GuardedPair::arrives(std::uint16_t port, bool ipv6, std::uint16_t from) const {
  return datagram_arrives(pair.left, pair.right, ipv6 ? "fd09::2" : "10.9.0.2", from, port);
}

bool GuardedPair::leaves(std::uint16_t port) const {
  return datagram_arrives(pair.right, pair.left, "10.9.0.1", 40'000, port);
}

bool GuardedPair::pings(bool ipv6) const {
  return pair.left.run(std::string("ping -n -c 1 -W 1 ") + (ipv6 ? "fd09::2" : "10.9.0.2") +
                       " >/dev/null && echo yes || true") == "yes\n";
}

void GuardedPair::count_received(const std::vector<std::string>& sources) const {
  std::string rules;
  for (const auto& source : sources) rules += fmt::format("ip saddr {} counter; ", source);
  pair.right.run("nft 'table netdev seen { chain in { type filter hook ingress device veth1 priority 0; " + rules +
                 "}; }'");
}

std::uint64_t GuardedPair::received(const std::string& source) const {
  const auto text = pair.right.run("nft list table netdev seen");
  const auto at = text.find("ip saddr " + source + " counter packets ");
  if (at == std::string::npos) {
    ADD_FAILURE() << "no counter of " << source << " in " << text;
    return 0;
  }
  return std::stoull(text.substr(text.find("packets ", at) + 8));
}

Bytes udp_frame(const std::array<std::uint8_t, 4>& source, std::uint16_t port) {
  return ethernet({}, ipv4({.protocol = 17, .source = source, .destination = {10, 9, 0, 2}},
                           udp({.source_port = 40'000, .destination_port = port}, counting(32))));
}

}  // namespace sonde::test
