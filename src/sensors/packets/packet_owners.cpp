// SPDX-License-Identifier: Apache-2.0
#include "sensors/packets/packet_owners.hpp"

#include <cstring>

#include "sensors/packets/readers.hpp"

namespace sonde::packets {
namespace {

// More than processes and threads that send at once; past it all are resolved anew.
constexpr std::size_t most_entries = 4096;

// The process table gives the same object for a process until something about it changes.
bool is_same(const SocketOwner& a, const SocketOwner& b) {
  if (a.owner.process != b.owner.process || a.opener.has_value() != b.opener.has_value()) return false;
  return !a.opener || a.opener->process == b.opener->process;
}

}  // namespace

void PacketOwners::resolve(pipeline::PacketBatch& batch) {
  tracking_->refresh();
  ++batch_;
  last_ = nullptr;
  if (entries_.size() > most_entries) entries_.clear();
  std::size_t kept = 0;
  for (std::size_t i = 0; i < batch.size; ++i) {
    auto& packet = batch.packets[i];
    const auto* raw = owner_bytes(*packet.event, transport_);
    if (raw != nullptr) {
      auto& entry = find({reinterpret_cast<const char*>(raw), sizeof(sonde_socket_owner)});
      if (!entry.wanted) continue;
      packet.owner = &entry.owner;
      packet.owner_id = entry.id;
    }
    if (kept != i) batch.packets[kept] = packet;
    ++kept;
  }
  left_out_ += batch.size - kept;
  batch.size = kept;
}

PacketOwners::Entry& PacketOwners::find(std::string_view raw) {
  if (last_ != nullptr && raw == last_raw_) return *last_;
  auto found = entries_.find(raw);
  if (found == entries_.end()) found = entries_.emplace(std::string(raw), Entry{}).first;
  last_raw_ = found->first;
  last_ = &found->second;  // elements of an unordered_map stay where they are
  if (last_->batch != batch_) renew(*last_, raw);
  return *last_;
}

// Once a batch, because the process may have run another program meanwhile.
void PacketOwners::renew(Entry& entry, std::string_view raw) {
  sonde_socket_owner record;
  std::memcpy(&record, raw.data(), sizeof(record));
  auto owner = tracking_->resolve(record);
  if (entry.id == 0 || !is_same(owner, entry.owner)) {
    entry.owner = std::move(owner);
    entry.id = ++last_id_;
  }
  entry.wanted = !filtered_ || tracking_->wanted(entry.owner);
  entry.batch = batch_;
}

}  // namespace sonde::packets
