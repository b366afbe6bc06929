// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace sonde::aggregate {

/// The `limit` greatest of any number of values, in memory for these alone. Of equal ones the lower id comes first, so
/// that the order does not depend on the order in which they were seen.
template <class Value>
class Ranking {
 public:
  explicit Ranking(std::size_t limit) : limit_(limit) {}

  /// Would it be among them? A million are asked, a few enter.
  [[nodiscard]] bool enters(std::uint64_t key, std::uint64_t id) const {
    return heap_.size() < limit_ || (limit_ > 0 && before(key, id, heap_.front().key, heap_.front().id));
  }

  /// Call only if it enters.
  void add(std::uint64_t key, std::uint64_t id, Value value) {
    if (heap_.size() == limit_) {
      std::pop_heap(heap_.begin(), heap_.end(), greater);
      heap_.pop_back();
    }
    heap_.push_back({key, id, std::move(value)});
    std::push_heap(heap_.begin(), heap_.end(), greater);
  }

  /// The greatest first; empty from here on.
  [[nodiscard]] std::vector<Value> take() {
    std::sort_heap(heap_.begin(), heap_.end(), greater);
    std::vector<Value> values;
    values.reserve(heap_.size());
    for (auto& entry : heap_) values.push_back(std::move(entry.value));
    heap_.clear();
    return values;
  }

  void set_limit(std::size_t limit) { limit_ = limit; }  ///< while it is empty

 private:
  struct Entry {
    std::uint64_t key;
    std::uint64_t id;
    Value value;
  };

  static bool before(std::uint64_t key, std::uint64_t id, std::uint64_t other_key, std::uint64_t other_id) {
    return key != other_key ? key > other_key : id < other_id;
  }
  // A heap of "comes before" has the last of all at its front.
  static bool greater(const Entry& a, const Entry& b) { return before(a.key, a.id, b.key, b.id); }

  std::size_t limit_;
  std::vector<Entry> heap_;
};

}  // namespace sonde::aggregate
