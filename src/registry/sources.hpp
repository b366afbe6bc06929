// SPDX-License-Identifier: Apache-2.0
// The table of packet sources.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "filter/filter.hpp"
#include "pipeline/source.hpp"
#include "sensors/packets/attachment.hpp"
#include "sonde/capture.hpp"
#include "sonde/result.hpp"

namespace sonde::registry {

/// A capture's options, with what was derived from them.
struct SourceRequest {
  const CaptureOptions& options;
  std::vector<std::string> interfaces;  ///< never empty unless a file is read
  filter::CompiledFilter filter;
  bool capture_bytes = false;  ///< an output looks at packet bytes
  std::uint32_t snaplen = 0;   ///< with capture_bytes: bytes a packet; 0: its headers
  bool show_owners = false;    ///< an output shows the owners of packets
};

struct SourceEntry {
  const char* name;
  const char* description;
  Result<std::unique_ptr<pipeline::Source>> (*open)(const SourceRequest& request);
  bool (*is_default)(const CaptureOptions& options);  ///< does `auto` try it for these options?
  std::span<const char* const> options;               ///< the options that only some sources have, of those it has
};

/// In the order in which `auto` tries them.
[[nodiscard]] std::span<const SourceEntry> sources();

/// The words of --xdp-mode.
[[nodiscard]] Result<packets::XdpChoice> xdp_choice(const std::string& word);

/// An opened source and why it is this one: "source ebpf", "source afpacket, because ebpf: ...".
struct OpenedSource {
  std::unique_ptr<pipeline::Source> source;
  std::string notice;
};

/// By name, or the first that opens for "auto". An option that the source does not have is ErrorKind::usage.
[[nodiscard]] Result<OpenedSource> open_source(const std::string& name, const SourceRequest& request);

}  // namespace sonde::registry
