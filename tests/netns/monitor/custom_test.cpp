// SPDX-License-Identifier: Apache-2.0
// NetworkMonitor with a stranger's object: its rings and maps.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <vector>

#include "harness/command.hpp"
#include "harness/traffic.hpp"
#include "sonde/monitor.hpp"

namespace sonde::test {
namespace {

struct LengthEvent {
  std::uint32_t length;
  std::uint32_t threshold;
};

Bytes frame(std::size_t payload) {
  return ethernet({.broadcast = true}, ipv4({.protocol = 17}, udp({}, counting(payload))));
}

template <class T>
std::vector<std::uint8_t> bytes_of(T value) {
  std::vector<std::uint8_t> bytes(sizeof(value));
  std::memcpy(bytes.data(), &value, sizeof(value));
  return bytes;
}

std::uint64_t count_of(const MonitorMap& map, std::uint32_t key) {
  const auto value = map.lookup(bytes_of(key));
  if (!value || value->size() != 8) return 0;
  std::uint64_t count = 0;
  std::memcpy(&count, value->data(), sizeof(count));
  return count;
}

NetworkMonitor open_counter() {
  auto monitor = NetworkMonitor::from_object_file(COUNTER_OBJECT);
  if (!monitor) throw std::runtime_error(monitor.error().text());
  return std::move(*monitor);
}

void attach(const Pair& pair, NetworkMonitor& monitor) {
  pair.left.call([&] {
    const auto done = monitor.attach("veth0");
    ASSERT_TRUE(done) << done.error().text();
  });
}

TEST(CustomObject, RingAndMaps) {
  const Pair pair;
  auto monitor = open_counter();
  std::vector<LengthEvent> events;
  ASSERT_TRUE(monitor.on_event("lengths", [&](std::span<const std::uint8_t> record) {
    LengthEvent event{};
    ASSERT_EQ(record.size(), sizeof(event));
    std::memcpy(&event, record.data(), sizeof(event));
    events.push_back(event);
  }));
  auto map = monitor.map("counts");
  ASSERT_TRUE(map);
  EXPECT_EQ(map->key_size(), 4U);
  EXPECT_EQ(map->value_size(), 8U);
  ASSERT_TRUE(map->update(bytes_of(std::uint32_t{100}), bytes_of(std::uint64_t{77})));
  attach(pair, monitor);
  ASSERT_TRUE(monitor.start());
  EXPECT_FALSE(monitor.on_event("lengths", [](std::span<const std::uint8_t>) {})) << "too late";
  for (std::size_t i = 0; i < 50; ++i) send_frame(pair.right, "veth1", frame(i));
  send_frame(pair.left, "veth0", frame(9), 6);
  EXPECT_EQ(count_of(*map, 0), 50U);
  EXPECT_EQ(count_of(*map, 1), 6U);
  monitor.close();
  ASSERT_EQ(events.size(), 50U) << "what was in the ring at close() came too";
  for (std::size_t i = 0; i < 50; ++i) {
    EXPECT_EQ(events[i].length, frame(i).size());
    EXPECT_EQ(events[i].threshold, 77U);
  }
  send_frame(pair.right, "veth1", frame(9));
  EXPECT_EQ(count_of(*map, 0), 50U) << "detached";
}

TEST(CustomObject, MapsByBytes) {
  auto monitor = open_counter();
  auto map = monitor.map("counts");
  ASSERT_TRUE(map);
  const auto key = bytes_of(std::uint32_t{5});
  const auto missing = map->lookup(key);
  ASSERT_TRUE(missing);
  EXPECT_TRUE(missing->empty());
  ASSERT_TRUE(map->update(key, bytes_of(std::uint64_t{9})));
  ASSERT_TRUE(map->update(bytes_of(std::uint32_t{6}), bytes_of(std::uint64_t{10})));
  EXPECT_EQ(count_of(*map, 5), 9U);
  EXPECT_EQ(map->keys()->size(), 2U);
  ASSERT_TRUE(map->erase(key));
  EXPECT_TRUE(map->lookup(key)->empty());
  EXPECT_FALSE(map->erase(key));
  for (const auto& error : {map->lookup(bytes_of(std::uint8_t{1})).error(), map->update(key, key).error(),
                            map->erase(bytes_of(std::uint64_t{1})).error()})
    EXPECT_EQ(error.kind, ErrorKind::usage) << error.text();
}

TEST(CustomObject, KeepsNoTotalsAndEmitsNoPackets) {
  auto monitor = open_counter();
  EXPECT_FALSE(monitor.packet_stats());
  EXPECT_TRUE(monitor.loss().stages.empty());
  const auto started = monitor.start([](const Packet&) {});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::usage);
}

TEST(CustomObject, NoticesNameTheProgramsAndTheirHooks) {
  const Pair pair;
  auto monitor = open_counter();
  attach(pair, monitor);
  ASSERT_EQ(monitor.notices().size(), 2U);
  EXPECT_NE((monitor.notices()[0] + monitor.notices()[1]).find("veth0: count_ingress by "), std::string::npos);
}

TEST(CustomObject, ThatIsNoObjectIsAnError) {
  const TemporaryFile file(".o");
  file.write("this is no ELF file");
  const auto monitor = NetworkMonitor::from_object_file(file.path());
  ASSERT_FALSE(monitor);
  EXPECT_NE(monitor.error().message.find(file.path()), std::string::npos) << monitor.error().text();
}

}  // namespace
}  // namespace sonde::test
