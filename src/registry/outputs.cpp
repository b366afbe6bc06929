// SPDX-License-Identifier: Apache-2.0
#include "registry/outputs.hpp"

#include "registry/choices.hpp"

namespace sonde::registry {
namespace {

constexpr std::uint32_t whole_packet = 65535;
constexpr std::uint32_t first_message = 4096;  // a TLS hello with a post-quantum key share, a DNS answer over TCP

using SinkPointer = std::unique_ptr<pipeline::Sink>;

exporter::TextOptions text_options(const CaptureOptions& options) { return {.colour = options.color, .date = false}; }

SinkPointer make_text(exporter::Output output, const CaptureOptions& options) {
  return exporter::make_text_sink(std::move(output), text_options(options));
}
SinkPointer make_hex(exporter::Output output, const CaptureOptions& options) {
  return exporter::make_hex_sink(std::move(output), text_options(options));
}
SinkPointer make_ascii(exporter::Output output, const CaptureOptions& options) {
  return exporter::make_ascii_sink(std::move(output), text_options(options));
}
SinkPointer make_decode(exporter::Output output, const CaptureOptions& options) {
  return exporter::make_decode_sink(std::move(output), text_options(options));
}
SinkPointer make_json(exporter::Output output, const CaptureOptions& options) {
  const bool data = options.snaplen.value_or(0) > 0;
  return exporter::make_json_sink(std::move(output), {.data = data, .decoded = data});
}

exporter::CaptureFileOptions file_options(const CaptureOptions& options) {
  return {.snaplen = options.snaplen.value_or(whole_packet), .filter = options.filter.expression};
}
SinkPointer make_pcapng(exporter::Output output, const CaptureOptions& options) {
  return exporter::make_pcapng_sink(std::move(output), file_options(options));
}
SinkPointer make_pcap(exporter::Output output, const CaptureOptions& options) {
  return exporter::make_pcap_sink(std::move(output), file_options(options));
}

constexpr OutputEntry output_table[] = {
    {"text", "one line a packet, as tcpdump writes it", {false, 0}, false, true, make_text},
    {"json",
     "one object a line, the summary last; --snaplen adds the bytes in base64",
     {false, 0},
     true,
     true,
     make_json},
    {"hex", "the line, then all bytes in hexadecimal and characters", {true, whole_packet}, true, true, make_hex},
    {"ascii", "the line, then the printable characters of the packet", {true, whole_packet}, true, true, make_ascii},
    {"decode", "the line, with what HTTP/1, DNS or TLS says in it", {true, first_message}, true, true, make_decode},
};

constexpr OutputEntry file_format_table[] = {
    {"pcapng", "with interfaces, directions, owners and loss", {true, whole_packet}, true, true, make_pcapng},
    {"pcap", "for older tools; one link type, no directions, no owners", {true, whole_packet}, true, false, make_pcap},
};

Result<const OutputEntry*> find(const char* option, const std::string& name, std::span<const OutputEntry> table) {
  for (const auto& entry : table)
    if (entry.name == name) return &entry;
  return unknown_choice(option, name, table);
}

}  // namespace

std::span<const OutputEntry> outputs() { return output_table; }
std::span<const OutputEntry> file_formats() { return file_format_table; }

Result<const OutputEntry*> find_output(const std::string& name) { return find("-o", name, output_table); }
Result<const OutputEntry*> find_file_format(const std::string& name) {
  return find("--format", name, file_format_table);
}

}  // namespace sonde::registry
