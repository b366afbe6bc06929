// SPDX-License-Identifier: Apache-2.0
#include "replay/link_types.hpp"

#include <fmt/format.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "replay/byte_order.hpp"

namespace sonde::replay {
namespace {

constexpr std::uint32_t ethernet_size = 14;
constexpr std::uint16_t cooked_outgoing = 4;  // LINUX_SLL_OUTGOING
constexpr std::uint16_t cooked_802_3 = 1;     // LINUX_SLL_P_802_3: Novell frame without LLC
constexpr std::uint16_t cooked_802_2 = 4;     // LINUX_SLL_P_802_2: LLC follows
constexpr std::uint32_t max_802_3_length = 1500;

void keep(Record&) {}

void remove_front(Record& record, std::size_t size) {
  record.bytes = record.bytes.subspan(size);
  record.wire_size -= static_cast<std::uint32_t>(size);
}

// AF_INET everywhere, AF_INET6 of Linux, NetBSD/OpenBSD, FreeBSD and macOS. NULL is in the writer's byte order, LOOP in
// network order, and old files mix them up: the families fit into one byte, so either order is understood.
bool is_ip_family(const std::uint8_t* p) {
  constexpr std::array<std::uint32_t, 5> families = {2, 10, 24, 28, 30};
  const std::uint32_t big = big_endian.u32(p);
  const std::uint32_t family = big > 0xffff ? std::byteswap(big) : big;
  return std::ranges::find(families, family) != families.end();
}

// Another family stays in front: its zero bytes are no IP version, so the packet is reported as malformed.
void strip_family(Record& record) {
  if (record.bytes.size() >= 4 && is_ip_family(record.bytes.data())) remove_front(record, 4);
}

struct CookedHeader {
  std::size_t size;
  std::size_t protocol, packet_type, address_length, address;  // offsets
};

constexpr CookedHeader sll = {16, 14, 0, 4, 6};
constexpr CookedHeader sll2 = {20, 0, 10, 11, 12};

std::uint16_t load_address_length(const CookedHeader& header, const std::uint8_t* p) {
  return header.size == sll.size ? big_endian.u16(p + header.address_length) : p[header.address_length];
}

// 802.3 frames have their length where others have the EtherType.
std::uint16_t ether_type(std::uint16_t protocol, std::uint32_t payload_size) {
  if (protocol != cooked_802_3 && protocol != cooked_802_2) return protocol;
  return static_cast<std::uint16_t>(std::min(payload_size, max_802_3_length));
}

// The Ethernet header is shorter than the cooked one, so it is written over that one's end.
void rebuild_ethernet(Record& record, const CookedHeader& header) {
  const auto wire_payload = record.wire_size - std::min<std::uint32_t>(record.wire_size, header.size);
  if (record.bytes.size() < header.size) {
    record.bytes = {};
    record.wire_size = wire_payload + ethernet_size;
    return;
  }
  const std::uint8_t* p = record.bytes.data();
  const std::uint16_t packet_type = header.size == sll.size ? big_endian.u16(p) : p[header.packet_type];
  const std::uint16_t type = ether_type(big_endian.u16(p + header.protocol), wire_payload);
  std::array<std::uint8_t, ethernet_size> ethernet{};
  if (load_address_length(header, p) == 6) std::memcpy(&ethernet[6], p + header.address, 6);
  ethernet[12] = static_cast<std::uint8_t>(type >> 8);
  ethernet[13] = static_cast<std::uint8_t>(type);
  if (packet_type == cooked_outgoing) record.direction = SONDE_DIRECTION_OUT;
  remove_front(record, header.size - ethernet_size);
  std::ranges::copy(ethernet, record.bytes.begin());
}

void rebuild_sll(Record& record) { rebuild_ethernet(record, sll); }
void rebuild_sll2(Record& record) { rebuild_ethernet(record, sll2); }

constexpr std::array conversions = {
    LinkConversion{1, LinkType::ethernet, keep},           // ETHERNET
    LinkConversion{101, LinkType::raw_ip, keep},           // RAW
    LinkConversion{12, LinkType::raw_ip, keep},            // DLT_RAW of most systems, found in old files
    LinkConversion{14, LinkType::raw_ip, keep},            // DLT_RAW of OpenBSD
    LinkConversion{228, LinkType::raw_ip, keep},           // IPV4
    LinkConversion{229, LinkType::raw_ip, keep},           // IPV6
    LinkConversion{0, LinkType::raw_ip, strip_family},     // NULL
    LinkConversion{108, LinkType::raw_ip, strip_family},   // LOOP
    LinkConversion{113, LinkType::ethernet, rebuild_sll},  // LINUX_SLL
    LinkConversion{linktype_linux_sll2, LinkType::ethernet, rebuild_sll2},
};

}  // namespace

const LinkConversion* find_link(std::uint32_t number) {
  const auto* found = std::ranges::find(conversions, number, &LinkConversion::number);
  return found == conversions.end() ? nullptr : found;
}

std::string link_text(std::uint32_t number) {
  const char* name = number <= 0xffff ? ::pcap_datalink_val_to_name(static_cast<int>(number)) : nullptr;
  return name == nullptr ? std::to_string(number) : fmt::format("{} ({})", number, name);
}

std::uint32_t cooked_interface(const Record& record) {
  constexpr std::size_t offset = 4;
  return record.bytes.size() < sll2.size ? 0 : big_endian.u32(record.bytes.data() + offset);
}

}  // namespace sonde::replay
