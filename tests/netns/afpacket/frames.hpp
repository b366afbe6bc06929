// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "harness/collect.hpp"
#include "harness/command.hpp"
#include "harness/netns.hpp"
#include "sensors/afpacket/afpacket.hpp"

namespace sonde::test {

/// Ethernet, IPv4, UDP 10.0.0.1:`port` > 10.0.0.2:53; `tags` (hexadecimal TPID and TCI) between addresses and
/// EtherType.
std::string udp_frame(std::uint16_t port, std::size_t payload = 18, const std::string& tags = {});

/// Sends frames as they are on an interface; each `count` times, source ports counting up from `port`.
void send_udp(const NetworkNamespace& where, const std::string& interface, std::uint16_t port, std::size_t count,
              std::size_t payload = 18);
void send_frame(const NetworkNamespace& where, const std::string& interface, const std::string& frame);

/// Two namespaces joined by a veth pair: `left` has veth0, `right` has veth1, addresses 10.9.0.1 and 10.9.0.2.
struct Joined {
  NetworkNamespace left;
  NetworkNamespace right;
  Joined();
};

/// Opens a source inside a namespace; throws if that fails.
std::unique_ptr<pipeline::Source> open_in(const NetworkNamespace& where, afpacket::AfPacketOptions options,
                                          const FilterOptions& filter = {});
/// The error that opening gives.
Error open_error(const NetworkNamespace& where, afpacket::AfPacketOptions options);

/// Options for one interface with the whole packet kept.
afpacket::AfPacketOptions options_for(const std::string& interface, unsigned workers = 1);

}  // namespace sonde::test
