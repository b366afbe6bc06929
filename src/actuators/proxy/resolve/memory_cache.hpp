// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "actuators/proxy/resolve/resolver.hpp"

namespace sonde::proxy {

/// In the memory of this process: as many names as it was made for; the one not used for the longest time goes first.
class MemoryCache : public DnsCache {
 public:
  explicit MemoryCache(std::size_t capacity) : capacity_(capacity) {}

  bool find(const std::string& name, Entry& entry) override;
  void put(const std::string& name, const Entry& entry) override;
  std::size_t capacity() const override { return capacity_; }
  bool in_kernel() const override { return false; }

 private:
  struct Item {
    std::string name;
    Entry entry;
  };
  std::size_t capacity_;
  std::mutex mutex_;
  std::list<Item> items_;  ///< used last first
  std::unordered_map<std::string_view, std::list<Item>::iterator> by_name_;
};

}  // namespace sonde::proxy
