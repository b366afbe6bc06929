// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::afpacket {

/// Which copy of a packet on a loopback device is taken: AF_PACKET sees it sent and received.
enum class LoopbackCopy { received, sent };

struct SocketCounts {
  std::uint64_t packets = 0;  ///< accepted by the socket filter, drops included
  std::uint64_t drops = 0;    ///< of these, lost because the ring was full
};

/// An AF_PACKET socket that gets nothing until accept().
class PacketSocket {
 public:
  /// Not bound; everything is rejected.
  [[nodiscard]] static Result<PacketSocket> make();

  /// ifindex 0: all interfaces.
  [[nodiscard]] Result<void> bind(int ifindex);
  [[nodiscard]] Result<void> set_promiscuous(int ifindex);
  /// After bind(). Without a group a new one is made; the number of the group, which may be 0, is returned.
  [[nodiscard]] Result<std::uint16_t> join_fanout(std::optional<std::uint16_t> group);
  /// Lets packets in. What AF_PACKET sees twice is let in once.
  [[nodiscard]] Result<void> accept(LoopbackCopy copy);
  /// No packet enters the ring or is counted after this and wait_for_deliveries().
  [[nodiscard]] Result<void> reject();

  /// Counts since the socket was made. The kernel's own are reset by reading them.
  [[nodiscard]] SocketCounts counts();
  /// An asynchronous error such as ENETDOWN, once; 0: none.
  [[nodiscard]] int take_error();

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  Fd fd_;
  SocketCounts counts_;
};

/// Returns when packets that were under way at the call have reached their sockets.
void wait_for_deliveries();

}  // namespace sonde::afpacket
