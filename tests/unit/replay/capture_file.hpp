// SPDX-License-Identifier: Apache-2.0
// Capture files made by hand, in either byte order.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "harness/collect.hpp"
#include "harness/command.hpp"
#include "replay/file_source.hpp"

namespace sonde::test {

/// Appends numbers in the byte order of the file.
class FileBytes {
 public:
  explicit FileBytes(bool swapped = false) : swapped_(swapped) {}
  FileBytes& u8(std::uint8_t value);
  FileBytes& u16(std::uint16_t value);
  FileBytes& u32(std::uint32_t value);
  FileBytes& u64(std::uint64_t value);
  FileBytes& bytes(std::string_view value);
  /// Zeroes up to a multiple of four.
  FileBytes& pad();
  [[nodiscard]] const std::string& data() const { return data_; }
  [[nodiscard]] bool swapped() const { return swapped_; }

 private:
  bool swapped_;
  std::string data_;
};

std::string pcap_header(bool swapped, bool nanoseconds, std::uint32_t link);
std::string pcap_record(bool swapped, std::uint32_t seconds, std::uint32_t fraction, std::string_view packet,
                        std::uint32_t wire_size);

/// A pcapng option, padded.
std::string option(bool swapped, std::uint16_t code, std::string_view value);
std::string block(bool swapped, std::uint32_t type, std::string_view body);
std::string section_header(bool swapped);
std::string interface_block(bool swapped, std::uint16_t link, std::uint32_t snaplen, std::string_view options = {});
std::string enhanced_packet(bool swapped, std::uint32_t interface, std::uint64_t time, std::string_view packet,
                            std::uint32_t wire_size, std::string_view options = {});
std::string simple_packet(bool swapped, std::string_view packet, std::uint32_t wire_size);
std::string obsolete_packet(bool swapped, std::uint16_t interface, std::uint64_t time, std::string_view packet,
                            std::uint32_t wire_size, std::string_view options = {});

/// Ethernet, IPv4, UDP 10.0.0.1:`port` > 10.0.0.2:53 with `payload` bytes.
std::string udp_frame(std::uint16_t port, std::size_t payload = 4);
/// The same without Ethernet header.
std::string udp_packet(std::uint16_t port, std::size_t payload = 4);

struct Replayed {
  Collected collected;
  std::vector<LossStage> loss;
  InterfaceTable interfaces;
  bool finished = false;
};

/// Replays a file with a snaplen of 65,535. An error of open_file() is collected.error.
Replayed replay_file(const std::string& path, const FilterOptions& filter = {}, std::uint32_t snaplen = 65'535);
/// Likewise for a file with this content.
Replayed replay_bytes(const std::string& content, const FilterOptions& filter = {}, std::uint32_t snaplen = 65'535);

}  // namespace sonde::test
