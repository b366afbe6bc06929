// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/resolve/memory_cache.hpp"

#include "base/wall_clock.hpp"

namespace sonde::proxy {

bool MemoryCache::find(const std::string& name, Entry& entry) {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return false;
  const auto item = found->second;
  if (item->entry.expires_wall_ns <= wall_now_ns()) {
    by_name_.erase(found);
    items_.erase(item);
    return false;
  }
  items_.splice(items_.begin(), items_, item);
  entry = item->entry;
  return true;
}

void MemoryCache::put(const std::string& name, const Entry& entry) {
  const std::lock_guard lock(mutex_);
  if (const auto found = by_name_.find(name); found != by_name_.end()) {
    found->second->entry = entry;
    items_.splice(items_.begin(), items_, found->second);
    return;
  }
  if (capacity_ == 0) return;
  if (items_.size() == capacity_) {
    by_name_.erase(items_.back().name);
    items_.pop_back();
  }
  items_.push_front({name, entry});
  by_name_.emplace(items_.front().name, items_.begin());
}

}  // namespace sonde::proxy
