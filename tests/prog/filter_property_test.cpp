// SPDX-License-Identifier: Apache-2.0
// One verdict everywhere: for random packets and filters, the translated program in the kernel (XDP and tc, as a main
// program and as a subprogram, with the VLAN tag in and beside the packet, through direct access and through helpers),
// matches() in user space, and libpcap's bpf_filter().
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <iostream>

#include "filter/expression.hpp"
#include "filter/filter.hpp"
#include "filter/translate.hpp"
#include "filter_expressions.hpp"
#include "filter_kernel.hpp"
#include "filter_oracle.hpp"
#include "filter_packets.hpp"

namespace sonde::test {
namespace {

using filter::ProgramContext;

constexpr std::uint64_t default_seed = 20240611;

Random seeded() {
  const char* text = std::getenv("SONDE_TEST_SEED");  // NOLINT(concurrency-mt-unsafe): no other thread
  const std::uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 0) : default_seed;
  std::cout << "SONDE_TEST_SEED=" << seed << '\n';
  return Random(seed);
}

std::vector<Bytes> random_packets(Random& random, std::size_t count) {
  std::vector<Bytes> packets;
  packets.reserve(count);
  for (std::size_t i = 0; i < count; ++i) packets.push_back(random_packet(random));
  return packets;
}

std::string hex(const Bytes& packet) {
  std::string text;
  for (const std::uint8_t byte : packet) text += fmt::format("{:02x}", byte);
  return text;
}

bool has_tag(const Bytes& packet) {
  if (packet.size() < 19) return false;
  return (packet[12] == 0x81 && packet[13] == 0x00) || (packet[12] == 0x88 && packet[13] == 0xa8);
}

Tag tag_of(const Bytes& packet) {
  std::uint16_t tpid = 0;
  std::memcpy(&tpid, &packet[12], sizeof(tpid));
  return {tpid, static_cast<std::uint16_t>(packet[14] << 8 | packet[15])};
}

Bytes without_tag(Bytes packet) {
  packet.erase(packet.begin() + 12, packet.begin() + 16);
  return packet;
}

// One way to run a filter in the kernel.
struct Way {  // NOLINT(clang-analyzer-optin.performance.Padding): a table of a few rows
  const char* name;
  ProgramContext context;
  std::vector<bpf_insn> (*wrap)(std::span<const bpf_insn>);
  bool takes_tag_out = false;
};

std::vector<bpf_insn> as_it_is(std::span<const bpf_insn> code) { return {code.begin(), code.end()}; }
std::vector<bpf_insn> tagging_without_direct_access(std::span<const bpf_insn> code) {
  return tagging_program(without_direct_access(code));
}

constexpr Way ways[] = {
    {"xdp", ProgramContext::xdp, as_it_is},
    {"xdp subprogram", ProgramContext::xdp, calling_program},
    {"xdp, helpers only", ProgramContext::xdp, without_direct_access},
    {"tc", ProgramContext::skb, as_it_is},
    {"tc subprogram", ProgramContext::skb, calling_program},
    {"tc, helpers only", ProgramContext::skb, without_direct_access},
    {"tc, tag beside the packet", ProgramContext::skb, tagging_program, true},
    {"tc, tag beside the packet, helpers only", ProgramContext::skb, tagging_without_direct_access, true},
};

// For tc, BPF_PROG_TEST_RUN takes no packets that do not fit into a page with their room for headers, and newer kernels
// refuse what claims to be IP and is shorter than its fixed header. These run through XDP; the short ones also through
// tc when a VLAN tag is in them.
bool kernel_refuses(const Bytes& packet) {
  if (packet.size() > 2900) return true;
  const int ether_type = packet[12] << 8 | packet[13];
  return (ether_type == 0x0800 && packet.size() < 14 + 20) || (ether_type == 0x86dd && packet.size() < 14 + 40);
}

struct Tally {
  std::size_t programs = 0;
  std::size_t runs = 0;
  std::size_t matched = 0;
  std::size_t tagged = 0;
};

void check_way(const Way& way, const std::vector<sock_filter>& program, const std::vector<Bytes>& packets,
               const std::vector<std::uint32_t>& expected, Tally& tally) {
  const auto code = filter::translate(program, way.context);
  ASSERT_TRUE(code) << code.error().text();
  const KernelProgram loaded = load_program(way.wrap(*code), way.context);
  ASSERT_TRUE(loaded.fd) << way.name << ": " << loaded.log;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    if (way.takes_tag_out && !has_tag(packets[i])) continue;
    const Bytes packet = way.takes_tag_out ? without_tag(packets[i]) : packets[i];
    const auto verdict = run_program(loaded, packet, way.context, way.takes_tag_out ? tag_of(packets[i]) : Tag());
    if (!verdict && way.context == ProgramContext::skb && kernel_refuses(packet)) continue;
    ASSERT_TRUE(verdict) << way.name << ": the kernel did not run a packet of " << packets[i].size() << " bytes";
    ASSERT_EQ(*verdict, expected[i]) << way.name << ", packet " << hex(packets[i]);
    ++tally.runs;
    tally.tagged += way.takes_tag_out ? 1 : 0;
  }
}

