// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sonde/abi/packet.h>

#include <cstdint>
#include <string>
#include <vector>

#include "sonde/endpoint.hpp"
#include "sonde/export.hpp"
#include "sonde/owner.hpp"

namespace sonde {

/// A packet that the kernel freed in error.
struct SONDE_EXPORT Drop {
  std::int64_t wall_ns = 0;  ///< nanoseconds since 1970-01-01 UTC
  std::string reason;        ///< name from the running kernel's BTF without SKB_DROP_REASON_: "NO_SOCKET"
  std::uint32_t reason_number = 0;
  std::string function;                 ///< kernel function that freed it; empty: kallsyms does not tell
  std::uint32_t ifindex = 0;            ///< 0: none
  std::string interface;                ///< its name; empty: not known (another namespace, or gone)
  std::uint32_t network_namespace = 0;  ///< inode number; 0: not known
  SocketOwner owner;
  sonde_packet_event packet{};      ///< headers, as far as the kernel still had them
  std::vector<std::uint8_t> bytes;  ///< the first bytes from packet.network_offset or the link header on
};

}  // namespace sonde
