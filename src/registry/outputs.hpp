// SPDX-License-Identifier: Apache-2.0
// The tables of outputs and file formats.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "export/sinks.hpp"
#include "pipeline/sink.hpp"
#include "sonde/capture.hpp"
#include "sonde/result.hpp"

namespace sonde::registry {

/// Bytes of a packet that an output looks at when the user does not say: none, or so many from the link header on.
struct BytesWanted {
  bool wanted = false;
  std::uint32_t snaplen = 0;
};

struct OutputEntry {
  const char* name;
  const char* description;
  BytesWanted bytes;  ///< without --snaplen
  bool uses_snaplen;  ///< does --snaplen change anything?
  bool shows_owners;
  std::unique_ptr<pipeline::Sink> (*make)(exporter::Output output, const CaptureOptions& options);
};

[[nodiscard]] std::span<const OutputEntry> outputs();       ///< -o
[[nodiscard]] std::span<const OutputEntry> file_formats();  ///< --format, for -w

[[nodiscard]] Result<const OutputEntry*> find_output(const std::string& name);
[[nodiscard]] Result<const OutputEntry*> find_file_format(const std::string& name);

}  // namespace sonde::registry
