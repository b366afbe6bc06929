// SPDX-License-Identifier: Apache-2.0
// The two peers of a plan. Byte i of a stream is known from its seed, so a reader checks what it gets as it comes.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/fd.hpp"

namespace sonde::proxy::test {

struct Got {
  std::uint64_t bytes = 0;
  bool wrong = false;  ///< a byte was not the one of its position
  int error = 0;       ///< that ended it, or that the writer met: a socket tells an error once; 0: an orderly end
};

/// Writes up to `bytes` of the stream; 0, or the error that ended it.
int write_stream(int fd, std::uint64_t seed, std::uint64_t bytes, bool pauses);
/// Reads to the end or the error.
Got read_stream(int fd, std::uint64_t seed);

/// Whether the next bytes are those of the stream from a position on.
bool read_exactly(int fd, std::uint64_t seed, std::size_t bytes, std::uint64_t position = 0);

/// One peer from connect or accept to its end.
struct PeerTask {
  Fd fd;
  std::uint64_t write_seed = 0;
  std::uint64_t write_bytes = 0;
  std::uint64_t read_seed = 0;
  bool waits_for_end = false;  ///< ends its stream only once the other's has ended
  bool resets = false;         ///< ends with a reset in place of an end
  bool resets_late = false;    ///< and not before all that it sent is acknowledged
  bool pauses = false;
};
/// Writes and reads at once.
Got run_peer(PeerTask& task);

}  // namespace sonde::proxy::test