void check_user_space(const std::vector<sock_filter>& program, const Bytes& packet, std::uint32_t expected) {
  const filter::CompiledFilter compiled = {std::make_shared<sonde_filter>(), true, program, {}};
  sonde_packet_event event = {};
  event.packet_size = static_cast<__u32>(packet.size());
  ASSERT_EQ(filter::matches(compiled, event, packet), expected != 0) << "user space, packet " << hex(packet);
}

void check(const std::vector<sock_filter>& program, const std::vector<Bytes>& packets, Tally& tally) {
  std::vector<std::uint32_t> expected;
  for (const Bytes& packet : packets) {
    expected.push_back(libpcap_verdict(program, packet));
    tally.matched += expected.back() != 0 ? 1 : 0;
    ASSERT_NO_FATAL_FAILURE(check_user_space(program, packet, expected.back()));
  }
  for (const Way& way : ways) ASSERT_NO_FATAL_FAILURE(check_way(way, program, packets, expected, tally));
  ++tally.programs;
}

void print(const Tally& tally) {
  std::cout << tally.programs << " programs, " << tally.runs << " kernel runs, " << tally.tagged
            << " of them with the tag beside the packet, " << tally.matched << " matches\n";
}

class FilterProperty : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "loading BPF programs needs root";
  }
};

constexpr const char* written_by_hand[] = {
    "tcp port 80",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and not src and dst net 10.0.0.0/8",
    "vlan 100 and tcp dst port 443",
    "vlan and vlan and ip6",
    "ip6 protochain 6",
    "ip protochain 17",
    "ip6 protochain 6 or ip6 protochain 17 or ip protochain 6",
    "vlan and ip6 protochain 58",
    "udp portrange 8000-8080 or sctp port 53",
    "len > 100 and len < 1000",
    "ether[0] & 1 = 0 and ip[16] >= 224",
    "ether[len - 4:4] != 0",
    "ether[13:4] > 0x20000000",
    "ether[14:4] > 0x20000000 or ether[15:2] = 0",
    "ether[ether[5]:4] > 0x20000000",
    "ether[15:4] % 5 = 1",
    "ether[(ether[5] & 1) + 13:4] % 7 = 3",
    "ether[(ether[5] & 7) + 14:4] % 7 = 3",
    "ether[(ether[5] & 7) + 14:2] % 7 = 3 or ether[(ether[11] & 7) + 14] = 1",
    "ip[ip[8] << ip[9]] != 0",
    "1000000 / ether[20] > 10000",
    "ether[0:4] << (ether[11] & 63) > 100",
    "ether host 02:00:00:00:00:01",
    "mpls 100 and ip",
    "pppoes and tcp",
    "ip multicast or ip6 multicast",
    "icmp6[icmp6type] = icmp6-neighborsolicit",
    "arp[6:2] = 1",
};

TEST_F(FilterProperty, ExpressionsWrittenByHand) {
  Random random = seeded();
  const auto packets = random_packets(random, 300);
  Tally tally;
  for (const char* expression : written_by_hand) {
    SCOPED_TRACE(expression);
    const auto program = filter::compile_expression(expression, LinkType::ethernet);
    ASSERT_TRUE(program) << program.error().text();
    ASSERT_NO_FATAL_FAILURE(check(*program, packets, tally));
  }
  print(tally);
}

TEST_F(FilterProperty, RandomExpressions) {
  Random random = seeded();
  Tally tally;
  std::size_t refused = 0;
  while (tally.programs < 300) {
    const std::string expression = random_expression(random, 1 + static_cast<int>(below(random, 4)));
    SCOPED_TRACE(expression);
    const auto program = filter::compile_expression(expression, LinkType::ethernet);
    if (!program) {
      ASSERT_LT(++refused, 3000U) << "the generator writes hardly anything that libpcap takes: "
                                  << program.error().text();
      continue;
    }
    ASSERT_NO_FATAL_FAILURE(check(*program, random_packets(random, 60), tally));
  }
  print(tally);
  std::cout << refused << " expressions were not for libpcap\n";
  EXPECT_GT(tally.matched, tally.programs);
  EXPECT_GT(tally.tagged, tally.programs);
}

// Also large packets, which XDP keeps in fragments, so that loads cross their borders.
TEST_F(FilterProperty, RandomPrograms) {
  Random random = seeded();
  Tally tally;
  while (tally.programs < 400) {
    const auto program = random_program(random, 3 + below(random, 25));
    auto packets = random_packets(random, 30);
    for (int i = 0; i < 3; ++i) {
      packets.emplace_back(3000 + below(random, 5000));
      for (std::uint8_t& byte : packets.back()) byte = static_cast<std::uint8_t>(random());
    }
    ASSERT_NO_FATAL_FAILURE(check(program, packets, tally)) << tally.programs;
  }
  print(tally);
  EXPECT_GT(tally.matched, tally.programs);
}

