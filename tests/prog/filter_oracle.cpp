// SPDX-License-Identifier: Apache-2.0
#include "filter_oracle.hpp"

#include <pcap/pcap.h>

namespace sonde::test {

std::uint32_t libpcap_verdict(std::span<const sock_filter> program, std::span<const std::uint8_t> packet) {
  static_assert(sizeof(bpf_insn) == sizeof(sock_filter));
  const auto size = static_cast<u_int>(packet.size());
  return bpf_filter(reinterpret_cast<const bpf_insn*>(program.data()), packet.data(), size, size);
}

}  // namespace sonde::test
