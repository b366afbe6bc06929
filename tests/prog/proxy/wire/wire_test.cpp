// SPDX-License-Identifier: Apache-2.0
// forward_packet under BPF_PROG_TEST_RUN: what becomes of a packet, every byte of it, and what is noted of it, as the
// plain model says.
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <cstring>
#include <map>
#include <stdexcept>

#include "harness/netns.hpp"
#include "harness/result.hpp"
#include "kernel/object.hpp"
#include "wire_model.hpp"
#include "wire_samples.hpp"

extern "C" {
extern const std::uint8_t sonde_proxy_wire_bpf_object[];
extern const std::uint8_t sonde_proxy_wire_bpf_object_end[];
}

namespace sonde::test {
namespace {

kernel::Object loaded() {
  auto object =
      value_or_throw(kernel::Object::open({sonde_proxy_wire_bpf_object, sonde_proxy_wire_bpf_object_end}, "test"));
  if (auto done = object.load(); !done) throw std::runtime_error(done.error().text() + "\n" + object.verifier_log());
  return object;
}

/// The program and its maps.
class WireProgram {
 public:
  void set(std::uint32_t index, const sonde_wire_connection& connection) const {
    bpf_map_update_elem(map("CONNECTIONS"), &index, &connection, BPF_ANY);
  }

  void set(const sonde_wire_flow& flow, std::uint32_t index, std::uint32_t side) const {
    const sonde_wire_place place{index, side};
    if (bpf_map_update_elem(map("FLOWS"), &flow, &place, BPF_ANY) != 0) throw std::runtime_error("FLOWS");
  }

  void forget(const sonde_wire_flow& flow) const { bpf_map_delete_elem(map("FLOWS"), &flow); }

  [[nodiscard]] bool knows(const sonde_wire_flow& flow) const {
    sonde_wire_place place{};
    return bpf_map_lookup_elem(map("FLOWS"), &flow, &place) == 0;
  }

  [[nodiscard]] sonde_wire_connection connection(std::uint32_t index) const {
    sonde_wire_connection connection{};
    bpf_map_lookup_elem(map("CONNECTIONS"), &index, &connection);
    return connection;
  }

  [[nodiscard]] sonde_wire_statistics statistics() const {
    const std::uint32_t zero = 0;
    return value_or_throw(kernel::sum_per_cpu<sonde_wire_statistics>(map("STATISTICS"), &zero));
  }

  struct Ran {
    int verdict = 0;
    Bytes frame;
    bool checksum_is_kept = true;  ///< skb->csum is that of the frame
  };
  [[nodiscard]] Ran run(const WireSamples::Sample& sample, bool complete) const {
    constexpr __u32 test_checksum_complete = 1U << 2;  // BPF_F_TEST_SKB_CHECKSUM_COMPLETE, Linux 6.17
    Ran ran;
    ran.frame.resize(sample.frame.size() + 64);
    __sk_buff context{};
    context.gso_segs = sample.segments;
    context.gso_size = sample.segment_size;
    LIBBPF_OPTS(bpf_test_run_opts, run);
    run.data_in = sample.frame.data();
    run.data_size_in = static_cast<__u32>(sample.frame.size());
    run.data_out = ran.frame.data();
    run.data_size_out = static_cast<__u32>(ran.frame.size());
    run.ctx_in = &context;
    run.ctx_size_in = sizeof(context);
    run.flags = complete ? test_checksum_complete : 0;
    const int error = bpf_prog_test_run_opts(value_or_throw(object_.program_fd("forward_packet")), &run);
    ran.checksum_is_kept = error != -EBADMSG;
    if (error != 0 && ran.checksum_is_kept) throw std::runtime_error(fmt::format("BPF_PROG_TEST_RUN: {}", error));
    ran.frame.resize(run.data_size_out);
    ran.verdict = static_cast<int>(run.retval);
    return ran;
  }

  /// Fails where the kernel does not know the flag.
  [[nodiscard]] bool knows_checksum_complete() const {
    try {
      (void)run({ethernet({.type = ether_arp}, arp_request())}, true);
      return true;
    } catch (const std::runtime_error&) {
      return false;
    }
  }

