// SPDX-License-Identifier: Apache-2.0
// DNS_CACHE in the kernel, beside bpftool.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "actuators/proxy/resolve/dns_cache.abi.h"
#include "actuators/proxy/resolve/memory_cache.hpp"
#include "base/wall_clock.hpp"
#include "harness/command.hpp"
#include "harness/netns.hpp"
#include "kernel/object.hpp"
#include "kernel/pins.hpp"

namespace sonde::proxy {
namespace {

using nlohmann::json;

constexpr std::int64_t minute = 60'000'000'000;
constexpr uid_t nobody = 65534;

Endpoint address(std::uint32_t number) {
  Endpoint endpoint{.address = {0x20, 0x01, 0x0d, 0xb8}};
  for (std::size_t i = 0; i < 4; ++i) endpoint.address[15 - i] = static_cast<std::uint8_t>(number >> 8 * i);
  return endpoint;
}

DnsCache::Entry entry(std::uint32_t number) { return {{address(number)}, wall_now_ns() + minute}; }

// A folder of pins of this test's own.
struct DnsCacheTest : testing::Test {
  DnsCacheTest() : folder("sonde-proxy-test-" + std::to_string(::getpid())) {
    const auto bpffs = kernel::find_bpffs();
    EXPECT_TRUE(bpffs) << bpffs.error().text();
    if (bpffs) path = *bpffs + "/" + folder;
    config.ebpf.dns_cache_entries = 1000;
    config.dns.servers = {"192.0.2.53"};
  }
  ~DnsCacheTest() override {
    std::error_code error;
    std::filesystem::remove(pin(), error);
    std::filesystem::remove(path, error);
  }

  [[nodiscard]] std::string pin() const { return path + "/DNS_CACHE"; }
  std::unique_ptr<DnsCache> open() {
    auto cache = DnsCache::open(config, note, folder);
    EXPECT_TRUE(cache->in_kernel()) << note;
    EXPECT_EQ(note, "");
    return cache;
  }
  [[nodiscard]] json dump() const { return json::parse(test::run("bpftool -j map dump pinned " + pin())); }
  [[nodiscard]] json shown() const { return json::parse(test::run("bpftool -j map show pinned " + pin())); }

