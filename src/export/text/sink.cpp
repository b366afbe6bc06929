// SPDX-License-Identifier: Apache-2.0
#include "decode/decode.hpp"
#include "export/events/owner.hpp"
#include "export/format.hpp"
#include "export/owners.hpp"
#include "export/sinks.hpp"
#include "export/text/dump.hpp"
#include "export/text/line.hpp"
#include "export/writer.hpp"

namespace sonde::exporter {
namespace {

// A packet and what belongs to its line.
struct Line {
  LineFormatter& formatter;
  const Packet& packet;
  const InterfaceTable& interfaces;
  std::string_view owner;  ///< for the end of the line; "": none

  [[nodiscard]] std::size_t size() const { return LineFormatter::max_size + owner.size(); }
  char* append(char* out, std::string_view decoded = {}) const {
    out = exporter::append(formatter.append(out, packet, interfaces), decoded);
    return exporter::append(out, owner);
  }
};

// `write` gives where the packet ends, nullptr when the output failed.
using WritePacket = char* (*)(FdWriter&, const Line&);

char* write_line(FdWriter& writer, const Line& line) {
  char* out = writer.room(line.size());
  return out == nullptr ? nullptr : line.append(out);
}

char* write_hex(FdWriter& writer, const Line& line) {
  char* out = writer.room(line.size() + hex_dump_size(line.packet.event->captured_size));
  return out == nullptr ? nullptr : append_hex_dump(line.append(out), line.packet.bytes());
}

char* write_ascii(FdWriter& writer, const Line& line) {
  const sonde_packet_event& event = *line.packet.event;
  char* out = writer.room(line.size() + event.captured_size + 1);
  if (out == nullptr) return nullptr;
  out = line.append(out);
  if (event.network_offset >= event.captured_size) return out;
  *out++ = '\n';
  return append_printable(out, line.packet.bytes().subspan(event.network_offset));
}

char* write_decoded(FdWriter& writer, const Line& line) {
  const auto decoded = decode::decode(line.packet);
  const std::string text = decoded ? ": " + decode::to_text(*decoded) : std::string();
  char* out = writer.room(line.size() + text.size());
  return out == nullptr ? nullptr : line.append(out, text);
}

std::string owner_column(const SocketOwner& owner) { return " | " + owner_text(owner); }

class TextSink final : public pipeline::Sink {
 public:
  TextSink(Output output, TextOptions options, WritePacket write_packet)
      : writer_(std::move(output)), line_(options), write_packet_(write_packet) {}

  Result<void> write(std::span<const Packet> packets, const InterfaceTable& interfaces) override {
    for (const Packet& packet : packets) {
      char* end = write_packet_(writer_, {line_, packet, interfaces, owners_.get(packet, owner_column)});
      if (end == nullptr) return writer_.error();
      *end++ = '\n';
      writer_.end_packet(end);
    }
    return {};
  }

  Result<void> flush() override { return writer_.flush(); }
  Result<void> finish(const pipeline::Summary&) override { return writer_.flush(); }
  [[nodiscard]] std::uint64_t written() const override { return writer_.written(); }

 private:
  FdWriter writer_;
  LineFormatter line_;
  PerOwner owners_;
  WritePacket write_packet_;
};

}  // namespace

std::unique_ptr<pipeline::Sink> make_text_sink(Output output, TextOptions options) {
  return std::make_unique<TextSink>(std::move(output), options, write_line);
}

std::unique_ptr<pipeline::Sink> make_hex_sink(Output output, TextOptions options) {
  return std::make_unique<TextSink>(std::move(output), options, write_hex);
}

std::unique_ptr<pipeline::Sink> make_ascii_sink(Output output, TextOptions options) {
  return std::make_unique<TextSink>(std::move(output), options, write_ascii);
}

std::unique_ptr<pipeline::Sink> make_decode_sink(Output output, TextOptions options) {
  return std::make_unique<TextSink>(std::move(output), options, write_decoded);
}

}  // namespace sonde::exporter
