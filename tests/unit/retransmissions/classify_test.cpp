// SPDX-License-Identifier: Apache-2.0
#include "sensors/retransmissions/classify.hpp"

#include <gtest/gtest.h>

namespace sonde::retransmissions {
namespace {

using Kind = RetransmissionKind;

// Names as in the kernel.
enum { open_state = 0, disorder = 1, cwr = 2, recovery = 3, loss = 4 };   // TCP_CA_
enum { no_timer = 0, rto_timer = 1, rack_timer = 2, probe_timer = 5 };    // ICSK_TIME_
enum { never = 0, lost = 4, lost_again = 0x84, ever_sent_again = 0x80 };  // TCPCB_
enum { fin = 1, syn = 2, ack = 16, push = 8 };

struct Case {
  const char* what;
  std::uint8_t source, congestion_state, pending_timer, scoreboard, tcp_flags, timeouts;
  std::uint32_t undo_marker;
  Kind kind;
};

constexpr std::uint8_t skb = SONDE_RETRANSMIT_SKB;

constexpr Case cases[] = {
    {"timer in Loss", skb, loss, no_timer, lost, ack, 1, 7, Kind::rto},
    {"second timer", skb, loss, no_timer, lost_again, ack, 2, 7, Kind::rto},
    {"FIN by the timer", skb, loss, no_timer, lost, fin | ack, 1, 7, Kind::rto},
    {"zero window: no undo, no count", skb, loss, no_timer, lost, ack, 0, 0, Kind::rto},
    {"acknowledgment in Loss", skb, loss, rto_timer, lost, ack | push, 1, 7, Kind::loss},
    {"in Loss, response taken back", skb, loss, rto_timer, lost, ack, 1, 0, Kind::loss},
    {"in Loss, timeouts forgotten", skb, loss, rto_timer, lost, ack, 0, 7, Kind::loss},
    {"fragmentation needed", skb, loss, rto_timer, lost, ack, 0, 0, Kind::path_mtu},
    {"fast", skb, recovery, rto_timer, lost, ack, 0, 7, Kind::fast},
    {"RACK timer", skb, recovery, rack_timer, lost, ack, 0, 7, Kind::fast},
    {"recovery began while a probe was scheduled", skb, recovery, probe_timer, lost, ack, 0, 7, Kind::fast},
    {"probe", skb, open_state, probe_timer, never, ack, 0, 0, Kind::tlp},
    {"probe after SACK", skb, disorder, probe_timer, ever_sent_again, ack, 0, 0, Kind::tlp},
    {"probe of FIN in CWR", skb, cwr, probe_timer, ever_sent_again, fin | ack, 0, 0, Kind::tlp},
    {"SYN", skb, loss, no_timer, lost, syn, 1, 7, Kind::syn},
    {"SYN with ECN", skb, loss, no_timer, lost, syn | 0xc0, 1, 7, Kind::syn},
    {"SYN-ACK of a socket", skb, loss, no_timer, lost, syn | ack, 1, 7, Kind::syn_ack},
    {"SYN-ACK of a request", SONDE_RETRANSMIT_SYN_ACK, open_state, no_timer, never, syn | ack, 0, 0, Kind::syn_ack},
    {"needless", SONDE_RETRANSMIT_SPURIOUS, loss, no_timer, never, 0, 1, 0, Kind::spurious},
    {"late", SONDE_RETRANSMIT_LATE, loss, no_timer, never, 0, 1, 0, Kind::untold},
};

TEST(Classify, ByTheStateOfTcp) {
  for (const auto& one : cases) {
    sonde_retransmission_event event{};
    event.source = one.source;
    event.congestion_state = one.congestion_state;
    event.pending_timer = one.pending_timer;
    event.scoreboard = one.scoreboard;
    event.tcp_flags = one.tcp_flags;
    event.timeouts = one.timeouts;
    event.undo_marker = one.undo_marker;
    EXPECT_STREQ(retransmission_kind_name(classify(event)), retransmission_kind_name(one.kind)) << one.what;
  }
}

TEST(Jiffies, AreCountedFromFiveMinutesBeforeTheWrap) {
  for (const std::uint64_t rate : {100U, 250U, 300U, 1000U})
    for (const std::uint64_t seconds : {1U, 289U, 311U, 86'400U, 40'000'000U}) {
      const std::uint64_t jiffies = (1ULL << 32) - 300 * rate + seconds * rate;
      EXPECT_EQ(jiffies_per_second(jiffies, seconds * 1'000'000'000), rate) << seconds << " s";
    }
}

TEST(Jiffies, CannotBeToldAtTheWrap) { EXPECT_EQ(jiffies_per_second(1ULL << 32, 300'000'000'000), 0U); }

TEST(Jiffies, ToleratesAClockThatBeganALittleLater) {
  EXPECT_EQ(jiffies_per_second((1ULL << 32) - 300 * 250 + 59 * 250, 60'000'000'000), 250U);
}

}  // namespace
}  // namespace sonde::retransmissions
