// SPDX-License-Identifier: Apache-2.0
// Replays pcap and pcapng files as a source. Needs no root.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "filter/filter.hpp"
#include "pipeline/source.hpp"
#include "sonde/result.hpp"

namespace sonde::replay {

struct FileOptions {
  filter::CompiledFilter filter;  ///< as filter::compile() made it
  std::uint32_t snaplen = 0;      ///< bytes of a packet to keep; 0: the headers
};

/// Opens a capture file; "-" is standard input, which may be a live pipe. The header of a regular file is checked here,
/// that of a pipe at the first read.
///
/// Formats: pcap of both byte orders with micro- or nanoseconds; pcapng with several sections of either byte order and
/// interfaces of mixed link types. Link types: Ethernet, bare IP, BSD loopback and Linux cooked captures, which are
/// brought into Ethernet or bare IP (replay/link_types.hpp says how); another one is an error at its first packet that
/// names it.
///
/// Time is the file's; a pcapng Simple Packet Block has none and gets 0. A packet whose direction the file does not
/// state counts as received (SONDE_DIRECTION_IN). Interface numbers are ours, from 1 on; one that the file does not
/// name is called "unknown", or "if<N>" where packets carry the interface number N (LINUX_SLL2).
///
/// Damage: the packets before it are delivered, then read() fails once with the byte offset and what was wrong, and the
/// source is finished. The packet that was cut counts as taken and lost in the stage "file"; what lies behind the
/// damage cannot be counted, and the stage's note says so.
[[nodiscard]] Result<std::unique_ptr<pipeline::Source>> open_file(const std::string& path, FileOptions options);

}  // namespace sonde::replay
