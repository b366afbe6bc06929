// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/process/port_holder.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

namespace sonde::proxy {
namespace {

// The kernel prints each 32-bit word of an address as a number of this machine's byte order.
std::optional<Endpoint> parse_address(std::string_view text) {
  const auto colon = text.find(':');
  if (colon != 8 && colon != 32) return std::nullopt;
  Endpoint endpoint;
  std::size_t at = 0;
  if (colon == 8) {
    endpoint.address[10] = endpoint.address[11] = 0xff;
    at = 12;
  }
  for (std::size_t digit = 0; digit < colon; digit += 8, at += 4) {
    std::uint32_t word = 0;
    std::from_chars(text.data() + digit, text.data() + digit + 8, word, 16);
    std::memcpy(&endpoint.address[at], &word, sizeof(word));
  }
  std::from_chars(text.data() + colon + 1, text.data() + text.size(), endpoint.port, 16);
  return endpoint;
}

// The table begins with the listening sockets (net/ipv4/tcp_ipv4.c, tcp_seq_start), so the rest is not read.
void append_listeners(const char* table, std::uint16_t port, std::vector<Listener>& found) {
  std::ifstream file(table);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string slot, local, remote, state, queues, timer, retransmits, user, timeout;
    Listener listener;
    words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> user >> timeout >> listener.inode;
    if (!words || state != "0A") break;
    const auto address = parse_address(local);
    if (!address || address->port != port) continue;
    listener.address = *address;
    found.push_back(listener);
  }
}

bool has_descriptor(const std::filesystem::path& process, unsigned long inode) {
  const std::string name = fmt::format("socket:[{}]", inode);
  std::error_code error;
  for (std::filesystem::directory_iterator entry(process / "fd", error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry->path(), gone) == name) return true;
  }
  return false;
}

std::string command_of(const std::filesystem::path& process) {
  std::ifstream file(process / "comm");
  std::string name;
  std::getline(file, name);
  return name;
}

bool is_wildcard(const Endpoint& address) {
  return std::all_of(address.address.begin() + (address.is_ipv4() ? 12 : 0), address.address.end(),
                     [](std::uint8_t byte) { return byte == 0; });
}

// An IPv6 wildcard may take IPv4 too.
bool overlap(const Endpoint& a, const Endpoint& b) {
  if (a.is_ipv4() == b.is_ipv4()) return a.address == b.address || is_wildcard(a) || is_wildcard(b);
  return is_wildcard(a.is_ipv4() ? b : a);
}

}  // namespace

std::vector<Listener> listeners_at(std::uint16_t port) {
  std::vector<Listener> found;
  append_listeners("/proc/thread-self/net/tcp", port, found);
  append_listeners("/proc/thread-self/net/tcp6", port, found);
  return found;
}

bool is_ours(const Listener& listener) { return has_descriptor("/proc/self", listener.inode); }
bool is_of(pid_t process, const Listener& listener) {
  return has_descriptor(fmt::format("/proc/{}", process), listener.inode);
}

std::string holders_of(const Listener& listener) {
  std::string first;
  int others = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const std::string pid = entry->path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (!has_descriptor(entry->path(), listener.inode)) continue;
    if (first.empty())
      first = fmt::format("{}[{}]", command_of(entry->path()), pid);
    else
      ++others;
  }
  return others == 0 ? first : fmt::format("{} and {} more", first, others);
}

std::string who_has(const Endpoint& address) {
  for (const Listener& listener : listeners_at(address.port)) {
    if (!overlap(listener.address, address)) continue;
    if (const std::string holders = holders_of(listener); !holders.empty())
      return fmt::format("{} at {}", holders, listener.address.text());
  }
  return {};
}

}  // namespace sonde::proxy
