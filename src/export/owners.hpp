// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <unordered_map>

#include "sonde/packet.hpp"

namespace sonde::exporter {

/// What a sink writes for the owner of a packet, made once for each owner: it costs more than the rest of a packet.
class PerOwner {
 public:
  /// `render(owner)` gives the text; "" for a packet without owner. Valid until the next call.
  template <class Render>
  const std::string& get(const Packet& packet, Render render) {
    if (packet.owner == nullptr) return none_;
    if (last_ != nullptr && last_id_ == packet.owner_id && last_id_ != 0) [[likely]]
      return *last_;
    if (texts_.size() >= most_texts) texts_.clear();
    const auto [place, added] = texts_.try_emplace(packet.owner_id);
    if (added || packet.owner_id == 0) place->second = render(*packet.owner);
    last_id_ = packet.owner_id;
    last_ = &place->second;  // elements of an unordered_map stay where they are
    return *last_;
  }

 private:
  static constexpr std::size_t most_texts = 4096;

  std::unordered_map<std::uint64_t, std::string> texts_;
  std::string none_;
  std::uint64_t last_id_ = 0;
  const std::string* last_ = nullptr;
};

}  // namespace sonde::exporter
