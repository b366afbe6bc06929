// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/caller.hpp"

#include <dirent.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>

#include "actuators/guard/network.hpp"

namespace sonde::guard {
namespace {

namespace fs = std::filesystem;
using Address = std::array<std::uint8_t, 16>;

// As far as it can be read: the files of a process that ends meanwhile fail with ESRCH, at which an iterator of the
// buffer would throw.
std::string read_whole(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

bool parse_endpoint(const std::string& address, const std::string& port, Endpoint& endpoint) {
  const auto zone = address.find('%');  // fe80::1%eth0
  const auto network = parse_network(address.substr(0, zone));
  const auto [rest, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (!network || network->length != 128 || error != std::errc{} || rest != port.data() + port.size()) return false;
  endpoint.address = network->address;
  return true;
}

// Addresses of this namespace, with the interface of each.
std::map<Address, std::string> local_addresses() {
  std::map<Address, std::string> addresses;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return addresses;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, ::freeifaddrs);
  for (const auto* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    Address address{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (entry->ifa_addr->sa_family == AF_INET)
      std::memcpy(address.data() + 12, &reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr, 4);
    else if (entry->ifa_addr->sa_family == AF_INET6)
      std::memcpy(address.data(), &reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr)->sin6_addr, 16);
    else
      continue;
    addresses.emplace(address, entry->ifa_name);
  }
  return addresses;
}

struct ProcessFacts {
  int parent = 0;
  std::string name;
};

// "12 (sshd: x) S 1 ..."; the name may hold parentheses and blanks.
ProcessFacts process_facts(int pid) {
  const auto stat = read_whole("/proc/" + std::to_string(pid) + "/stat");
  const auto open = stat.find('(');
  const auto close = stat.rfind(')');
  ProcessFacts facts;
  if (open == std::string::npos || close == std::string::npos || close + 4 > stat.size()) return facts;
  facts.name = stat.substr(open + 1, close - open - 1);
  std::from_chars(stat.data() + close + 4, stat.data() + stat.size(), facts.parent);
  return facts;
}

bool is_ssh_server(const std::string& name) { return name.starts_with("sshd") || name == "dropbear"; }

// The value of SSH_CONNECTION in an environment with NUL between its entries.
std::string ssh_connection_in(const std::string& environment) {
  constexpr std::string_view name = "SSH_CONNECTION=";
  for (std::size_t at = 0; at < environment.size();) {
    const auto end = std::min(environment.find('\0', at), environment.size());
    if (environment.compare(at, name.size(), name) == 0)
      return environment.substr(at + name.size(), end - at - name.size());
    at = end + 1;
  }
  return {};
}

// Of this process as it was started or has set it since, else of the nearest process above that has one.
std::string callers_words() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets it
  if (const char* own = std::getenv("SSH_CONNECTION"); own != nullptr && *own != '\0') return own;
  constexpr int most_ancestors = 64;
  int pid = ::getppid();
  for (int i = 0; i < most_ancestors && pid > 1; ++i) {
    auto words = ssh_connection_in(read_whole("/proc/" + std::to_string(pid) + "/environ"));
    if (!words.empty()) return words;
    pid = process_facts(pid).parent;
  }
  return {};
}

// Inodes of the sockets of SSH servers that have started something else for who is connected.
std::set<std::string> session_sockets() {
  std::map<int, ProcessFacts> servers;
  std::set<int> parents_of_others;
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const auto name = entry->path().filename().string();
    int pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc{}) continue;
    const auto facts = process_facts(pid);
    if (is_ssh_server(facts.name))
      servers.emplace(pid, facts);
    else
      parents_of_others.insert(facts.parent);
  }
  std::set<std::string> sockets;
  for (const auto& [pid, facts] : servers) {
    if (!parents_of_others.contains(pid)) continue;
    for (fs::directory_iterator entry("/proc/" + std::to_string(pid) + "/fd", error), end; !error && entry != end;
         entry.increment(error)) {
      std::error_code gone;
      const auto target = fs::read_symlink(entry->path(), gone).string();
      if (target.starts_with("socket:[")) sockets.insert(target.substr(8, target.size() - 9));
    }
  }
  return sockets;
}

// "0100007F:0016": each 32-bit word of the address in the host's byte order.
bool parse_kernel_endpoint(const std::string& word, Endpoint& endpoint) {
  const auto colon = word.find(':');
  if (colon != 8 && colon != 32) return false;
  endpoint.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  for (std::size_t at = 0; at < colon; at += 8) {
    std::uint32_t value = 0;
    if (std::from_chars(word.data() + at, word.data() + at + 8, value, 16).ec != std::errc{}) return false;
    std::memcpy(endpoint.address.data() + (colon == 8 ? 12 : at / 2), &value, sizeof(value));
  }
  return std::from_chars(word.data() + colon + 1, word.data() + word.size(), endpoint.port, 16).ec == std::errc{};
}

void add_sessions(std::vector<WorkConnection>& connections) {
  const auto sockets = session_sockets();
  if (sockets.empty()) return;
  for (const char* table : {"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"}) {
    std::istringstream lines(read_whole(table));
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
      std::istringstream columns(line);
      std::array<std::string, 10> column;
      for (auto& word : column) columns >> word;
      WorkConnection connection;
      if (column[3] == "01" && sockets.contains(column[9]) && parse_kernel_endpoint(column[1], connection.local) &&
          parse_kernel_endpoint(column[2], connection.remote))
        connections.push_back(connection);
    }
  }
}

bool is_loopback(const Address& address) {
  return address == Address{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1} ||
         (Endpoint{address, 0}.is_ipv4() && address[12] == 127);
}

}  // namespace

std::string WorkConnection::text() const { return remote.text() + " to " + local.text(); }

bool parse_ssh_connection(std::string_view words, WorkConnection& connection) {
  std::istringstream stream{std::string(words)};
  std::array<std::string, 4> word;
  for (auto& each : word)
    if (!(stream >> each)) return false;
  return parse_endpoint(word[0], word[1], connection.remote) && parse_endpoint(word[2], word[3], connection.local);
}

std::vector<WorkConnection> work_connections() {
  std::vector<WorkConnection> connections;
  WorkConnection own;
  if (parse_ssh_connection(callers_words(), own)) {
    own.own = true;
    connections.push_back(own);
  }
  add_sessions(connections);
  const auto addresses = local_addresses();
  std::vector<WorkConnection> here;
  for (auto& connection : connections) {
    const auto address = addresses.find(connection.local.address);
    const auto same = [&](const WorkConnection& other) {
      return other.local == connection.local && other.remote == connection.remote;
    };
    // An address of another namespace: its packets do not come by here.
    if (address == addresses.end() || is_loopback(connection.remote.address) || std::ranges::any_of(here, same))
      continue;
    connection.interface = address->second;
    here.push_back(connection);
  }
  return here;
}

}  // namespace sonde::guard
