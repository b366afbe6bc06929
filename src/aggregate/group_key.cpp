// SPDX-License-Identifier: Apache-2.0
#include "aggregate/group_key.hpp"

#include <algorithm>
#include <cstring>
#include <random>

#include "sonde/endpoint.hpp"
#include "sonde/flow.hpp"

namespace sonde::aggregate {
namespace {

std::uint64_t mix(std::uint64_t value, std::uint64_t seed) {
  const auto product = static_cast<unsigned __int128>(value ^ seed) * 0x9e3779b97f4a7c15ULL;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

GroupKeyHash::GroupKeyHash() {
  std::random_device random;
  seed = (std::uint64_t{random()} << 32) | random();
}

std::size_t GroupKeyHash::operator()(const GroupKey& key) const {
  return mix(key.value[1], mix(key.value[0], mix(static_cast<std::uint64_t>(key.kind), seed)));
}

GroupKey process_key(const Owner& owner) {
  if (!owner.known()) return {GroupKey::Kind::unknown_owner, {static_cast<std::uint64_t>(owner.reason), 0}};
  return {GroupKey::Kind::process, {owner.pid, owner.process ? owner.process->start_time_ns : 0}};
}

GroupKey address_key(const std::array<std::uint8_t, 16>& address) {
  GroupKey key{GroupKey::Kind::address, {}};
  std::memcpy(key.value.data(), address.data(), address.size());
  return key;
}

GroupKey port_key(std::uint8_t protocol, std::uint16_t port) { return {GroupKey::Kind::port, {protocol, port}}; }

GroupKey protocol_key(std::uint8_t protocol) { return {GroupKey::Kind::protocol, {protocol, 0}}; }

GroupKey text_key(std::string_view text) {
  GroupKey key{GroupKey::Kind::text, {}};
  std::memcpy(key.value.data(), text.data(), std::min(text.size(), sizeof(key.value)));
  return key;
}

std::string key_name(const GroupKey& key) {
  switch (key.kind) {
    case GroupKey::Kind::unknown_owner:
      return std::string("unknown (") + owner_reason_text(static_cast<sonde_owner_reason>(key.value[0])) + ")";
    case GroupKey::Kind::address: {
      Endpoint endpoint;
      std::memcpy(endpoint.address.data(), key.value.data(), endpoint.address.size());
      return endpoint.address_text();
    }
    case GroupKey::Kind::port:
      return flow_protocol_name(static_cast<std::uint8_t>(key.value[0])) +
             (key.value[1] == 0 ? " without port" : " " + std::to_string(key.value[1]));
    case GroupKey::Kind::protocol: return flow_protocol_name(static_cast<std::uint8_t>(key.value[0]));
    case GroupKey::Kind::text: {
      const auto* text = reinterpret_cast<const char*>(key.value.data());
      return {text, ::strnlen(text, sizeof(key.value))};
    }
    case GroupKey::Kind::process:
    case GroupKey::Kind::none: break;
  }
  return {};
}

}  // namespace sonde::aggregate
