// SPDX-License-Identifier: Apache-2.0
#include <sys/utsname.h>

#include <algorithm>
#include <vector>

#include "export/format.hpp"
#include "export/interfaces.hpp"
#include "export/owners.hpp"
#include "export/pcapng/block.hpp"
#include "export/pcapng/owner.hpp"
#include "export/sinks.hpp"
#include "export/writer.hpp"

namespace sonde::exporter {
namespace {

enum OptionCode : std::uint16_t {
  option_comment = 1,
  section_hardware = 2,
  section_os = 3,
  section_application = 4,
  interface_name_code = 2,
  interface_time_resolution = 9,
  interface_filter = 11,
  statistics_start = 2,
  statistics_end = 3,
  statistics_received = 4,
  statistics_dropped = 5,
  statistics_accepted = 6,
  statistics_delivered = 8,
};

std::string section_header() {
  constexpr std::uint32_t byte_order_magic = 0x1a2b3c4d;
  BlockBuilder block(block_section_header);
  block.put32(byte_order_magic);
  block.put16(1);  // version 1.0
  block.put16(0);
  block.put64(~0ULL);  // section length: not told
  utsname system{};
  if (::uname(&system) == 0) {
    block.option(section_hardware, system.machine);
    block.option(section_os, std::string(system.sysname) + " " + system.release);
  }
  block.option(section_application, "sonde " SONDE_VERSION);
  return block.finish();
}

std::string interface_description(const std::string& name, LinkType link_type, const CaptureFileOptions& options) {
  BlockBuilder block(block_interface_description);
  block.put16(static_cast<std::uint16_t>(link_type));
  block.put16(0);
  block.put32(options.snaplen);
  if (!name.empty()) block.option(interface_name_code, name);
  // 10^-9 s
  block.option(interface_time_resolution, "\x09");
  // 0: as text
  if (!options.filter.empty()) block.option(interface_filter, std::string(1, '\0') + options.filter);
  return block.finish();
}

struct WrittenInterface {
  std::uint64_t packets = 0;
  std::int64_t first_ns = 0;
  std::int64_t last_ns = 0;
};

// The whole ledger in words, for files with several interfaces, whose losses are not known one by one.
std::string ledger_text(const LossReport& loss) {
  std::string text = "whole capture, all interfaces: lost " + std::to_string(loss.lost());
  for (const LossStage& stage : loss.stages) {
    text += "; " + stage.name + ": taken " + std::to_string(stage.taken) + ", given " + std::to_string(stage.given) +
            ", filtered " + std::to_string(stage.filtered) + ", lost " + std::to_string(stage.lost);
    if (!stage.note.empty()) text += " (" + stage.note + ")";
  }
  return text;
}

std::uint64_t filtered_before_output(const LossReport& loss) {
  std::uint64_t filtered = 0;
  for (const LossStage& stage : loss.stages) filtered += stage.filtered;
  return filtered;
}

// What was lost where is known for the capture as a whole: with one interface that is the interface's own figure.
void put_capture_counts(BlockBuilder& block, const LossReport& loss) {
  if (loss.stages.empty()) return;
  const std::uint64_t received = loss.stages.front().taken;
  block.option64(statistics_received, received);
  block.option64(statistics_dropped, loss.lost());
  block.option64(statistics_accepted, received - std::min(received, filtered_before_output(loss)));
}

class PcapngSink final : public pipeline::Sink {
 public:
  PcapngSink(Output output, CaptureFileOptions options) : writer_(std::move(output)), options_(std::move(options)) {
    put_header(section_header());
  }

  Result<void> write(std::span<const Packet> packets, const InterfaceTable& interfaces) override {
    for (const Packet& packet : packets) {
      char* end = write_packet(packet, interfaces);
      if (end == nullptr) return writer_.error();
      writer_.end_packet(end);
    }
    return {};
  }

  Result<void> flush() override { return writer_.flush(); }

  Result<void> finish(const pipeline::Summary& summary) override {
    // Readers refuse a section without interfaces, so a capture without packets gets one without a name.
    if (interfaces_.empty()) put_header(interface_description({}, LinkType::ethernet, options_));
    for (std::uint32_t id = 0; id < interfaces_.size(); ++id) put_header(statistics(id, summary));
    return writer_.flush();
  }

  [[nodiscard]] std::uint64_t written() const override { return writer_.written(); }

 private:
  bool put_header(const std::string& block) {
    char* out = writer_.room(block.size());
    if (out != nullptr) writer_.end_header(append(out, block));
    return out != nullptr;
  }

  std::uint32_t add_interface(const Packet& packet, const InterfaceTable& interfaces) {
    const std::uint32_t ifindex = packet.event->header.ifindex;
    put_header(
        interface_description(interface_name(interfaces, ifindex), link_type_of(*packet.event, interfaces), options_));
    interfaces_.push_back({.first_ns = packet.wall_ns, .last_ns = packet.wall_ns});
    return static_cast<std::uint32_t>(interfaces_.size() - 1);
  }

  char* write_packet(const Packet& packet, const InterfaceTable& interfaces) {
    const std::uint32_t ifindex = packet.event->header.ifindex;
    const std::uint32_t id = ids_.get(ifindex, [&] { return add_interface(packet, interfaces); });
    const std::string& owner = owners_.get(packet, owner_options);
    char* out = writer_.room(packet_block_size(packet.event->captured_size, owner.size()));
    if (out == nullptr) return nullptr;
    WrittenInterface& interface = interfaces_[id];
    ++interface.packets;
    interface.first_ns = std::min(interface.first_ns, packet.wall_ns);
    interface.last_ns = std::max(interface.last_ns, packet.wall_ns);
    return append_packet_block(out, packet, id, owner);
  }

  // Start and end are the times of the interface's first and last packet: right for files that are read again, too.
  [[nodiscard]] std::string statistics(std::uint32_t id, const pipeline::Summary& summary) const {
    const WrittenInterface& interface = interfaces_[id];
    BlockBuilder block(block_interface_statistics);
    block.put32(id);
    const auto end = static_cast<std::uint64_t>(interface.last_ns);
    block.put32(static_cast<std::uint32_t>(end >> 32));
    block.put32(static_cast<std::uint32_t>(end));
    if (id == 0) block.option(option_comment, ledger_text(summary.loss));
    block.option_time(statistics_start, interface.first_ns);
    block.option_time(statistics_end, interface.last_ns);
    if (interfaces_.size() == 1) put_capture_counts(block, summary.loss);
    block.option64(statistics_delivered, interface.packets);
    return block.finish();
  }

  FdWriter writer_;
  CaptureFileOptions options_;
  PerInterface<std::uint32_t> ids_;
  PerOwner owners_;
  std::vector<WrittenInterface> interfaces_;
};

}  // namespace

std::unique_ptr<pipeline::Sink> make_pcapng_sink(Output output, CaptureFileOptions options) {
  return std::make_unique<PcapngSink>(std::move(output), std::move(options));
}

}  // namespace sonde::exporter
