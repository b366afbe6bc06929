// SPDX-License-Identifier: Apache-2.0
// The kernel's flows are those of a plain model, for random packets and random connections, by every program, with the
// usual headers read the fast way and by the parser.
#include <gtest/gtest.h>

#include "filter_packets.hpp"
#include "flow_model.hpp"
#include "flow_programs.hpp"
#include "model/parse.hpp"
#include "packet_programs.hpp"

namespace sonde::test {
namespace {

struct Case {
  const char* program;
  bool light_path;
  LinkType link = LinkType::ethernet;
  std::uint8_t direction = SONDE_DIRECTION_IN;
};

class Property : public testing::TestWithParam<Case> {
 protected:
  void run(const Bytes& packet, std::uint32_t segments = 0) {
    if (!programs_.run(GetParam().program, packet, segments)) return;
    sonde_packet_event event{};
    event.direction = GetParam().direction;
    event.segments = static_cast<std::uint16_t>(segments);
    parse_packet(packet, static_cast<std::uint32_t>(packet.size()), GetParam().link, {}, event);
    model_.add(event);
    taken_ += segments > 1 ? segments : 1;
  }

  void compare() {
    const auto kernel = text_of(programs_.table());
    const auto model = model_.text();
    EXPECT_EQ(kernel.size(), model.size());
    for (std::size_t i = 0; i < std::min(kernel.size(), model.size()); ++i) ASSERT_EQ(kernel[i], model[i]);
    const auto counters = programs_.counters();
    EXPECT_EQ(counters.taken, taken_);
    EXPECT_EQ(counters.counted, taken_ - counters.no_key);
    EXPECT_EQ(counters.no_key, model_.without_ip());
  }

  [[nodiscard]] static bool is_tc() { return GetParam().program != std::string("sonde_xdp"); }

  FlowPrograms programs_{{.light_path = GetParam().light_path}};
  FlowModel model_;
  std::uint64_t taken_ = 0;
  Random random_{20261121};
};

TEST_P(Property, RandomPackets) {
  for (int i = 0; i < 20'000; ++i) run(random_packet(random_));
  EXPECT_GT(taken_, 1000U);
  compare();
}

Bytes random_segment(Random& random) {
  constexpr std::array<std::uint8_t, 8> flags = {0x02, 0x12, 0x10, 0x18, 0x11, 0x04, 0x14, 0x10};
  Tcp header;
  header.source_port = 1000;
  header.destination_port = static_cast<std::uint16_t>(1001 + below(random, 40));
  const bool back = one_in(random, 2);
  if (back) std::swap(header.source_port, header.destination_port);
  header.sequence = static_cast<std::uint32_t>(0xfffffff8 + below(random, 16));
  header.flags = one_in(random, 12) ? pick(random, flags) : 0x18;
  if (one_in(random, 3)) header.flags = 0x10;
  const auto payload = counting(one_in(random, 3) ? 0 : below(random, 4));
  Ipv4 ip;
  if (back) std::swap(ip.source, ip.destination);
  ip.ttl = static_cast<std::uint8_t>(60 + below(random, 5));
  return ethernet({.padded_to = 60}, ipv4(ip, tcp(header, payload)));
}

TEST_P(Property, RandomConnections) {
  for (int i = 0; i < 20'000; ++i) {
    const auto packet = random_segment(random_);
    const bool offloaded = is_tc() && one_in(random_, 4);
    if (GetParam().link == LinkType::ethernet)
      run(packet, offloaded ? static_cast<std::uint32_t>(1 + below(random_, 10)) : 0);
    else
      run(Bytes(packet.begin() + 14, packet.end()), offloaded ? 3 : 0);
  }
  EXPECT_EQ(programs_.counters().spilled, 0U);
  compare();
}

INSTANTIATE_TEST_SUITE_P(Programs, Property,
                         testing::Values(Case{"sonde_xdp", true}, Case{"sonde_xdp", false}, Case{"sonde_ingress", true},
                                         Case{"sonde_egress", true, LinkType::ethernet, SONDE_DIRECTION_OUT},
                                         Case{"sonde_raw_in", true, LinkType::raw_ip},
                                         Case{"sonde_raw_out", true, LinkType::raw_ip, SONDE_DIRECTION_OUT}));

}  // namespace
}  // namespace sonde::test
