// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>

#include "export/format.hpp"
#include "export/interfaces.hpp"
#include "export/sinks.hpp"
#include "export/writer.hpp"

namespace sonde::exporter {
namespace {

constexpr std::uint32_t largest_snaplen = 262144;  // libpcap refuses more

struct FileHeader {
  std::uint32_t magic = 0xa1b23c4d;  // nanoseconds, native byte order
  std::uint16_t version_major = 2;
  std::uint16_t version_minor = 4;
  std::uint32_t reserved[2] = {};
  std::uint32_t snaplen = 0;
  std::uint32_t link_type = 0;
};
static_assert(sizeof(FileHeader) == 24);

struct RecordHeader {
  std::uint32_t seconds;
  std::uint32_t nanoseconds;
  std::uint32_t captured_size;
  std::uint32_t original_size;
};
static_assert(sizeof(RecordHeader) == 16);

RecordHeader record_header(const Packet& packet) {
  constexpr std::int64_t second_ns = 1'000'000'000;
  const std::uint32_t captured = packet.event->captured_size;
  return {.seconds = static_cast<std::uint32_t>(packet.wall_ns / second_ns),
          .nanoseconds = static_cast<std::uint32_t>(packet.wall_ns % second_ns),
          .captured_size = captured,
          .original_size = std::max(packet.event->packet_size, captured)};
}

const char* link_type_name(LinkType link_type) { return link_type == LinkType::raw_ip ? "bare IP" : "Ethernet"; }

class PcapSink final : public pipeline::Sink {
 public:
  PcapSink(Output output, CaptureFileOptions options) : writer_(std::move(output)), options_(std::move(options)) {}

  Result<void> write(std::span<const Packet> packets, const InterfaceTable& interfaces) override {
    for (const Packet& packet : packets) {
      const LinkType link_type =
          link_types_.get(packet.event->header.ifindex, [&] { return link_type_of(*packet.event, interfaces); });
      if (!link_type_ && !put_file_header(link_type)) return writer_.error();
      if (*link_type_ != link_type) return second_link_type(*packet.event, interfaces);
      if (!write_packet(packet)) return writer_.error();
    }
    return {};
  }

  Result<void> flush() override { return writer_.flush(); }

  Result<void> finish(const pipeline::Summary&) override {
    if (!link_type_ && !put_file_header(LinkType::ethernet)) return writer_.error();
    return writer_.flush();
  }

  [[nodiscard]] std::uint64_t written() const override { return writer_.written(); }

 private:
  bool put_file_header(LinkType link_type) {
    link_type_ = link_type;
    FileHeader header;
    header.snaplen = options_.snaplen == 0 ? largest_snaplen : options_.snaplen;
    header.link_type = static_cast<std::uint32_t>(link_type);
    char* out = writer_.room(sizeof(header));
    if (out != nullptr) writer_.end_header(append(out, {reinterpret_cast<const char*>(&header), sizeof(header)}));
    return out != nullptr;
  }

  bool write_packet(const Packet& packet) {
    const RecordHeader header = record_header(packet);
    char* out = writer_.room(sizeof(header) + header.captured_size);
    if (out == nullptr) return false;
    out = append(out, {reinterpret_cast<const char*>(&header), sizeof(header)});
    writer_.end_packet(append(out, {reinterpret_cast<const char*>(packet.data), header.captured_size}));
    return true;
  }

  // What was taken before is in the file, so that written() stays exact.
  Result<void> second_link_type(const sonde_packet_event& event, const InterfaceTable& interfaces) {
    if (Result<void> flushed = writer_.flush(); !flushed) return flushed;
    const std::string name = interface_name(interfaces, event.header.ifindex);
    const LinkType link_type = link_types_.get(event.header.ifindex, [] { return LinkType::ethernet; });
    return fail(ErrorKind::usage,
                writer_.name() + ": a pcap file holds one link type, and this one holds " +
                    link_type_name(*link_type_) + "; " + name + " carries " + link_type_name(link_type),
                "write pcapng, which holds several");
  }

  FdWriter writer_;
  CaptureFileOptions options_;
  PerInterface<LinkType> link_types_;
  std::optional<LinkType> link_type_;
};

}  // namespace

std::unique_ptr<pipeline::Sink> make_pcap_sink(Output output, CaptureFileOptions options) {
  return std::make_unique<PcapSink>(std::move(output), std::move(options));
}

}  // namespace sonde::exporter
