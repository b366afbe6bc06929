// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/resolve/memory_cache.hpp"
#include "base/wall_clock.hpp"

#include <gtest/gtest.h>

namespace sonde::proxy {
namespace {

constexpr std::int64_t second = 1'000'000'000;

DnsCache::Entry entry(std::uint8_t last_byte, std::int64_t seconds = 60) {
  Endpoint endpoint;
  endpoint.address[15] = last_byte;
  return {{endpoint}, wall_now_ns() + seconds * second};
}

std::string found(DnsCache& cache, const std::string& name) {
  DnsCache::Entry entry;
  if (!cache.find(name, entry)) return "none";
  return entry.addresses.empty() ? "negative" : entry.addresses.front().address_text();
}

TEST(MemoryCache, GivesWhatWasPut) {
  MemoryCache cache(10);
  EXPECT_EQ(found(cache, "a.example"), "none");
  cache.put("a.example", entry(1));
  cache.put("b.example", {{}, wall_now_ns() + second});
  EXPECT_EQ(found(cache, "a.example"), "::1");
  EXPECT_EQ(found(cache, "b.example"), "negative");
  cache.put("a.example", entry(2));
  EXPECT_EQ(found(cache, "a.example"), "::2");
  EXPECT_FALSE(cache.in_kernel());
  EXPECT_EQ(cache.capacity(), 10U);
}

TEST(MemoryCache, ExpiredIsNotThere) {
  MemoryCache cache(10);
  cache.put("a.example", entry(1, 0));
  EXPECT_EQ(found(cache, "a.example"), "none");
}

TEST(MemoryCache, TheLeastUsedGoesFirst) {
  MemoryCache cache(3);
  for (const std::uint8_t i : {1, 2, 3}) cache.put(std::to_string(i), entry(i));
  EXPECT_EQ(found(cache, "1"), "::1");
  cache.put("4", entry(4));
  EXPECT_EQ(found(cache, "1"), "::1");
  EXPECT_EQ(found(cache, "2"), "none");
  EXPECT_EQ(found(cache, "3"), "::3");
  EXPECT_EQ(found(cache, "4"), "::4");
}

// Without eBPF the configuration's cache is this one, and it is said where that was not wanted.
TEST(MemoryCache, IsWhatThereIsWithoutTheKernels) {
  ProxyConfig config;
  config.ebpf.enabled = false;
  config.ebpf.dns_cache_entries = 7;
  std::string note = "x";
  const auto cache = DnsCache::open(config, note);
  EXPECT_FALSE(cache->in_kernel());
  EXPECT_EQ(cache->capacity(), 7U);
  EXPECT_EQ(note, "");
}

}  // namespace
}  // namespace sonde::proxy
