// SPDX-License-Identifier: Apache-2.0
// A header is the same whatever follows it, its beginnings are incomplete, and its addresses survive being written.
#include <cstddef>
#include <cstdint>

#include "actuators/proxy/protocol/proxy_header.hpp"

using sonde::ProxyProtocolOut;
using sonde::proxy::ProxyHeader;
using sonde::proxy::ProxyHeaderState;
using sonde::proxy::read_proxy_header;

namespace {

void check_written(const ProxyHeader& header) {
  for (const auto version : {ProxyProtocolOut::v1, ProxyProtocolOut::v2}) {
    const auto written = sonde::proxy::write_proxy_header(version, *header.source, *header.destination);
    const ProxyHeader again = read_proxy_header(written);
    if (again.size != written.size() || again.source != header.source || again.destination != header.destination) {
      __builtin_trap();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ProxyHeader header = read_proxy_header({data, size});
  if (header.state != ProxyHeaderState::complete) {
    // What is wrong stays wrong, and what may become right was not wrong before.
    const auto before = read_proxy_header({data, size / 2}).state;
    if (before == ProxyHeaderState::complete) __builtin_trap();
    if (before == ProxyHeaderState::malformed && header.state != before) __builtin_trap();
    return 0;
  }
  if (header.size > size || header.source.has_value() != header.destination.has_value()) __builtin_trap();
  if (read_proxy_header({data, header.size}).state != ProxyHeaderState::complete) __builtin_trap();
  if (read_proxy_header({data, header.size - 1}).state != ProxyHeaderState::incomplete) __builtin_trap();
  if (header.source) check_written(header);
  return 0;
}
