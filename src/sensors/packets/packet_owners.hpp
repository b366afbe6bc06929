// SPDX-License-Identifier: Apache-2.0
// Names the owners of the packets of a batch, and keeps those that the owner filter wants.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pipeline/source.hpp"
#include "sensors/owners/owner_tracking.hpp"
#include "sensors/packets/packets.abi.h"

namespace sonde::packets {

class PacketOwners {
 public:
  PacketOwners(std::unique_ptr<owners::OwnerTracking> tracking, bool filtered, sonde_transport transport)
      : tracking_(std::move(tracking)), filtered_(filtered), transport_(transport) {}

  /// For packets that a reader just put into the batch; also call it for an empty one, so that processes are followed.
  /// What the filter does not want leaves the batch. The owners are valid until the next call.
  void resolve(pipeline::PacketBatch& batch);

  /// Packets that left a batch.
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }
  [[nodiscard]] bool filtered() const { return filtered_; }
  [[nodiscard]] std::vector<std::string> notices() const { return tracking_->notices(); }

 private:
  // The kernel's record resolved. Records are few: they hold a process and a thread, not a socket.
  struct Entry {
    SocketOwner owner;
    std::uint64_t id = 0;
    std::uint64_t batch = 0;  ///< in which it was resolved last
    bool wanted = true;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view bytes) const { return std::hash<std::string_view>{}(bytes); }
  };

  Entry& find(std::string_view raw);
  void renew(Entry& entry, std::string_view raw);

  std::unique_ptr<owners::OwnerTracking> tracking_;
  bool filtered_;
  sonde_transport transport_;
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries_;  ///< by the bytes of sonde_socket_owner
  std::string_view last_raw_;
  Entry* last_ = nullptr;
  std::uint64_t batch_ = 0;
  std::uint64_t last_id_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace sonde::packets
