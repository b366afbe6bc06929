// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <list>
#include <unordered_map>
#include <utility>

namespace sonde::detect {

/// A map of at most `limit` entries: a new one pushes out the one that was not touched for longest. Walks go from the
/// one touched last to the one touched longest ago, so they do not depend on hashes.
template <class Key, class Value, class Hash>
class Bounded {
 public:
  explicit Bounded(std::size_t limit) : limit_(limit == 0 ? 1 : limit) {}

  [[nodiscard]] Value* find(const Key& key) {
    const auto found = index_.find(key);
    return found == index_.end() ? nullptr : &found->second->second;
  }

  /// Finds or makes it, and makes it the one touched last.
  Value& touch(const Key& key) {
    if (const auto found = index_.find(key); found != index_.end()) {
      entries_.splice(entries_.begin(), entries_, found->second);
      return found->second->second;
    }
    if (entries_.size() >= limit_) {
      index_.erase(entries_.back().first);
      entries_.pop_back();
    }
    entries_.emplace_front(key, Value{});
    index_.emplace(key, entries_.begin());
    return entries_.front().second;
  }

  void erase(const Key& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return;
    entries_.erase(found->second);
    index_.erase(found);
  }

  template <class Predicate>
  void erase_if(Predicate&& predicate) {
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      const auto next = std::next(entry);
      if (predicate(entry->first, entry->second)) {
        index_.erase(entry->first);
        entries_.erase(entry);
      }
      entry = next;
    }
  }

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  auto begin() { return entries_.begin(); }
  auto end() { return entries_.end(); }

 private:
  std::size_t limit_;
  std::list<std::pair<Key, Value>> entries_;
  std::unordered_map<Key, typename std::list<std::pair<Key, Value>>::iterator, Hash> index_;
};

}  // namespace sonde::detect
