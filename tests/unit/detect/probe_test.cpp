// SPDX-License-Identifier: Apache-2.0
#include "detect/scan/probe.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>

namespace sonde::detect {
namespace {

Endpoint at(std::uint8_t last, std::uint16_t port) {
  return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, last}, port};
}

FlowSight tcp(std::uint8_t ours, std::uint8_t theirs, std::uint16_t from = 50'000, std::uint16_t to = 80) {
  FlowSight flow;
  flow.protocol = IPPROTO_TCP;
  flow.endpoints = {at(1, from), at(2, to)};
  flow.tcp_flags = {ours, theirs};
  flow.total = flow.delta = {Count{1, 60}, Count{theirs ? 1U : 0U, 60}};
  flow.start_seen = ours & 2;
  flow.is_new = true;
  return flow;
}

struct Row {
  const char* what;
  FlowSight flow;
  std::optional<ScanMethod> method;
  Answer answer = Answer::none;
};

TEST(Probe, IsToldByTheFlagsOfBothSides) {
  constexpr std::uint8_t F = 1, S = 2, R = 4, P = 8, A = 16, U = 32;
  const Row rows[] = {
      {"SYN, no answer", tcp(S, 0), ScanMethod::tcp, Answer::none},
      {"SYN, refused", tcp(S, R | A), ScanMethod::tcp, Answer::refused},
      {"SYN, open", tcp(S | R, S | A), ScanMethod::tcp, Answer::open},
      {"connect, no data", tcp(S | A | F, S | A | F), ScanMethod::tcp, Answer::open},
      {"connect with data", tcp(S | A | P, S | A), ScanMethod::tcp, Answer::used},
      {"FIN", tcp(F, R | A), ScanMethod::fin, Answer::refused},
      {"NULL", tcp(0, 0), ScanMethod::null, Answer::none},
      {"Xmas", tcp(F | P | U, R | A), ScanMethod::xmas, Answer::refused},
      {"URG only", tcp(U, 0), ScanMethod::flags, Answer::none},
      {"ACK", tcp(A, R), ScanMethod::ack, Answer::refused},
      {"Maimon", tcp(F | A, R), ScanMethod::maimon, Answer::refused},
      {"middle of a connection", tcp(A | P, A), std::nullopt},
      {"acknowledged", tcp(A, A), std::nullopt},
      {"late FIN, answered", tcp(F | A, F | A), std::nullopt},
      {"backscatter RST", tcp(R | A, 0), std::nullopt},
      {"server closes an old connection", tcp(F | A, 0, 443, 40'000), std::nullopt},
      {"likewise from a high port", tcp(F | A, R, 8080, 40'000), std::nullopt},
      {"later fragments", tcp(0, 0, 0, 0), std::nullopt},
  };
  for (const auto& row : rows) {
    const auto probe = probe_of(row.flow);
    ASSERT_EQ(probe.has_value(), row.method.has_value()) << row.what;
    if (!probe) continue;
    EXPECT_EQ(probe->method, *row.method) << row.what;
    EXPECT_EQ(probe->answer, row.answer) << row.what;
  }
}

TEST(Probe, OfUdp) {
  auto flow = tcp(0, 0, 50'000, 161);
  flow.protocol = IPPROTO_UDP;
  ASSERT_TRUE(probe_of(flow));
  EXPECT_EQ(probe_of(flow)->answer, Answer::none);
  flow.unreachable = true;
  EXPECT_EQ(probe_of(flow)->answer, Answer::refused);
  flow.total[1].packets = 1;
  EXPECT_EQ(probe_of(flow)->answer, Answer::used);
  flow.total[1].packets = 0;
  flow.endpoints[1].port = 33'440;  // traceroute
  EXPECT_FALSE(probe_of(flow));
  flow.endpoints[1].port = 5353;
  flow.endpoints[1].address[12] = 224;
  EXPECT_FALSE(probe_of(flow));
}

}  // namespace
}  // namespace sonde::detect
