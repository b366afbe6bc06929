// SPDX-License-Identifier: Apache-2.0
// Owner filters keep exactly the packets of the process: as many as tcpdump saw on its port.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "peers.hpp"

namespace sonde::test {
namespace {

constexpr std::uint16_t wanted_port = 8080;
constexpr std::uint16_t other_port = 8081;

std::string cgroup_mount() {
  std::ifstream mounts("/proc/mounts");
  std::string device, path, type, rest;
  while (mounts >> device >> path >> type && std::getline(mounts, rest))
    if (type == "cgroup2") return path;
  return "";
}

/// A cgroup as docker makes it, without docker.
class ContainerGroup {
 public:
  explicit ContainerGroup(const std::string& id) : path_(cgroup_mount() + "/docker-" + id + ".scope") {
    std::filesystem::create_directory(path_);
  }
  ContainerGroup(const ContainerGroup&) = delete;
  ContainerGroup& operator=(const ContainerGroup&) = delete;
  ~ContainerGroup() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Two clients at once, of which the filter wants one. Each has a TCP server of its own.
struct Clients {
  Pair pair;
  Peer wanted_server{pair.right, {"serve_tcp", "10.9.0.2", "8080", "4"}};
  Peer other_server{pair.right, {"serve_tcp", "10.9.0.2", "8081", "4"}};
  Peer wanted;
  Peer other{pair.left, {"call_tcp", "10.9.0.2", "8081", "4", "10"}};
  std::size_t on_wire = 0;

  explicit Clients(const std::string& word = "name=wanted-one")
      : wanted(pair.left, {"call_tcp", word, "10.9.0.2", "8080", "4", "10"}) {}

  Captured run(const Words& filter) {
    Tcpdump tcpdump(pair.left, "veth0");
    Words words = {"-i", "veth0"};
    words.insert(words.end(), filter.begin(), filter.end());
    auto seen = capture(pair.left, words, [&] {
      wanted.begin();
      other.begin();
      wanted.finish();
      other.finish();
      on_wire = tcpdump.count("tcp.port == 8080");
    });
    return seen;
  }
};

void expect_exactly_wanted(const Clients& clients, const Captured& seen) {
  EXPECT_EQ(seen.status, 0) << seen.errors;
  EXPECT_TRUE(seen.balanced()) << seen.errors;
  EXPECT_GT(clients.on_wire, 80U);
  EXPECT_EQ(with_port(seen, "tcp", wanted_port).size(), clients.on_wire) << seen.errors;
  EXPECT_EQ(seen.packets.size(), clients.on_wire) << seen.errors;
  for (const auto& packet : seen.packets) EXPECT_EQ(owner_of(packet), pid_text(clients.wanted)) << packet;
  const auto hook = seen.stage("hook");
  const auto filter = seen.stage("filter");
  EXPECT_EQ(hook[0], hook[2] + filter[2] + seen.packets.size());
}

TEST(OwnerFilters, Pid) {
  Clients clients;
  expect_exactly_wanted(clients, clients.run({"--pid", std::to_string(clients.wanted.pid())}));
}

TEST(OwnerFilters, PidOfAList) {
  Clients clients;
  expect_exactly_wanted(clients, clients.run({"--pid", "1," + std::to_string(clients.wanted.pid())}));
}

TEST(OwnerFilters, PidByPerf) {
  Clients clients;
  expect_exactly_wanted(clients, clients.run({"--pid", std::to_string(clients.wanted.pid()), "--transport", "perf"}));
}

TEST(OwnerFilters, Process) {
  Clients clients;
  expect_exactly_wanted(clients, clients.run({"--process", "wanted-one"}));
}

TEST(OwnerFilters, User) {
  Clients clients("uid=65534");
  expect_exactly_wanted(clients, clients.run({"--user", "nobody"}));
}

TEST(OwnerFilters, UserByNumber) {
  Clients clients("uid=54321");
  expect_exactly_wanted(clients, clients.run({"--user", "54321"}));
}

TEST(OwnerFilters, Container) {
  if (cgroup_mount().empty()) GTEST_SKIP() << "no cgroup v2 hierarchy is mounted";
  const std::string id = "5e1f" + std::string(60, 'a');
  const ContainerGroup group(id);
  {
    Clients clients("cgroup=" + group.path());
    expect_exactly_wanted(clients, clients.run({"--container", id.substr(0, 12)}));
  }
}

// Of a process that sends nothing nothing is shown; what nobody owns is left out, and the ledger says how much that
// was.
TEST(OwnerFilters, LeaveOutWhatNobodyOwns) {
  Clients clients;
  const Peer silent(clients.pair.left, {"serve_udp", "10.9.0.1", "5353", "1"});
  const auto seen = capture(clients.pair.left, {"-i", "veth0", "--pid", std::to_string(silent.pid())}, [&] {
    send_frame(clients.pair.right, "veth1", udp_frame(), 7);
    clients.wanted.begin();
    clients.wanted.finish();
  });
  EXPECT_TRUE(seen.packets.empty());
  EXPECT_TRUE(seen.balanced()) << seen.errors;
  const auto hook = seen.stage("hook");
  const auto filter = seen.stage("filter");
  EXPECT_EQ(hook[0], hook[2] + filter[2]);
  EXPECT_GT(hook[0], 80U);
  EXPECT_NE(seen.errors.find("7 of the filtered had no known owner"), std::string::npos) << seen.errors;
}

struct WrongWords {
  Words words;
  const char* named;  ///< in the message
};

class OwnerWords : public testing::TestWithParam<WrongWords> {};

TEST_P(OwnerWords, AreErrorsThatNameThem) {
  const Pair pair;
  Words words = {"capture"};
  words.insert(words.end(), GetParam().words.begin(), GetParam().words.end());
  const auto ended = run_sonde(pair.left, words);
  EXPECT_EQ(ended.status, 2) << ended.errors;
  EXPECT_NE(ended.errors.find(GetParam().named), std::string::npos) << ended.errors;
}

INSTANTIATE_TEST_SUITE_P(
    Wrong, OwnerWords,
    testing::Values(WrongWords{{"-i", "lo", "--pid", "4711x"}, "--pid '4711x': expected"},
                    WrongWords{{"-i", "lo", "--pid", "4711,"}, "--pid '': expected"},
                    WrongWords{{"-i", "lo", "--user", "nosuchuser"}, "--user 'nosuchuser': expected"},
                    WrongWords{{"-i", "lo", "--container", "ab"}, "--container 'ab': expected"},
                    WrongWords{{"-i", "lo", "--hook", "bogus"}, "--hook 'bogus'"},
                    WrongWords{{"-i", "lo", "--owner-map-size", "many"}, "--owner-map-size 'many'"},
                    WrongWords{{"-i", "lo", "--owner-map-size", "0"}, "--owner-map-size '0'"},
                    WrongWords{{"-i", "lo", "--pid", "1", "--no-owners"}, "--pid"},
                    WrongWords{{"-i", "lo", "--process", "x", "--source", "afpacket"}, "--process: source afpacket"},
                    WrongWords{{"-r", "nothing.pcap", "--user", "root"}, "--user: source file"},
                    WrongWords{{"-i", "lo", "--pid", "1", "--workers", "2"}, "--pid"},
                    WrongWords{{"-i", "lo", "--container", "abcd", "--xdp-mode", "generic"}, "--container: XDP"}));

}  // namespace
}  // namespace sonde::test
