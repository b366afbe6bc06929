// SPDX-License-Identifier: Apache-2.0
// The bounded store of a ProcessTable. Knows nothing of /proc.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <unordered_map>

#include "sonde/owner.hpp"

namespace sonde::enrich {

/// A process by what both the kernel's events (nanoseconds) and /proc (ticks) tell.
struct StoreKey {
  std::uint64_t start_ticks = 0;
  std::uint32_t pid = 0;
  friend bool operator==(const StoreKey&, const StoreKey&) = default;
};

struct StoreKeyHash {
  std::size_t operator()(const StoreKey& key) const {
    return (key.start_ticks ^ (static_cast<std::uint64_t>(key.pid) << 40)) * 0x9e3779b97f4a7c15ULL;
  }
};

/// What tasks of the process looked like (uid, cgroup, name) when they were looked up. Records of sockets are older or
/// newer than a change of these, so a few are kept.
class Sightings {
 public:
  [[nodiscard]] bool has(std::uint64_t fingerprint) const {
    return hashes_[0] == fingerprint || hashes_[1] == fingerprint || hashes_[2] == fingerprint ||
           hashes_[3] == fingerprint;
  }
  [[nodiscard]] bool empty() const { return hashes_[0] == 0; }
  void add(std::uint64_t fingerprint) { hashes_.at(next_++ % hashes_.size()) = fingerprint; }

 private:
  std::array<std::uint64_t, 4> hashes_{};
  std::size_t next_ = 0;
};

struct StoreEntry {
  std::shared_ptr<const Process> process;
  std::uint64_t start_ns = 0;  ///< exact; 0: only the tick is known
  Sightings sightings;
  bool settled = false;    ///< /proc was asked since the last fork or exec
  bool inherited = false;  ///< a copy of its parent's
  bool exited = false;
  std::list<StoreKey>::iterator place;
};

/// At most `capacity` processes. The longest exited one makes room for a new one; if none has exited, the one that was
/// put in first.
class ProcessStore {
 public:
  explicit ProcessStore(std::size_t capacity) : capacity_(capacity) {}

  /// Null: not kept. Pointers stay valid until the next insert() or erase().
  [[nodiscard]] StoreEntry* find(const StoreKey& key) {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : &found->second;
  }
  /// The key must not be there.
  StoreEntry& insert(const StoreKey& key, std::shared_ptr<const Process> process);
  void erase(const StoreKey& key);
  /// Once more does not change the order.
  void mark_exited(const StoreKey& key);

  /// visit(key, entry) for each, in no order.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& [key, entry] : entries_) visit(key, entry);
  }
  /// Keys of those that have not exited.
  [[nodiscard]] const std::list<StoreKey>& running() const { return running_; }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::uint64_t evicted() const { return evicted_; }

 private:
  void make_room();

  std::size_t capacity_;
  std::unordered_map<StoreKey, StoreEntry, StoreKeyHash> entries_;
  std::list<StoreKey> running_;  ///< in order of arrival
  std::list<StoreKey> exited_;   ///< in order of exit
  std::uint64_t evicted_ = 0;
};

}  // namespace sonde::enrich
