// SPDX-License-Identifier: Apache-2.0
// The tables of scenes. A scene is a function of a seed.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sonde/security.hpp"
#include "traffic.hpp"

namespace sonde::corpus {

struct BenignScene {
  const char* name;
  const char* what;
  void (*make)(Traffic& traffic);
  bool is_long = false;  ///< hours of packet time
};

/// What an attack must be found as.
struct Attack {
  SecurityKind kind{};
  std::string who;     ///< an address that must be named; empty: any
  std::string whom;    ///< likewise
  double begins = 0;   ///< second of its first packet
  std::string method;  ///< of a scan; empty: any
  std::string what;    ///< what varies, for messages
};

struct AttackScene {
  const char* name;
  const char* what;
  Attack (*make)(Traffic& traffic);
  bool mixes = true;  ///< with benign traffic, every other run
};

[[nodiscard]] std::span<const BenignScene> benign_scenes();
[[nodiscard]] std::vector<AttackScene> attack_scenes();
/// The parts of it, by what they attack.
[[nodiscard]] std::span<const AttackScene> scan_attacks();
[[nodiscard]] std::span<const AttackScene> flood_attacks();
[[nodiscard]] std::span<const AttackScene> host_attacks();

/// Attacks that are known to be missed, and benign traffic that is known to be taken for an attack.
[[nodiscard]] std::span<const AttackScene> missed_attacks();
[[nodiscard]] std::span<const BenignScene> false_alarms();

/// The host that looks.
inline const Address host = ipv4(10, 0, 0, 5);
inline const Address gateway = ipv4(10, 0, 0, 1);
inline const Address resolver = ipv4(10, 0, 0, 53);

/// An address of the internet.
[[nodiscard]] Address public_address(Random& random);
[[nodiscard]] std::string random_name(Random& random, std::size_t length, const char* letters);
/// A program of this host.
[[nodiscard]] std::shared_ptr<const SocketOwner> program(const char* executable, std::uint32_t pid);

}  // namespace sonde::corpus
