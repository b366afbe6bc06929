// SPDX-License-Identifier: Apache-2.0
#include "filter_expressions.hpp"

#include <fmt/format.h>

namespace sonde::test {
namespace {

std::string random_arithmetic(Random& random, int depth) {
  constexpr std::array<std::string_view, 8> bases = {"ether", "ip", "ip6", "tcp", "udp", "icmp", "sctp", "arp"};
  constexpr std::array<std::string_view, 10> operators = {"+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"};
  const std::uint64_t kind = below(random, depth > 0 ? 5 : 3);
  if (kind == 0) return std::to_string(1 + below(random, 30));
  if (kind == 1) return "len";
  if (kind == 2) return fmt::format("{}[{}:{}]", pick(random, bases), below(random, 40), 1U << below(random, 3));
  if (kind == 3) {
    return fmt::format("{}[{}:{}]", pick(random, bases), random_arithmetic(random, depth - 1), 1U << below(random, 3));
  }
  return fmt::format("({} {} {})", random_arithmetic(random, depth - 1), pick(random, operators),
                     random_arithmetic(random, depth - 1));
}

std::string random_comparison(Random& random) {
  constexpr std::array<std::string_view, 6> relations = {"=", "!=", "<", ">", "<=", ">="};
  return fmt::format("{} {} {}", random_arithmetic(random, 2), pick(random, relations), random_arithmetic(random, 1));
}

std::string random_direction(Random& random) {
  constexpr std::array<std::string_view, 5> directions = {"", "src ", "dst ", "src or dst ", "src and dst "};
  return std::string(pick(random, directions));
}

std::string random_host(Random& random) {
  const auto address = one_in(random, 2) ? pick(random, known_ipv4) : pick(random, known_ipv6);
  return fmt::format("{}host {}", random_direction(random), address);
}

std::string random_net(Random& random) {
  constexpr std::array<std::string_view, 7> nets = {"10.0.0.0/8", "10.0.0.0/21",   "192.168.0.0/16", "0.0.0.0/0",
                                                    "fd00::/8",   "2001:db8::/33", "ff02::1/128"};
  return fmt::format("{}net {}", random_direction(random), pick(random, nets));
}

std::string random_port(Random& random) {
  constexpr std::array<std::string_view, 4> protocols = {"", "tcp ", "udp ", "sctp "};
  const std::uint16_t first = pick(random, known_ports);
  if (one_in(random, 2)) return fmt::format("{}{}port {}", pick(random, protocols), random_direction(random), first);
  return fmt::format("{}{}portrange {}-{}", pick(random, protocols), random_direction(random), first, first + 500);
}

std::string random_protocol(Random& random) {
  constexpr std::array<std::string_view, 24> names = {"ip",
                                                      "ip6",
                                                      "arp",
                                                      "tcp",
                                                      "udp",
                                                      "icmp",
                                                      "icmp6",
                                                      "sctp",
                                                      "ah",
                                                      "ip proto 47",
                                                      "ip6 proto 6",
                                                      "proto 17",
                                                      "ether proto 0x86dd",
                                                      "ether proto 0x0800",
                                                      "ip6 protochain 6",
                                                      "ip protochain 6",
                                                      "ip6 protochain 17",
                                                      "protochain 58",
                                                      "ether broadcast",
                                                      "ether multicast",
                                                      "ip multicast",
                                                      "ip6 multicast",
                                                      "stp",
                                                      "llc"};
  return std::string(pick(random, names));
}

std::string random_flags(Random& random) {
  constexpr std::array<std::string_view, 6> tests = {"tcp[tcpflags] & (tcp-syn|tcp-ack) != 0",
                                                     "tcp[tcpflags] = tcp-syn",
                                                     "icmp[icmptype] = icmp-echo",
                                                     "ip[6:2] & 0x1fff = 0",
                                                     "(ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2) != 0",
                                                     "icmp6[icmp6type] = icmp6-neighborsolicit"};
  return std::string(pick(random, tests));
}

std::string random_length(Random& random) {
  constexpr std::array<std::string_view, 4> words = {"less", "greater", "len <", "len >="};
  return fmt::format("{} {}", pick(random, words), below(random, 200));
}

std::string random_layer(Random& random) {
  constexpr std::array<std::string_view, 8> layers = {"vlan",        "vlan 100", "vlan 101",      "vlan and vlan 102",
                                                      "vlan and ip", "mpls 100", "mpls and mpls", "pppoes 1"};
  return std::string(pick(random, layers));
}

std::string random_hardware(Random& random) {
  constexpr std::array<std::string_view, 3> addresses = {"02:00:00:00:00:01", "02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff"};
  return fmt::format("ether {}host {}", random_direction(random), pick(random, addresses));
}

std::string random_primitive(Random& random) {
  constexpr std::array<std::string (*)(Random&), 10> kinds = {
      random_host,  random_net,    random_port,  random_protocol, random_protocol,
      random_flags, random_length, random_layer, random_hardware, random_comparison};
  return pick(random, kinds)(random);
}

// Every classic operation that has no jump; M[] and shift operands are fitted to k.
constexpr std::array<std::uint16_t, 38> straight = {
    BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_H | BPF_ABS, BPF_LD | BPF_B | BPF_ABS, BPF_LD | BPF_W | BPF_IND,
    BPF_LD | BPF_H | BPF_IND, BPF_LD | BPF_B | BPF_IND, BPF_LD | BPF_W | BPF_LEN, BPF_LD | BPF_IMM, BPF_LD | BPF_MEM,
    BPF_LDX | BPF_W | BPF_LEN, BPF_LDX | BPF_IMM, BPF_LDX | BPF_MEM, BPF_LDX | BPF_B | BPF_MSH, BPF_ST, BPF_STX,
    // NOLINTNEXTLINE(misc-redundant-expression): both 0
    BPF_ALU | BPF_ADD | BPF_K, BPF_ALU | BPF_ADD | BPF_X, BPF_ALU | BPF_SUB | BPF_K, BPF_ALU | BPF_SUB | BPF_X,
    BPF_ALU | BPF_MUL | BPF_K, BPF_ALU | BPF_MUL | BPF_X, BPF_ALU | BPF_DIV | BPF_K, BPF_ALU | BPF_DIV | BPF_X,
    BPF_ALU | BPF_MOD | BPF_K, BPF_ALU | BPF_MOD | BPF_X, BPF_ALU | BPF_OR | BPF_K, BPF_ALU | BPF_OR | BPF_X,
    BPF_ALU | BPF_AND | BPF_K, BPF_ALU | BPF_AND | BPF_X, BPF_ALU | BPF_XOR | BPF_K, BPF_ALU | BPF_XOR | BPF_X,
    BPF_ALU | BPF_LSH | BPF_K, BPF_ALU | BPF_LSH | BPF_X, BPF_ALU | BPF_RSH | BPF_K, BPF_ALU | BPF_RSH | BPF_X,
    BPF_ALU | BPF_NEG, BPF_MISC | BPF_TAX, BPF_MISC | BPF_TXA};

constexpr std::array<std::uint16_t, 8> branches = {
    BPF_JMP | BPF_JEQ | BPF_K, BPF_JMP | BPF_JEQ | BPF_X, BPF_JMP | BPF_JGT | BPF_K,  BPF_JMP | BPF_JGT | BPF_X,
    BPF_JMP | BPF_JGE | BPF_K, BPF_JMP | BPF_JGE | BPF_X, BPF_JMP | BPF_JSET | BPF_K, BPF_JMP | BPF_JSET | BPF_X};

std::uint32_t random_constant(Random& random) {
  constexpr std::array<std::uint32_t, 10> edges = {0, 1, 31, 32, 0x7fffffff, 0x80000000, 0xffffffff, 0xffff, 255, 16};
  return one_in(random, 3) ? pick(random, edges) : static_cast<std::uint32_t>(random() >> below(random, 60));
}

std::uint32_t random_offset(Random& random) {
  if (one_in(random, 60)) return random_constant(random);
  return static_cast<std::uint32_t>(below(random, one_in(random, 8) ? 6000 : 24));
}

bool is_packet_load(std::uint16_t code) {
  const bool load = BPF_CLASS(code) == BPF_LD && (BPF_MODE(code) == BPF_ABS || BPF_MODE(code) == BPF_IND);
  return load || code == (BPF_LDX | BPF_B | BPF_MSH);
}

sock_filter random_straight(Random& random) {
  sock_filter insn = {pick(random, straight), 0, 0, random_constant(random)};
  const bool memory = BPF_CLASS(insn.code) == BPF_ST || BPF_CLASS(insn.code) == BPF_STX ||
                      (BPF_CLASS(insn.code) <= BPF_LDX && BPF_MODE(insn.code) == BPF_MEM);
  if (memory) insn.k &= 15;
  if (is_packet_load(insn.code)) insn.k = random_offset(random);
  // Small X values, so that loads at X hit the packet.
  if (insn.code == (BPF_LDX | BPF_IMM) && one_in(random, 2)) insn.k = random_offset(random);
  if (BPF_CLASS(insn.code) != BPF_ALU || BPF_SRC(insn.code) == BPF_X) return insn;
  const int op = BPF_OP(insn.code);
  if (op == BPF_LSH || op == BPF_RSH) insn.k &= 31;
  if ((op == BPF_DIV || op == BPF_MOD) && insn.k == 0) insn.k = 7;
  return insn;
}

sock_filter random_branch(Random& random, std::size_t room) {
  const auto jump = [&] { return static_cast<std::uint8_t>(below(random, std::min<std::size_t>(room, 6))); };
  if (one_in(random, 8)) return {BPF_JMP | BPF_JA, 0, 0, jump()};
  return {pick(random, branches), jump(), jump(), random_constant(random)};
}

}  // namespace

std::string random_expression(Random& random, int depth) {
  if (depth == 0 || one_in(random, 4)) return random_primitive(random);
  if (one_in(random, 4)) return fmt::format("not ({})", random_expression(random, depth - 1));
  return fmt::format("({}) {} ({})", random_expression(random, depth - 1), one_in(random, 2) ? "and" : "or",
                     random_expression(random, depth - 1));
}

std::vector<sock_filter> random_program(Random& random, std::size_t length) {
  std::vector<sock_filter> program;
  program.reserve(BPF_MEMWORDS + length);
  for (std::uint32_t word = 0; word < BPF_MEMWORDS; ++word) program.push_back({BPF_ST, 0, 0, word});
  for (std::size_t left = length; left > 0; --left) {
    program.push_back(one_in(random, 4) ? random_branch(random, left) : random_straight(random));
  }
  program.push_back(one_in(random, 3) ? sock_filter{BPF_RET | BPF_K, 0, 0, random_constant(random)}
                                      : sock_filter{BPF_RET | BPF_A, 0, 0, 0});
  return program;
}

}  // namespace sonde::test
