// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <atomic>
#include <map>
#include <stdexcept>
#include <thread>

#include "actuators/proxy/client_filter/entries.hpp"
#include "actuators/proxy/client_filter/lists.hpp"
#include "filter_model.hpp"
#include "filter_samples.hpp"
#include "harness/netns.hpp"
#include "harness/result.hpp"
#include "kernel/object.hpp"

extern "C" {
extern const std::uint8_t sonde_client_filter_bpf_object[];
extern const std::uint8_t sonde_client_filter_bpf_object_end[];
}

namespace sonde::test {
namespace {

using proxy::filter_entries;
using proxy::FilterLists;

kernel::Object loaded() {
  auto object = value_or_throw(
      kernel::Object::open({sonde_client_filter_bpf_object, sonde_client_filter_bpf_object_end}, "test"));
  if (auto done = object.load(); !done) throw std::runtime_error(done.error().text() + "\n" + object.verifier_log());
  return object;
}

class Programs {
 public:
  void set(const std::vector<Endpoint>& listeners, const std::vector<GuardNetwork>& clients) {
    value_or_throw(lists_.set(value_or_throw(filter_entries(listeners, clients))));
  }

  [[nodiscard]] sonde_client_filter_counts counts() const {
    const std::uint32_t zero = 0;
    return value_or_throw(
        kernel::sum_per_cpu<sonde_client_filter_counts>(value_or_throw(object_.map_fd("ip_filter_counts")), &zero));
  }

  [[nodiscard]] std::uint32_t run_only(const std::string& program, const Bytes& frame, int times) const {
    LIBBPF_OPTS(bpf_test_run_opts, run);
    run.data_in = frame.data();
    run.data_size_in = static_cast<__u32>(frame.size());
    run.repeat = times;
    if (bpf_prog_test_run_opts(value_or_throw(object_.program_fd(program)), &run) != 0)
      throw std::runtime_error(fmt::format("BPF_PROG_TEST_RUN: {}", errno));
    return run.retval;
  }

  // What the program does and what it counts must be one.
  [[nodiscard]] Judged run(const std::string& program, const Bytes& frame) const {
    const auto before = counts();
    const auto verdict = run_only(program, frame, 1);
    const auto after = counts();
    const bool xdp = program.starts_with("xdp");
    const auto drop = static_cast<std::uint32_t>(xdp ? static_cast<int>(XDP_DROP) : TC_ACT_SHOT);
    const auto pass = static_cast<std::uint32_t>(xdp ? static_cast<int>(XDP_PASS) : TC_ACT_UNSPEC);
    if (after.passed + after.dropped + after.others != before.passed + before.dropped + before.others + 1)
      throw std::runtime_error("a packet is counted once");
    if (verdict != (after.dropped > before.dropped ? drop : pass))
      throw std::runtime_error(fmt::format("{} returned {}", program, verdict));
    if (after.dropped > before.dropped) return Judged::dropped;
    return after.passed > before.passed ? Judged::passed : Judged::others;
  }

  [[nodiscard]] std::size_t entries(const char* map) const {
    const int fd = value_or_throw(object_.map_fd(map));
    sonde_client_filter_key key{};
    std::size_t count = 0;
    for (bool more = value_or_throw(kernel::map_next_key(fd, nullptr, &key)); more;
         more = value_or_throw(kernel::map_next_key(fd, &key, &key)))
      ++count;
    return count;
  }

