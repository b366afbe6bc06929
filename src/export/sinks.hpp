// SPDX-License-Identifier: Apache-2.0
// The outputs of a capture. Every sink owns its file descriptor and writes whole packets: when a write fails, a regular
// file is cut back to the last whole packet, written() tells how many there are, and every later call gives the same
// error. Callers ignore SIGPIPE and SIGXFSZ, so that a closed pipe is Error::code EPIPE and a file-size limit EFBIG.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "base/fd.hpp"
#include "pipeline/sink.hpp"

namespace sonde::exporter {

struct Output {
  Fd fd;
  std::string name;  ///< for error messages: the path, or "standard output"
};

/// Creates or empties the file (mode 0644); "-" is a duplicate of standard output.
[[nodiscard]] Result<Output> open_output(const std::string& path);

struct TextOptions {
  bool colour = false;  ///< ANSI sequences: direction, protocol, RST, what is truncated or malformed
  bool date = false;    ///< 2026-11-21 before the time
};

/// One line a packet, as tcpdump writes it, in local time.
[[nodiscard]] std::unique_ptr<pipeline::Sink> make_text_sink(Output output, TextOptions options);
/// The line, then offset, bytes and characters of all that was captured (tcpdump -XX).
[[nodiscard]] std::unique_ptr<pipeline::Sink> make_hex_sink(Output output, TextOptions options);
/// The line, then the printable characters from the network header on (tcpdump -A).
[[nodiscard]] std::unique_ptr<pipeline::Sink> make_ascii_sink(Output output, TextOptions options);
/// The line, with what HTTP, DNS or TLS says in this packet at its end.
[[nodiscard]] std::unique_ptr<pipeline::Sink> make_decode_sink(Output output, TextOptions options);

struct JsonOptions {
  bool data = false;     ///< the captured bytes, in base64
  bool decoded = false;  ///< what HTTP, DNS or TLS says
};

/// One JSON object a line: packets, then the summary. The fields are in docs/json.md.
[[nodiscard]] std::unique_ptr<pipeline::Sink> make_json_sink(Output output, JsonOptions options);

struct CaptureFileOptions {
  std::uint32_t snaplen = 0;  ///< most bytes kept of a packet, for the file's header; 0: no limit
  std::string filter;         ///< words of the filter, noted in pcapng; may be empty
};

/// pcapng with nanoseconds: an interface block each, directions, loss at the end.
[[nodiscard]] std::unique_ptr<pipeline::Sink> make_pcapng_sink(Output output, CaptureFileOptions options);
/// pcap with nanoseconds. It holds one link type and neither interfaces nor directions: a packet of a second link type
/// is ErrorKind::usage.
[[nodiscard]] std::unique_ptr<pipeline::Sink> make_pcap_sink(Output output, CaptureFileOptions options);

}  // namespace sonde::exporter