  std::string folder;
  std::string path;
  ProxyConfig config;
  std::string note;
};

std::string found(DnsCache& cache, const std::string& name) {
  DnsCache::Entry entry;
  if (!cache.find(name, entry)) return "none";
  std::string all = entry.addresses.empty() ? "negative" : "";
  for (const Endpoint& endpoint : entry.addresses) all += (all.empty() ? "" : " ") + endpoint.address_text();
  return all;
}

// Exit status of a child that does this.
int in_child(const std::function<bool()>& action) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(action() ? 0 : 1);
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(DnsCacheTest, BpftoolSeesTheMapAndItsEntries) {
  const auto cache = open();
  EXPECT_EQ(cache->capacity(), 1000U);
  EXPECT_EQ(shown()["name"], "DNS_CACHE");
  EXPECT_EQ(shown()["type"], "lru_hash");
  EXPECT_EQ(shown()["max_entries"], 1000);
  EXPECT_EQ(dump().size(), 0U);
  Endpoint four{.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}};
  cache->put("www.example", {{address(7), four}, wall_now_ns() + minute});
  cache->put("missing.example", {{}, wall_now_ns() + minute});
  EXPECT_EQ(found(*cache, "www.example"), "2001:db8::7 192.0.2.1");
  EXPECT_EQ(found(*cache, "missing.example"), "negative");
  const json entries = dump();
  ASSERT_EQ(entries.size(), 2U);
  const json& one = entries[0]["formatted"]["value"]["count"] == 2 ? entries[0] : entries[1];
  EXPECT_EQ(one["formatted"]["key"]["name"], "www.example") << "the name can be read";
  EXPECT_EQ(one["formatted"]["value"]["count"], 2);
}

TEST_F(DnsCacheTest, ExpiredIsNotThere) {
  const auto cache = open();
  cache->put("old.example", {{address(1)}, wall_now_ns()});
  EXPECT_EQ(found(*cache, "old.example"), "none");
}

TEST_F(DnsCacheTest, IsFoundAgainAfterItsProcessHasEnded) {
  ASSERT_EQ(in_child([&] {
              DnsCache::open(config, note, folder)->put("www.example", entry(7));
              return true;
            }),
            0);
  EXPECT_EQ(found(*open(), "www.example"), "2001:db8::7");
  config.ebpf.dns_cache_pinned = false;
  EXPECT_EQ(found(*open(), "www.example"), "none") << "a map of its own";
}

TEST_F(DnsCacheTest, AnotherSizeTakesThePin) {
  open()->put("www.example", entry(7));
  const auto first = shown()["id"];
  EXPECT_EQ(found(*open(), "www.example"), "2001:db8::7");
  EXPECT_EQ(shown()["id"], first);
  config.ebpf.dns_cache_entries = 2000;
  EXPECT_EQ(found(*open(), "www.example"), "none");
  EXPECT_EQ(shown()["max_entries"], 2000);
}

TEST_F(DnsCacheTest, WhatElseIsPinnedThereIsReplaced) {
  std::filesystem::create_directory(path);
  test::run("bpftool map create " + pin() + " type hash key 4 value 4 entries 1000 name other");
  const auto cache = open();
  EXPECT_EQ(shown()["type"], "lru_hash");
  cache->put("www.example", entry(7));
  EXPECT_EQ(found(*cache, "www.example"), "2001:db8::7");
}

TEST_F(DnsCacheTest, OtherNameServersAndNamespacesHaveOtherAnswers) {
  open()->put("www.example", entry(7));
  const test::NetworkNamespace other;
  other.call([&] { EXPECT_EQ(found(*open(), "www.example"), "none") << "another namespace"; });
  config.dns.servers = {"192.0.2.54"};
  EXPECT_EQ(found(*open(), "www.example"), "none") << "another server";
  config.dns.servers = {"192.0.2.53"};
  EXPECT_EQ(found(*open(), "www.example"), "2001:db8::7");
}

// Pairs that hash alike under FNV-1 and FNV-1a of 32 bits, and names that are alike but for an end or a length.
TEST_F(DnsCacheTest, NamesThatHashAlikeDoNotAnswerForEachOther) {
  const auto cache = open();
  const std::string longest(253, 'a');
  const std::vector<std::pair<std::string, std::string>> pairs = {
      {"creamwove", "quists"},  {"costarring", "liquid"},        {"declinate", "macallums"},
      {"altarage", "zinke"},    {"www.example", "www.example2"}, {longest + "b", longest + "c"},
      {longest, longest + "b"},
  };
  std::uint32_t number = 1;
  for (const auto& [one, other] : pairs) {
    cache->put(one, entry(number));
    EXPECT_EQ(found(*cache, other), other == longest + "b" ? address(11).address_text() : "none") << other;
    cache->put(other, entry(number + 1));
    EXPECT_EQ(found(*cache, one), address(number).address_text()) << one;
    EXPECT_EQ(found(*cache, other), address(number + 1).address_text()) << other;
    number += 2;
  }
  const std::string too_long(300, 'a');
  cache->put(too_long, entry(99));
  EXPECT_EQ(found(*cache, too_long), "none");
  EXPECT_EQ(found(*cache, std::string(255, 'a')), "none");
}

// The value of another name under this one, and one with a byte changed: a torn copy, or somebody else's work.
TEST_F(DnsCacheTest, EntriesThatWereNotWrittenSoAreNotGiven) {
  const auto cache = open();
  cache->put("www.example", entry(7));
  const auto map = kernel::open_pin(pin());
  ASSERT_TRUE(map && *map);
  sonde_dns_key key{};
  std::copy_n("www.example", 11, key.name);
  sonde_dns_value value{};
  ASSERT_TRUE(kernel::map_lookup(map->get(), &key, &value).value_or(false));
  sonde_dns_key other{};
  std::copy_n("bad.example", 11, other.name);
  ASSERT_TRUE(kernel::map_update(map->get(), &other, &value));
  EXPECT_EQ(found(*cache, "bad.example"), "none");
  auto* bytes = reinterpret_cast<std::uint8_t*>(&value);
  for (std::size_t at = 0; at < sizeof(value); ++at) {
    bytes[at] ^= 1;
    ASSERT_TRUE(kernel::map_update(map->get(), &key, &value));
    EXPECT_EQ(found(*cache, "www.example"), "none") << at;
    bytes[at] ^= 1;
  }
  ASSERT_TRUE(kernel::map_update(map->get(), &key, &value));
  EXPECT_EQ(found(*cache, "www.example"), "2001:db8::7");
}

TEST_F(DnsCacheTest, GoesOnWithoutPrivileges) {
  EXPECT_EQ(in_child([&] {
              const auto cache = DnsCache::open(config, note, folder);
              if (::setgid(nobody) != 0 || ::setuid(nobody) != 0) return false;
              cache->put("www.example", entry(7));
              return cache->in_kernel() && found(*cache, "www.example") == "2001:db8::7";
            }),
            0);
  EXPECT_EQ(found(*open(), "www.example"), "2001:db8::7");
}

TEST_F(DnsCacheTest, WithoutPrivilegesItIsInMemory) {
  EXPECT_EQ(in_child([&] {
              if (::setgid(nobody) != 0 || ::setuid(nobody) != 0) return false;
              const auto cache = DnsCache::open(config, note, folder);
              cache->put("www.example", entry(7));
              return !cache->in_kernel() && note.starts_with("the DNS cache is in memory: ") &&
                     found(*cache, "www.example") == "2001:db8::7";
            }),
            0);
  EXPECT_FALSE(std::filesystem::exists(pin()));
}

TEST_F(DnsCacheTest, TheLeastUsedMakeRoom) {
  const auto cache = open();
  for (std::uint32_t i = 0; i < 5000; ++i) cache->put(std::to_string(i) + ".example", entry(i));
  EXPECT_EQ(found(*cache, "4999.example"), address(4999).address_text());
  EXPECT_EQ(found(*cache, "0.example"), "none");
  const auto kept = dump().size();
  EXPECT_LE(kept, 1000U);
  EXPECT_GE(kept, 500U);
}

// Elements change names all the time here, while others read them: nobody is ever given another name's address.
TEST_F(DnsCacheTest, ManyThreadsNeverSeeAnotherNamesAddresses) {
  config.ebpf.dns_cache_entries = 64;
  const auto cache = open();
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> right = 0;
  std::atomic<std::uint64_t> wrong = 0;
  const auto work = [&](std::uint32_t seed) {
    for (std::uint32_t i = seed; !stop; i += 7) {
      const std::uint32_t number = i % 200;
      const std::string name = std::to_string(number) + ".example";
      DnsCache::Entry got;
      if (!cache->find(name, got)) {
        cache->put(name, {Addresses(8, address(number)), wall_now_ns() + minute});
        continue;
      }
      ++(got.addresses == Addresses(8, address(number)) ? right : wrong);
    }
  };
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < 4; ++i) threads.emplace_back(work, i);
  std::this_thread::sleep_for(std::chrono::seconds(1));
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_GT(right, 100U);
}

}  // namespace
}  // namespace sonde::proxy
