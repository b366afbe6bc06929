// SPDX-License-Identifier: Apache-2.0
#include "replay/capture_reader.hpp"

#include <fmt/format.h>

namespace sonde::replay {
namespace {

// Formats that are mistaken for ours, by their first bytes in file order.
struct OtherFormat {
  std::uint32_t value, mask;
  const char* text;
};

constexpr std::array other_formats = {
    OtherFormat{0x1f8b0000, 0xffff0000, "gzip-compressed: decompress it first"},
    OtherFormat{0x28b52ffd, 0xffffffff, "zstd-compressed: decompress it first"},
    OtherFormat{0x04224d18, 0xffffffff, "lz4-compressed: decompress it first"},
    OtherFormat{0xa1b2cd34, 0xffffffff, "modified pcap (Kuznetzov): convert it with editcap -F pcap"},
    OtherFormat{0x34cdb2a1, 0xffffffff, "modified pcap (Kuznetzov): convert it with editcap -F pcap"},
};

std::string describe_unknown(std::uint32_t first_bytes) {
  for (const auto& format : other_formats) {
    if ((first_bytes & format.mask) == format.value) return format.text;
  }
  return fmt::format("neither pcap nor pcapng: it starts with {:08x}", first_bytes);
}

}  // namespace

std::unexpected<Error> damage(const InputBuffer& input, const std::string& what) {
  return fail(ErrorKind::failed, fmt::format("byte {}: {}", input.offset(), what));
}

Result<Step> CaptureReader::read_file_header() {
  record_.begun = false;
  if (!input_.require(4, "file header")) return Step::more;
  const std::uint32_t magic = ByteOrder{}.u32(input_.bytes().data());
  if (magic == PcapngReader::section_header) {
    format_.emplace<PcapngReader>(interfaces_);
    return Step::skipped;
  }
  if (!PcapReader::is_magic(magic)) return damage(input_, describe_unknown(big_endian.u32(input_.bytes().data())));
  if (!input_.require(PcapReader::header_size, "file header")) return Step::more;
  auto reader = PcapReader::make(input_, interfaces_);
  if (!reader) return std::unexpected(reader.error());
  format_ = *reader;
  return Step::skipped;
}

Result<Step> CaptureReader::read_record() {
  if (auto* pcap = std::get_if<PcapReader>(&format_)) return pcap->next(input_, record_);
  if (auto* pcapng = std::get_if<PcapngReader>(&format_)) return pcapng->next(input_, record_);
  return read_file_header();
}

Result<Step> CaptureReader::next(user_space::RawPacket& packet) {
  auto step = read_record();
  if (!step || *step != Step::packet) return step;
  return convert(packet);
}

Result<Step> CaptureReader::convert(user_space::RawPacket& packet) {
  if (link_ == nullptr || link_->number != record_.link_number) link_ = find_link(record_.link_number);
  if (link_ == nullptr) return damage(input_, "link type " + link_text(record_.link_number) + " is not supported");
  if (record_.link_number == linktype_linux_sll2) {
    auto ifindex = number_cooked_interface();
    if (!ifindex) return damage(input_, ifindex.error().message);
    record_.ifindex = *ifindex;
  }
  link_->convert(record_);
  packet = {.bytes = record_.bytes,
            .wire_size = record_.wire_size,
            .wall_ns = record_.wall_ns,
            .ifindex = record_.ifindex,
            .link = link_->link,
            .direction = record_.direction};
  return Step::packet;
}

Result<std::uint32_t> CaptureReader::number_cooked_interface() {
  const std::uint32_t cooked = cooked_interface(record_);
  if (const auto known = cooked_ifindexes_.find(cooked); known != cooked_ifindexes_.end()) return known->second;
  auto ifindex = interfaces_.add(fmt::format("if{}", cooked), LinkType::ethernet);
  if (ifindex) cooked_ifindexes_.emplace(cooked, *ifindex);
  return ifindex;
}

Result<void> CaptureReader::end() {
  if (input_.ends_well()) return {};
  const auto& need = input_.need();
  return damage(input_, fmt::format("the file ends inside a {}: {} bytes are there of {} or more", need.what,
                                    input_.bytes().size(), need.size));
}

}  // namespace sonde::replay
