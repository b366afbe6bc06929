// SPDX-License-Identifier: Apache-2.0
// A pair of namespaces, of which `right` is guarded by the built program.
#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/netns.hpp"
#include "harness/process.hpp"
#include "harness/traffic.hpp"

namespace sonde::test {

struct Outcome {
  int status = -1;
  std::string output;
  std::string errors;
};

/// `sonde guard WORDS` in the namespace; words are parted by blanks. `environment`: "NAME=VALUE" ...
Outcome sonde_guard(const NetworkNamespace& where, const std::string& words,
                    const std::vector<std::string>& environment = {});

/// The pins of a namespace's guard: directories and what is in them; empty: it has none.
std::vector<std::string> pins_of(const NetworkNamespace& where);
/// Where they are.
std::string pin_directory(const NetworkNamespace& where);

/// left: veth0 10.9.0.1 fd09::1, right: veth1 10.9.0.2 fd09::2. The guard is on veth1 and goes with this object.
class GuardedPair {
 public:
  /// An empty mode: not attached yet.
  explicit GuardedPair(const std::string& mode = "auto");
  GuardedPair(const GuardedPair&) = delete;
  GuardedPair& operator=(const GuardedPair&) = delete;
  ~GuardedPair();

  /// Fails the test when the status is not `status`.
  Outcome run(const std::string& words, int status = 0) const;
  /// The words of all rules, in the order of their ids, each behind its id: "1 block 10.9.0.1".
  [[nodiscard]] std::vector<std::string> rules() const;
  [[nodiscard]] nlohmann::json stats() const;
  /// Packets of an outcome.
  [[nodiscard]] std::uint64_t outcome(const std::string& name) const;
  /// "packets" of a rule; fails the test when there is none.
  [[nodiscard]] std::uint64_t hits(std::uint64_t id) const;

  /// A UDP datagram from left to a port of right: does it arrive?
  [[nodiscard]] bool arrives(std::uint16_t port, bool ipv6 = false, std::uint16_t from = 40'000) const;
  /// One the other way.
  [[nodiscard]] bool leaves(std::uint16_t port) const;
  /// An echo request from left to right is answered.
  [[nodiscard]] bool pings(bool ipv6 = false) const;

  /// Counts UDP packets that reach the kernel of right behind the guard, by source address: an nft counter each.
  void count_received(const std::vector<std::string>& sources) const;
  [[nodiscard]] std::uint64_t received(const std::string& source) const;

  Pair pair{NetworkNamespace::Ipv6::on};
};

/// A UDP frame from left to right with this source address.
Bytes udp_frame(const std::array<std::uint8_t, 4>& source, std::uint16_t port);

}  // namespace sonde::test
