// SPDX-License-Identifier: Apache-2.0
// A network namespace with a pair of interfaces to try hooks on. It ends with the process that entered it.
#pragma once
#include <cstdint>
#include <string>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::doctor {

/// UDP datagrams that cross the hooks.
class PrivateNetwork {
 public:
  /// Moves the calling thread into a new network namespace, for good. Where the kernel has no veth, `lo` serves.
  [[nodiscard]] static Result<PrivateNetwork> enter();

  /// One datagram to this port leaves by sender() and is received by receiver(). Needs no CAP_NET_RAW and no ARP: it is
  /// a broadcast on the pair.
  [[nodiscard]] Result<void> send(std::uint16_t port) const;

  [[nodiscard]] std::uint32_t sender() const { return sender_; }
  [[nodiscard]] std::uint32_t receiver() const { return receiver_; }
  [[nodiscard]] const std::string& receiver_name() const { return receiver_name_; }
  [[nodiscard]] bool has_veth() const { return missing_veth_.empty(); }
  /// Why there is no veth pair.
  [[nodiscard]] const std::string& missing_veth() const { return missing_veth_; }

 private:
  PrivateNetwork() = default;
  Fd socket_;
  std::uint32_t sender_ = 0;
  std::uint32_t receiver_ = 0;
  std::uint32_t destination_ = 0;  ///< IPv4, host byte order
  std::string receiver_name_;
  std::string missing_veth_;
};

}  // namespace sonde::doctor
