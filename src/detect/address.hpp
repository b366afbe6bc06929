// SPDX-License-Identifier: Apache-2.0
// What addresses are, and hashes of them. IPv4 is ::ffff:a.b.c.d everywhere.
#pragma once
#include <array>
#include <cstdint>

#include "sonde/endpoint.hpp"

namespace sonde::detect {

using Address = std::array<std::uint8_t, 16>;

/// Spreads bits (the finalizer of MurmurHash3, public domain). The same on every machine and in every run.
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t value) {
  value ^= value >> 33;
  value *= 0xff51afd7ed558ccdULL;
  value ^= value >> 33;
  value *= 0xc4ceb9fe1a85ec53ULL;
  return value ^ value >> 33;
}

[[nodiscard]] constexpr std::uint64_t combine(std::uint64_t hash, std::uint64_t value) {
  return mix(hash * 0x9e3779b97f4a7c15ULL + value);
}

[[nodiscard]] std::uint64_t hash_of(const Address& address);
[[nodiscard]] inline std::uint64_t hash_of(const Endpoint& endpoint) {
  return combine(hash_of(endpoint.address), endpoint.port);
}

struct AddressHash {
  std::size_t operator()(const Address& address) const { return hash_of(address); }
};

/// One host, neither nobody (0.0.0.0, ::) nor many (multicast, 255.255.255.255).
[[nodiscard]] bool is_one_host(const Address& address);
/// Not to be reached from the internet: private, shared, link-local, loopback, documentation, multicast (RFC 6890).
[[nodiscard]] bool is_private(const Address& address);

[[nodiscard]] std::string address_text(const Address& address);

}  // namespace sonde::detect