std::string repeated(std::size_t count, std::string (*part)(std::size_t)) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "" : " or ") + part(i);
  return text;
}

TEST_F(FilterProperty, LargeExpressionsPassTheVerifier) {
  const std::string expressions[] = {
      repeated(40, [](std::size_t i) { return fmt::format("host 10.{}.7.9", i); }),
      repeated(200, [](std::size_t i) { return fmt::format("net 10.{}.0.0/16", i); }),
      repeated(40, [](std::size_t i) { return fmt::format("host fd00::{}", i); }),
      repeated(60, [](std::size_t i) { return fmt::format("portrange {}-{}", 1000 * i, 1000 * i + 500); }),
      repeated(60, [](std::size_t i) { return fmt::format("(host 10.0.0.{} and tcp portrange {}-65000)", i, i); }),
      repeated(11, [](std::size_t i) { return fmt::format("ip6 protochain {}", i + 3); }),
      repeated(30, [](std::size_t i) { return fmt::format("ether[ether[{}]:4] = {}", i, i); }),
      repeated(30, [](std::size_t i) { return fmt::format("tcp[((tcp[12] & 0xf0) >> 2) + {}:4] = {}", i, i); }),
  };
  Random random = seeded();
  const auto packets = random_packets(random, 50);
  Tally tally;
  for (const std::string& expression : expressions) {
    SCOPED_TRACE(expression);
    const auto program = filter::compile_expression(expression, LinkType::ethernet);
    ASSERT_TRUE(program) << program.error().text();
    ASSERT_NO_FATAL_FAILURE(check(*program, packets, tally));
  }
  print(tally);
}

void check_tag_beside(const std::vector<sock_filter>& program, const Bytes& packet) {
  const auto code = filter::translate(program, ProgramContext::skb).value();
  for (const auto& wrapped : {tagging_program(code), tagging_without_direct_access(code)}) {
    const KernelProgram loaded = load_program(wrapped, ProgramContext::skb);
    ASSERT_TRUE(loaded.fd) << loaded.log;
    const auto verdict = run_program(loaded, without_tag(packet), ProgramContext::skb, tag_of(packet));
    ASSERT_TRUE(verdict) << "the kernel did not run the packet";
    ASSERT_EQ(*verdict, libpcap_verdict(program, packet));
  }
}

void check_load_with_tag_beside(const Bytes& packet, std::uint32_t offset, std::uint16_t width) {
  SCOPED_TRACE(fmt::format("{} bytes, load at {}, width code {}", packet.size(), offset, width));
  const auto at = static_cast<std::uint16_t>(BPF_LD | BPF_ABS | width);
  const auto at_x = static_cast<std::uint16_t>(BPF_LD | BPF_IND | width);
  check_tag_beside({{at, 0, 0, offset}, {BPF_RET | BPF_A, 0, 0, 0}}, packet);
  check_tag_beside({{BPF_LDX | BPF_IMM, 0, 0, offset - 3}, {at_x, 0, 0, 3}, {BPF_RET | BPF_A, 0, 0, 0}}, packet);
}

// Frames that end just behind their tag: no load sees more than is there.
TEST_F(FilterProperty, LoadsEndWithTheTaggedPacket) {
  for (std::size_t size = 18; size < 24; ++size) {
    Bytes packet = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0x20, 100, 0x88, 0xb5, 1, 2, 3, 4, 5, 6};
    packet.resize(size);
    for (std::uint32_t offset = 3; offset < 24; ++offset) {
      for (const std::uint16_t width : {BPF_W, BPF_H, BPF_B}) check_load_with_tag_beside(packet, offset, width);
    }
  }
}

TEST_F(FilterProperty, UnwrittenMemoryAndRegistersAreZero) {
  // NOLINTBEGIN(misc-redundant-expression): BPF_ADD and BPF_K are both 0
  const std::vector<sock_filter> programs[] = {
      {{BPF_LD | BPF_MEM, 0, 0, 7}, {BPF_ALU | BPF_ADD | BPF_K, 0, 0, 5}, {BPF_RET | BPF_A, 0, 0, 0}},
      {{BPF_ALU | BPF_ADD | BPF_K, 0, 0, 5}, {BPF_RET | BPF_A, 0, 0, 0}},
      {{BPF_MISC | BPF_TXA, 0, 0, 0}, {BPF_ALU | BPF_ADD | BPF_K, 0, 0, 5}, {BPF_RET | BPF_A, 0, 0, 0}},
  };
  // NOLINTEND(misc-redundant-expression)
  const Bytes packet(60, 0xff);
  for (const auto& program : programs) {
    const auto code = filter::translate(program, ProgramContext::skb);
    ASSERT_TRUE(code);
    const KernelProgram loaded = load_program(*code, ProgramContext::skb);
    ASSERT_TRUE(loaded.fd) << loaded.log;
    EXPECT_EQ(run_program(loaded, packet, ProgramContext::skb), 5U);
  }
}

}  // namespace
}  // namespace sonde::test
