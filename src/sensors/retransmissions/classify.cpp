// SPDX-License-Identifier: Apache-2.0
#include "sensors/retransmissions/classify.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace sonde::retransmissions {
namespace {

using Event = sonde_retransmission_event;

constexpr std::uint8_t flag_syn = 2;
constexpr std::uint8_t flag_ack = 16;
constexpr std::uint8_t congestion_state_loss = 4;  // TCP_CA_Loss
constexpr std::uint8_t timer_tail_loss_probe = 5;  // ICSK_TIME_LOSS_PROBE
constexpr std::uint8_t scoreboard_lost = 4;        // TCPCB_LOST

bool is_syn(const Event& event) { return (event.tcp_flags & flag_syn) != 0 && (event.tcp_flags & flag_ack) == 0; }

bool is_syn_ack(const Event& event) {
  return event.source == SONDE_RETRANSMIT_SYN_ACK || (event.tcp_flags & (flag_syn | flag_ack)) == (flag_syn | flag_ack);
}

// The timer stays set while its handler sends the probe (tcp_send_loss_probe). It may also be set when an
// acknowledgment starts a recovery; then the segment is marked as lost, which a probe is not.
bool is_tail_loss_probe(const Event& event) {
  return event.pending_timer == timer_tail_loss_probe && (event.scoreboard & scoreboard_lost) == 0;
}

// tcp_write_timer_handler() clears the timer before it sends again; an acknowledgment that leaves data outstanding has
// one running.
bool is_timeout(const Event& event) { return event.pending_timer == 0; }

bool in_loss(const Event& event) { return event.congestion_state == congestion_state_loss; }

// tcp_simple_retransmit() enters Loss without a timeout, and its response cannot be taken back.
bool is_path_mtu(const Event& event) { return in_loss(event) && event.undo_marker == 0 && event.timeouts == 0; }

struct Rule {
  bool (*holds)(const Event&);
  RetransmissionKind kind;
};

// The first that holds.
constexpr std::array<Rule, 9> rules = {{
    {[](const Event& event) { return event.source == SONDE_RETRANSMIT_SPURIOUS; }, RetransmissionKind::spurious},
    {[](const Event& event) { return event.source == SONDE_RETRANSMIT_LATE; }, RetransmissionKind::untold},
    {is_syn_ack, RetransmissionKind::syn_ack},
    {is_syn, RetransmissionKind::syn},
    {is_tail_loss_probe, RetransmissionKind::tlp},
    {is_timeout, RetransmissionKind::rto},
    {is_path_mtu, RetransmissionKind::path_mtu},
    {in_loss, RetransmissionKind::loss},
    {[](const Event&) { return true; }, RetransmissionKind::fast},
}};

}  // namespace

RetransmissionKind classify(const sonde_retransmission_event& event) {
  for (const auto& rule : rules)
    if (rule.holds(event)) return rule.kind;
  return RetransmissionKind::fast;
}

std::uint32_t jiffies_per_second(std::uint64_t jiffies, std::uint64_t monotonic_ns) {
  constexpr std::array<std::uint32_t, 4> possible = {100, 250, 300, 1000};  // kernel/Kconfig.hz
  constexpr double wrap_seconds = 300;
  constexpr double unclear_seconds = 10;
  constexpr double wrap = 4294967296.0;  // 2^32
  const double seconds = static_cast<double>(monotonic_ns) / 1e9 - wrap_seconds;
  if (std::abs(seconds) < unclear_seconds) return 0;
  return *std::ranges::min_element(possible, {}, [&](std::uint32_t rate) {
    return std::abs(wrap + seconds * rate - static_cast<double>(jiffies)) / rate;
  });
}

}  // namespace sonde::retransmissions
