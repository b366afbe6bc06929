// SPDX-License-Identifier: Apache-2.0
// Owners of packets that had no socket with them, by their addresses and ports.
#pragma once
#include <sonde/abi/packet.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "kernel/network_namespaces.hpp"
#include "sensors/drops/drops.abi.h"
#include "sensors/drops/reasons.hpp"

namespace sonde::drops {

/// The socket to look for, and where.
struct TupleQuestion {
  sonde_tuple tuple{};
  std::uint32_t network_namespace = 0;
  std::uint32_t ifindex = 0;
};

/// Whose packet is it? Nothing: its addresses do not tell. Of a received packet it is the socket at its destination; of
/// one that this host sent over TCP, the socket at its source. A forwarded packet is nobody's.
[[nodiscard]] std::optional<TupleQuestion> tuple_question(const sonde_drop_event& drop,
                                                          const sonde_packet_event& packet, TupleTrust trust);

/// Bounded: drops come in floods. An answer holds for a tenth of a second, and a thousand are found in a second.
class TupleOwners {
 public:
  /// Asks the kernel in the namespace of the thread; nothing: no such socket, or it may not be asked.
  using Ask = std::function<std::optional<sonde_socket_owner>(const TupleQuestion& question)>;
  using Clock = std::chrono::steady_clock;

  explicit TupleOwners(Ask ask) : ask_(std::move(ask)) {}

  /// Method SONDE_METHOD_TUPLE, or unknown with the reason.
  [[nodiscard]] sonde_socket_owner find(const TupleQuestion& question, Clock::time_point now);
  /// Questions that came too fast to be asked.
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

  static constexpr std::size_t capacity = 4096;
  static constexpr std::uint64_t asked_in_a_second = 1000;
  static constexpr std::chrono::milliseconds holds{100};

 private:
  struct Answer {
    sonde_socket_owner owner{};
    Clock::time_point found_at;
  };

  [[nodiscard]] bool may_ask(Clock::time_point now);

  Ask ask_;
  std::map<std::string, Answer> answers_;  ///< by the bytes of the question
  Clock::time_point second_started_{};
  std::uint64_t asked_ = 0;  ///< since then
  std::uint64_t left_out_ = 0;
};

/// Asks by the program sonde_find_socket, after the routing table has told that the local address is this host's: a
/// socket bound to all addresses takes no packet for another host.
[[nodiscard]] TupleOwners::Ask ask_kernel(int program_fd);

}  // namespace sonde::drops
