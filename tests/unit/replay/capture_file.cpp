// SPDX-License-Identifier: Apache-2.0
#include "capture_file.hpp"

#include <bit>
#include <cstring>

namespace sonde::test {
namespace {

template <class T>
void append(std::string& data, T value, bool swapped) {
  if (swapped) value = std::byteswap(value);
  data.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// Network byte order.
FileBytes network_bytes() { return FileBytes(std::endian::native == std::endian::little); }

}  // namespace

FileBytes& FileBytes::u8(std::uint8_t value) { return append(data_, value, false), *this; }
FileBytes& FileBytes::u16(std::uint16_t value) { return append(data_, value, swapped_), *this; }
FileBytes& FileBytes::u32(std::uint32_t value) { return append(data_, value, swapped_), *this; }
FileBytes& FileBytes::u64(std::uint64_t value) { return append(data_, value, swapped_), *this; }
FileBytes& FileBytes::bytes(std::string_view value) { return data_ += value, *this; }
FileBytes& FileBytes::pad() { return data_.resize((data_.size() + 3) / 4 * 4), *this; }

std::string pcap_header(bool swapped, bool nanoseconds, std::uint32_t link) {
  FileBytes file(swapped);
  file.u32(nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4).u16(2).u16(4).u32(0).u32(0).u32(262'144).u32(link);
  return file.data();
}

std::string pcap_record(bool swapped, std::uint32_t seconds, std::uint32_t fraction, std::string_view packet,
                        std::uint32_t wire_size) {
  FileBytes file(swapped);
  file.u32(seconds).u32(fraction).u32(static_cast<std::uint32_t>(packet.size())).u32(wire_size).bytes(packet);
  return file.data();
}

std::string option(bool swapped, std::uint16_t code, std::string_view value) {
  return FileBytes(swapped).u16(code).u16(static_cast<std::uint16_t>(value.size())).bytes(value).pad().data();
}

std::string block(bool swapped, std::uint32_t type, std::string_view body) {
  const std::string padded = FileBytes().bytes(body).pad().data();
  const auto size = static_cast<std::uint32_t>(padded.size() + 12);
  return FileBytes(swapped).u32(type).u32(size).bytes(padded).u32(size).data();
}

std::string section_header(bool swapped) {
  return block(swapped, 0x0a0d0d0a, FileBytes(swapped).u32(0x1a2b3c4d).u16(1).u16(0).u64(~0ULL).data());
}

std::string interface_block(bool swapped, std::uint16_t link, std::uint32_t snaplen, std::string_view options) {
  return block(swapped, 1, FileBytes(swapped).u16(link).u16(0).u32(snaplen).bytes(options).data());
}

namespace {

FileBytes& timed_body(FileBytes& body, std::uint64_t time, std::string_view packet, std::uint32_t wire_size,
                      std::string_view options) {
  body.u32(static_cast<std::uint32_t>(time >> 32)).u32(static_cast<std::uint32_t>(time));
  return body.u32(static_cast<std::uint32_t>(packet.size())).u32(wire_size).bytes(packet).pad().bytes(options);
}

}  // namespace

std::string enhanced_packet(bool swapped, std::uint32_t interface, std::uint64_t time, std::string_view packet,
                            std::uint32_t wire_size, std::string_view options) {
  FileBytes body(swapped);
  body.u32(interface);
  return block(swapped, 6, timed_body(body, time, packet, wire_size, options).data());
}

std::string obsolete_packet(bool swapped, std::uint16_t interface, std::uint64_t time, std::string_view packet,
                            std::uint32_t wire_size, std::string_view options) {
  FileBytes body(swapped);
  body.u16(interface).u16(7);
  return block(swapped, 2, timed_body(body, time, packet, wire_size, options).data());
}

std::string simple_packet(bool swapped, std::string_view packet, std::uint32_t wire_size) {
  return block(swapped, 3, FileBytes(swapped).u32(wire_size).bytes(packet).data());
}

std::string udp_packet(std::uint16_t port, std::size_t payload) {
  auto packet = network_bytes();
  packet.u8(0x45).u8(0).u16(static_cast<std::uint16_t>(28 + payload)).u16(port).u16(0).u8(64).u8(17).u16(0);
  packet.u32(0x0a000001).u32(0x0a000002);
  packet.u16(port).u16(53).u16(static_cast<std::uint16_t>(8 + payload)).u16(0).bytes(std::string(payload, 'x'));
  return packet.data();
}

std::string udp_frame(std::uint16_t port, std::size_t payload) {
  const std::string addresses("\x02\0\0\0\0\x02\x02\0\0\0\0\x01", 12);
  return addresses + network_bytes().u16(0x0800).data() + udp_packet(port, payload);
}

Replayed replay_file(const std::string& path, const FilterOptions& filter, std::uint32_t snaplen) {
  auto compiled = filter::compile(filter);
  if (!compiled) return {.collected = {.packets = {}, .error = compiled.error()}, .loss = {}, .interfaces = {}};
  auto source = replay::open_file(path, {.filter = *compiled, .snaplen = snaplen});
  if (!source) return {.collected = {.packets = {}, .error = source.error()}, .loss = {}, .interfaces = {}};
  Replayed replayed;
  replayed.collected = read_all(**source);
  replayed.loss = (*source)->loss();
  replayed.interfaces = (*source)->interfaces();
  replayed.finished = (*source)->finished();
  return replayed;
}

Replayed replay_bytes(const std::string& content, const FilterOptions& filter, std::uint32_t snaplen) {
  const TemporaryFile file(".pcap");
  file.write(content);
  return replay_file(file.path(), filter, snaplen);
}

}  // namespace sonde::test