 private:
  kernel::Object object_ = loaded();
  FilterLists lists_ = value_or_throw(FilterLists::of(object_));
};

// Refused by BPF_PROG_TEST_RUN: too short for the IP header that the EtherType promises.
bool too_short_for_tc(const Bytes& frame) {
  const auto type = frame[12] << 8 | frame[13];
  return frame.size() <= 14 || (type == ether_ipv4 && frame.size() < 34) || (type == ether_ipv6 && frame.size() < 54);
}

std::string hex(const Bytes& bytes) {
  std::string text;
  for (const auto byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

class ProxyFilterPrograms : public testing::Test {
 protected:
  template <class Function>
  void inside(Function function) {
    net_.call([&] { function(programs_); });
  }
  NetworkNamespace net_;
  Programs programs_;
};

Endpoint ipv4_endpoint(std::array<std::uint8_t, 4> address, std::uint16_t port) {
  return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, address[0], address[1], address[2], address[3]}, port};
}

GuardNetwork ipv4_network(std::array<std::uint8_t, 4> address, std::uint8_t bits) {
  return {ipv4_endpoint(address, 0).address, static_cast<std::uint8_t>(96 + bits)};
}

Bytes syn(std::array<std::uint8_t, 4> source, std::array<std::uint8_t, 4> destination, std::uint16_t port) {
  return ethernet({},
                  ipv4({.source = source, .destination = destination}, tcp({.destination_port = port, .flags = 2})));
}

TEST_F(ProxyFilterPrograms, AgreeWithThePlainModelOnRandomPackets) {
  Samples samples(20261121);
  std::map<Judged, int> seen;
  inside([&](Programs& programs) {
    for (int round = 0; round < 200; ++round) {
      const auto listeners = samples.listeners();
      const auto clients = samples.clients();
      programs.set(listeners, clients);
      for (int i = 0; i < 60; ++i) {
        const auto frame = samples.frame();
        const auto expected = judge(frame, listeners, clients);
        ++seen[expected];
        for (const char* program : {"xdp_ip_filter", "tc_ip_filter"}) {
          if (program[0] == 't' && too_short_for_tc(frame)) continue;
          ASSERT_EQ(static_cast<int>(programs.run(program, frame)), static_cast<int>(expected))
              << program << ", round " << round << ": " << hex(frame);
        }
      }
    }
  });
  EXPECT_GT(seen[Judged::others], 1000);
  EXPECT_GT(seen[Judged::passed], 300);
  EXPECT_GT(seen[Judged::dropped], 300);
}

TEST_F(ProxyFilterPrograms, AnEmptyListOfClientsLetsEverybodyConnect) {
  inside([](Programs& programs) {
    programs.set({ipv4_endpoint({}, 443)}, {});
    EXPECT_EQ(programs.run("xdp_ip_filter", syn({192, 0, 2, 1}, {10, 0, 0, 2}, 443)), Judged::passed);
    EXPECT_EQ(programs.run("xdp_ip_filter", syn({192, 0, 2, 1}, {10, 0, 0, 2}, 22)), Judged::others);
  });
}

TEST_F(ProxyFilterPrograms, WithoutListenersNothingIsLookedAt) {
  inside([](Programs& programs) {
    EXPECT_EQ(programs.run("xdp_ip_filter", syn({192, 0, 2, 1}, {10, 0, 0, 2}, 443)), Judged::others);
    programs.set({}, {ipv4_network({10, 0, 0, 0}, 8)});
    EXPECT_EQ(programs.run("xdp_ip_filter", syn({192, 0, 2, 1}, {10, 0, 0, 2}, 443)), Judged::others);
  });
}

TEST_F(ProxyFilterPrograms, TheListThatHoldsIsInTheMapOfThatName) {
  inside([](Programs& programs) {
    programs.set({ipv4_endpoint({}, 443)}, {ipv4_network({10, 0, 0, 0}, 8), ipv4_network({192, 0, 2, 7}, 32)});
    EXPECT_EQ(programs.entries("IP_WHITELIST"), 3U);
    EXPECT_EQ(programs.entries("ip_filter_spare"), 0U);
    programs.set({ipv4_endpoint({}, 443)}, {ipv4_network({10, 0, 0, 0}, 8)});
    EXPECT_EQ(programs.entries("IP_WHITELIST"), 2U);
  });
}

// Listener and client change together: a packet that is dropped by either pair, and one that is passed by either.
TEST_F(ProxyFilterPrograms, NoWrongVerdictWhileListsAreReplaced) {
  constexpr std::array<std::uint8_t, 4> local{10, 0, 0, 2};
  const std::vector listeners_a{ipv4_endpoint({}, 443)};
  const std::vector listeners_b{ipv4_endpoint(local, 443), ipv4_endpoint(local, 8443)};
  std::vector<GuardNetwork> clients_a{ipv4_network({10, 0, 0, 0}, 8)}, clients_b;
  for (int i = 0; i < 300; ++i)
    clients_b.push_back(ipv4_network({10, static_cast<std::uint8_t>(i / 256), static_cast<std::uint8_t>(i), 0}, 24));
  programs_.set(listeners_a, clients_a);
  std::atomic<bool> stop = false;
  std::uint64_t allowed = 0, forbidden = 0, wrong = 0;
  std::thread traffic([&] {
    const auto good = syn({10, 0, 0, 1}, local, 443), bad = syn({192, 0, 2, 1}, local, 443);
    net_.call([&] {
      while (!stop) {
        if (programs_.run_only("xdp_ip_filter", good, 200) != XDP_PASS) ++wrong;
        if (programs_.run_only("tc_ip_filter", bad, 200) != static_cast<std::uint32_t>(TC_ACT_SHOT)) ++wrong;
        allowed += 200, forbidden += 200;
      }
    });
  });
  for (int i = 0; i < 60; ++i)
    programs_.set(i % 2 == 0 ? listeners_b : listeners_a, i % 2 == 0 ? clients_b : clients_a);
  stop = true;
  traffic.join();
  const auto counts = programs_.counts();
  EXPECT_GT(allowed, 1000U);
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(counts.passed, allowed);
  EXPECT_EQ(counts.dropped, forbidden);
  EXPECT_EQ(counts.others, 0U);
}

}  // namespace
}  // namespace sonde::test
