// SPDX-License-Identifier: Apache-2.0
// What names a group: a process, an address, a port ...
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sonde/owner.hpp"

namespace sonde::aggregate {

struct GroupKey {
  enum class Kind : std::uint8_t { none, unknown_owner, process, text, address, port, protocol };

  Kind kind = Kind::none;
  std::array<std::uint64_t, 2> value{};

  /// A group of its own kind, not what is left over.
  [[nodiscard]] bool known() const { return kind > Kind::unknown_owner; }
  friend bool operator==(const GroupKey&, const GroupKey&) = default;
};

/// Seeded: who sends packets must not be able to choose addresses that all fall into one bucket.
struct GroupKeyHash {
  std::uint64_t seed;
  GroupKeyHash();
  [[nodiscard]] std::size_t operator()(const GroupKey& key) const;
};

[[nodiscard]] GroupKey process_key(const Owner& owner);
[[nodiscard]] GroupKey address_key(const std::array<std::uint8_t, 16>& address);
[[nodiscard]] GroupKey port_key(std::uint8_t protocol, std::uint16_t port);
[[nodiscard]] GroupKey protocol_key(std::uint8_t protocol);
/// At most 16 bytes of it tell groups apart (a country code, or a number that a name was given).
[[nodiscard]] GroupKey text_key(std::string_view text);

/// The name of a group whose key says all: addresses, ports, protocols, short texts, unknown owners.
[[nodiscard]] std::string key_name(const GroupKey& key);

}  // namespace sonde::aggregate