 private:
  [[nodiscard]] int map(const char* name) const { return value_or_throw(object_.map_fd(name)); }

  kernel::Object object_ = loaded();
};

std::string hex(const Bytes& bytes) {
  std::string text;
  for (const auto byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

// Refused by BPF_PROG_TEST_RUN: too short for the IP header that the EtherType promises.
bool too_short_for_tc(const Bytes& frame) {
  const auto type = frame[12] << 8 | frame[13];
  return frame.size() <= 14 || (type == ether_ipv4 && frame.size() < 34) || (type == ether_ipv6 && frame.size() < 54);
}

// 0 and 0xffff are the same sum.
void normalize_checksum(Bytes& packet) {
  const std::size_t tcp = packet.at(0) >> 4 == 6 ? 40 : (packet[0] & 15U) * 4;
  if (packet.at(tcp + 16) == 0xff && packet.at(tcp + 17) == 0xff) packet[tcp + 16] = packet[tcp + 17] = 0;
}

const std::map<std::string, __u64 sonde_wire_statistics::*>& counters() {
  using S = sonde_wire_statistics;
  static const std::map<std::string, __u64 S::*> all{{"packets", &S::packets},
                                                     {"bytes", &S::bytes},
                                                     {"copied", &S::copied},
                                                     {"resets_answered", &S::resets_answered},
                                                     {"dropped_too_big", &S::dropped_too_big},
                                                     {"dropped_fragment", &S::dropped_fragment},
                                                     {"dropped_no_route", &S::dropped_no_route},
                                                     {"dropped_expired", &S::dropped_expired},
                                                     {"dropped_congestion", &S::dropped_congestion},
                                                     {"dropped_malformed", &S::dropped_malformed},
                                                     {"port_reused", &S::port_reused}};
  return all;
}

void expect_side(const sonde_wire_side_state& got, const sonde_wire_side_state& wanted, const std::string& what) {
  EXPECT_EQ(got.acknowledgement, wanted.acknowledgement) << what;
  EXPECT_EQ(got.fin, wanted.fin) << what;
  EXPECT_EQ(got.seen, wanted.seen) << what;
  EXPECT_EQ(got.position, wanted.position) << what;
  EXPECT_EQ(got.packets, wanted.packets) << what;
  EXPECT_EQ(got.repeated, wanted.repeated) << what;
  EXPECT_EQ(got.ifindex, wanted.ifindex) << what;
  auto constant = got, expected = wanted;  // up to what is written
  constexpr auto size = offsetof(sonde_wire_side_state, route_checked);
  EXPECT_EQ(std::memcmp(&constant, &expected, size), 0) << what;
}

class WireForward : public testing::Test {
 protected:
  template <class Function>
  void inside(Function function) {
    net_.call(function);
  }

  void install(std::uint32_t count) {
    for (const auto& pair : flows_)
      for (const auto& flow : pair) program_.forget(flow);
    model_.connections.clear();
    model_.flows.clear();
    flows_.clear();
    for (std::uint32_t index = 0; index < count; ++index) {
      const auto made = samples_.connection(index);
      flows_.push_back(made.flows);
      model_.connections[index] = made.connection;
      program_.set(index, made.connection);
      for (unsigned side = 0; side < 2; ++side) {
        program_.set(made.flows.at(side), index, side);
        model_.flows[flow_bytes(made.flows.at(side))] = {index, side};
      }
    }
  }

  void compare(const WireSamples::Sample& sample, bool complete) {
    const auto wanted = model_.take(sample.frame, sample.segments, sample.segment_size);
    const auto got = program_.run(sample, complete);
    const auto what =
        fmt::format("{} ({}) {} segments {}", fate_name(wanted.fate), wanted.why, sample.segments, hex(sample.frame));
    ++fates_[fmt::format("{}: {}", fate_name(wanted.fate), wanted.why)];
    expect_fate(wanted, got, sample, what);
    for (const auto& [index, connection] : model_.connections) {
      const auto now = program_.connection(index);
      EXPECT_EQ(now.phase, connection.phase) << what;
      for (int side = 0; side < 2; ++side) expect_side(now.sides[side], connection.sides[side], what);
    }
    const auto statistics = program_.statistics();
    for (const auto& [name, counter] : counters())
      EXPECT_EQ(statistics.*counter, model_.statistics.*counter) << name << " " << what;
    for (const auto& pair : flows_)
      for (const auto& flow : pair) EXPECT_EQ(program_.knows(flow), model_.flows.contains(flow_bytes(flow))) << what;
  }

  void expect_fate(const WireModel::Result& wanted, const WireProgram::Ran& got, const WireSamples::Sample& sample,
                   const std::string& what) {
    constexpr int redirect = 7;  // TC_ACT_REDIRECT
    switch (wanted.fate) {
      case Fate::stack:
        EXPECT_EQ(got.verdict, TC_ACT_UNSPEC) << what;
        EXPECT_EQ(hex(got.frame), hex(sample.frame)) << what;
        break;
      case Fate::dropped:
        if (got.checksum_is_kept) {  // else it gives no verdict
          EXPECT_EQ(got.verdict, TC_ACT_SHOT) << what;
        }
        break;
      default: {
        // A packet that is cut (bpf_skb_change_tail) has no such sum any more, but the test run looks at it.
        if (wanted.fate == Fate::reset && !got.checksum_is_kept) break;
        ASSERT_TRUE(got.checksum_is_kept) << "skb->csum " << what;
        ASSERT_EQ(got.verdict, redirect) << what;
        // The link header is written anew when it is sent.
        Bytes packet(got.frame.begin() + 14, got.frame.end());
        auto expected = wanted.packet;
        normalize_checksum(packet);
        normalize_checksum(expected);
        EXPECT_EQ(hex(packet), hex(expected)) << what;
        const Bytes before(sample.frame.begin() + 14, sample.frame.end());
        if (wanted.fate == Fate::reset || checksums_are_right(before)) {
          EXPECT_TRUE(checksums_are_right(packet)) << what;
          ++right_;
        }
      }
    }
  }

  void random_packets(bool complete) {
    inside([&] {
      for (int set = 0; set < 400 && !HasFailure(); ++set) {
        install(8);
        for (int i = 0; i < 100 && !HasFailure(); ++i) {
          const auto sample = samples_.sample(model_, flows_);
          if (!too_short_for_tc(sample.frame)) compare(sample, complete);
        }
      }
    });
    for (const auto& [fate, times] : fates_) fmt::print("{}: {}\n", fate, times);
  }

  NetworkNamespace net_;
  WireProgram program_;
  WireSamples samples_{20'261'121};
  WireModel model_;
  std::vector<std::array<sonde_wire_flow, 2>> flows_;
  std::map<std::string, std::size_t> fates_;
  std::size_t right_ = 0;
};

TEST_F(WireForward, RandomPacketsAreRewrittenAsTheModelSays) {
  random_packets(false);
  ASSERT_FALSE(HasFailure());
  EXPECT_GT(right_, 5000U);
  for (const char* fate : {"forwarded: forwarded", "stack: not TCP for this host", "stack: no such flow",
                           "stack: phase", "stack: port reused", "dropped: fragment", "dropped: lengths",
                           "dropped: TTL", "dropped: CE", "dropped: no route", "reset: aborted"})
    EXPECT_GT(fates_[fate], 20U) << fate;
}

// As some devices hand packets up: with the sum over the whole packet in skb->csum, which is to stay true.
TEST_F(WireForward, TheSumOfTheDeviceStaysTrue) {
  if (!program_.knows_checksum_complete()) GTEST_SKIP() << "BPF_F_TEST_SKB_CHECKSUM_COMPLETE: since Linux 6.17";
  random_packets(true);
  EXPECT_GT(right_, 5000U);
}

}  // namespace
}  // namespace sonde::test
