// SPDX-License-Identifier: Apache-2.0
// bpf/match.h in the kernel against the same header in user space, for random filters and events.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>

#include "events.hpp"
#include "filter/filter.hpp"

extern "C" const char match_probe_object[];
extern "C" const char match_probe_object_end[];

namespace sonde::test {
namespace {

using Object = std::unique_ptr<bpf_object, decltype(&bpf_object__close)>;

// Null if the verifier refuses it.
Object load_probe(const sonde_filter& fields) {
  const auto size = static_cast<std::size_t>(match_probe_object_end - match_probe_object);
  Object object(bpf_object__open_mem(match_probe_object, size, nullptr), bpf_object__close);
  bpf_map* constants = bpf_object__find_map_by_name(object.get(), ".rodata");
  if (bpf_map__set_initial_value(constants, &fields, sizeof(fields)) != 0) return {nullptr, bpf_object__close};
  if (bpf_object__load(object.get()) != 0) return {nullptr, bpf_object__close};
  return object;
}

std::uint32_t kernel_verdict(const Object& object, const sonde_packet_event& event) {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = &event;
  options.data_size_in = sizeof(event);
  const bpf_program* program = bpf_object__find_program_by_name(object.get(), "match_probe");
  EXPECT_EQ(bpf_prog_test_run_opts(bpf_program__fd(program), &options), 0);
  return options.retval;
}

std::uint64_t below(std::mt19937_64& random, std::uint64_t limit) { return random() % limit; }

std::vector<std::string> some(std::mt19937_64& random, std::size_t most, const std::vector<std::string>& from) {
  std::vector<std::string> words;
  if (below(random, 3) == 0) return words;
  for (std::size_t count = 1 + below(random, most); count > 0; --count) {
    words.push_back(from[below(random, from.size())]);
  }
  return words;
}

FilterOptions random_options(std::mt19937_64& random) {
  static const std::vector<std::string> networks = {
      "10.0.0.1",  "10.0.0.0/8", "0.0.0.0/0",   "192.168.0.0/16", "::/0",  "fd00::/8", "fd00::1", "2000::/3",
      "fd00::/65", "0.0.0.0/1",  "10.0.0.2/31", "8.8.8.8",        "::/64", "fd00::7",  "::1"};
  static const std::vector<std::string> ports = {"0", "53", "80-443", "8000-8080", "65535", "63,64,65", "1024-65535"};
  FilterOptions options;
  options.source_networks = some(random, 16, networks);
  options.destination_networks = some(random, 16, networks);
  options.networks = some(random, 16, networks);
  options.source_ports = some(random, 3, ports);
  options.destination_ports = some(random, 3, ports);
  options.ports = some(random, 3, ports);
  options.protocol = below(random, 2) == 0 ? "all" : "tcp";
  options.direction = below(random, 2) == 0 ? "both" : "out";
  if (below(random, 3) == 0) options.min_size = below(random, 100);
  if (below(random, 3) == 0) options.max_size = 100 + below(random, 1400);
  return options;
}

sonde_packet_event random_event(std::mt19937_64& random) {
  static const std::vector<std::string> addresses = {"10.0.0.1", "10.0.0.3", "192.168.3.4", "8.8.8.8", "200.1.1.1"};
  static const std::vector<std::string> addresses6 = {"fd00::1", "fd00::7", "2001:db8::1", "::1", "::ffff:10.0.0.1"};
  static const std::vector<std::uint16_t> ports = {0, 53, 63, 64, 80, 443, 8000, 8080, 65535};
  const auto& from = below(random, 2) == 0 ? addresses : addresses6;
  EventFields fields;
  fields.ipv6 = &from == &addresses6;
  fields.source = from[below(random, from.size())];
  fields.destination = from[below(random, from.size())];
  fields.source_port = ports[below(random, ports.size())];
  fields.destination_port = ports[below(random, ports.size())];
  fields.protocol = below(random, 4) == 0 ? 17 : 6;
  fields.direction = below(random, 4) == 0 ? SONDE_DIRECTION_IN : SONDE_DIRECTION_OUT;
  fields.size = static_cast<std::uint32_t>(below(random, 1600));
  sonde_packet_event event = make_event(fields);
  if (below(random, 8) == 0) event.flags &= static_cast<__u8>(~SONDE_PACKET_PORTS);
  if (below(random, 16) == 0) event.flags = 0;
  return event;
}

std::mt19937_64 seeded() {
  const char* text = std::getenv("SONDE_TEST_SEED");  // NOLINT(concurrency-mt-unsafe): no other thread
  const std::uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 0) : 7;
  std::cout << "SONDE_TEST_SEED=" << seed << '\n';
  return std::mt19937_64(seed);
}

class MatchKernel : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "loading BPF programs needs root";
  }
};

TEST_F(MatchKernel, AgreesWithUserSpace) {
  auto random = seeded();
  std::size_t matched = 0;
  for (int round = 0; round < 120; ++round) {
    const auto compiled = filter::compile(random_options(random));
    ASSERT_TRUE(compiled) << compiled.error().text();
    const Object probe = load_probe(*compiled->fields);
    ASSERT_TRUE(probe);
    for (int i = 0; i < 60; ++i) {
      const sonde_packet_event event = random_event(random);
      const bool expected = filter::matches(*compiled, event, {});
      ASSERT_EQ(kernel_verdict(probe, event), expected ? 1U : 0U);
      matched += expected ? 1 : 0;
    }
  }
  std::cout << matched << " matches\n";
  EXPECT_GT(matched, 100U);
}

TEST_F(MatchKernel, LoadsWithEveryTestOnAndFullLists) {
  FilterOptions options;
  for (int i = 0; i < SONDE_FILTER_NETWORKS; ++i) {
    options.source_networks.push_back(fmt::format("10.{}.0.0/16", i));
    options.destination_networks.push_back(fmt::format("fd00:{:x}::/32", i));
    options.networks.push_back(i % 2 == 0 ? fmt::format("10.{}.0.0/16", i) : fmt::format("2001:db8:{:x}::/48", i));
  }
  options.source_ports = options.destination_ports = options.ports = {"1-1000", "8080"};
  options.protocol = "udp";
  options.direction = "in";
  options.min_size = 60;
  options.max_size = 1500;
  const auto compiled = filter::compile(options);
  ASSERT_TRUE(compiled) << compiled.error().text();
  EXPECT_TRUE(load_probe(*compiled->fields));
}

}  // namespace
}  // namespace sonde::test
