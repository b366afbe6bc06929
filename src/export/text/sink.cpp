// SPDX-License-Identifier: Apache-2.0
#include "decode/decode.hpp"
#include "export/format.hpp"
#include "export/sinks.hpp"
#include "export/text/dump.hpp"
#include "export/text/line.hpp"
#include "export/writer.hpp"

namespace sonde::exporter {
namespace {

// What follows the line of a packet. `write` gives where the packet ends, nullptr when the output failed.
using WritePacket = char* (*)(FdWriter&, LineFormatter&, const Packet&, const InterfaceTable&);

char* write_line(FdWriter& writer, LineFormatter& line, const Packet& packet, const InterfaceTable& interfaces) {
  char* out = writer.room(LineFormatter::max_size);
  return out == nullptr ? nullptr : line.append(out, packet, interfaces);
}

char* write_hex(FdWriter& writer, LineFormatter& line, const Packet& packet, const InterfaceTable& interfaces) {
  char* out = writer.room(LineFormatter::max_size + hex_dump_size(packet.event->captured_size));
  if (out == nullptr) return nullptr;
  return append_hex_dump(line.append(out, packet, interfaces), packet.bytes());
}

char* write_ascii(FdWriter& writer, LineFormatter& line, const Packet& packet, const InterfaceTable& interfaces) {
  char* out = writer.room(LineFormatter::max_size + packet.event->captured_size + 1);
  if (out == nullptr) return nullptr;
  out = line.append(out, packet, interfaces);
  if (packet.event->network_offset >= packet.event->captured_size) return out;
  *out++ = '\n';
  return append_printable(out, packet.bytes().subspan(packet.event->network_offset));
}

char* write_decoded(FdWriter& writer, LineFormatter& line, const Packet& packet, const InterfaceTable& interfaces) {
  const auto decoded = decode::decode(packet);
  const std::string text = decoded ? ": " + decode::to_text(*decoded) : std::string();
  char* out = writer.room(LineFormatter::max_size + text.size());
  return out == nullptr ? nullptr : append(line.append(out, packet, interfaces), text);
}

class TextSink final : public pipeline::Sink {
 public:
  TextSink(Output output, TextOptions options, WritePacket write_packet)
      : writer_(std::move(output)), line_(options), write_packet_(write_packet) {}

  Result<void> write(std::span<const Packet> packets, const InterfaceTable& interfaces) override {
    for (const Packet& packet : packets) {
      char* end = write_packet_(writer_, line_, packet, interfaces);
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
