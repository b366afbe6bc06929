// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <unordered_map>
#include <variant>

#include "replay/link_types.hpp"
#include "replay/pcap_reader.hpp"
#include "replay/pcapng_reader.hpp"
#include "sensors/user_space/finish_packet.hpp"

namespace sonde::replay {

/// Packets of a capture file of either format. No time, no threads: bytes in, packets out.
class CaptureReader {
 public:
  explicit CaptureReader(InputBuffer input) : input_(std::move(input)) {}
  CaptureReader(const CaptureReader&) = delete;
  CaptureReader& operator=(const CaptureReader&) = delete;

  /// Step::more: call input().fill() and again; at the input's end call end(). An error is final.
  [[nodiscard]] Result<Step> next(user_space::RawPacket& packet);
  /// What the end of the input means: nothing, or that the file is cut inside a record.
  [[nodiscard]] Result<void> end();

  /// The file header has been read.
  [[nodiscard]] bool knows_format() const { return format_.index() != 0; }
  [[nodiscard]] InputBuffer& input() { return input_; }
  /// The record that next() or end() failed at was a packet's.
  [[nodiscard]] bool packet_begun() const { return record_.begun; }
  [[nodiscard]] const InterfaceTable& interfaces() const { return interfaces_.table(); }

 private:
  Result<Step> read_file_header();
  Result<Step> read_record();
  Result<Step> convert(user_space::RawPacket& packet);
  Result<std::uint32_t> number_cooked_interface();

  InputBuffer input_;
  Interfaces interfaces_;
  std::variant<std::monostate, PcapReader, PcapngReader> format_;
  const LinkConversion* link_ = nullptr;                               // of the packet before
  std::unordered_map<std::uint32_t, std::uint32_t> cooked_ifindexes_;  // LINUX_SLL2's number -> ours
  Record record_;
};

}  // namespace sonde::replay
