// SPDX-License-Identifier: Apache-2.0
#include "samples.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "harness/command.hpp"
#include "model/parse.hpp"

namespace sonde::test {
namespace {

constexpr std::int64_t first_time = 1'795'223'002'123'456'789;  // 2026-11-21 01:03:22 UTC

Buffer big16(std::uint32_t value) { return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)}; }

std::uint8_t hex_digit(char digit) { return static_cast<std::uint8_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10); }

void add_tcp(Capture& capture) {
  capture.add(ethernet(0x800, ipv4(6, tcp(34567, 443, 0x02, {}))), 1, SONDE_DIRECTION_OUT);
  capture.add(ethernet(0x800, ipv4(6, tcp(443, 34567, 0x52, {}))), 1, SONDE_DIRECTION_IN);
  capture.add(ethernet(0x800, ipv4(6, tcp(34568, 80, 0x18, corpus("http/get")))), 1, SONDE_DIRECTION_OUT);
  capture.add(ethernet(0x800, ipv4(6, tcp(80, 34568, 0x18, corpus("http/ok")))), 1, SONDE_DIRECTION_IN);
  capture.add(ethernet(0x86dd, ipv6(6, tcp(40000, 8443, 0x18, corpus("tls/client_hello_13")))), 1, SONDE_DIRECTION_OUT);
  capture.add(ethernet(0x800, ipv4(6, tcp(443, 34567, 0x14, {}))), 1, SONDE_DIRECTION_IN);
  capture.add(ethernet(0x800, ipv4(6, tcp(5000, 5001, 0, Buffer(1448 * 3, 'x')))), 1, SONDE_DIRECTION_OUT, 96);
  capture.events.back().segments = 3;
}

void add_udp_and_icmp(Capture& capture) {
  const Buffer query = udp(40001, 53, corpus("dns/query_a"));
  capture.add(ethernet(0x800, ipv4(17, query)), 1, SONDE_DIRECTION_OUT);
  capture.add(ethernet(0x800, ipv4(17, udp(53, 40001, corpus("dns/response_cname_a")))), 1, SONDE_DIRECTION_IN);
  capture.add(ethernet(0x8100, hex("0064 0800") + ipv4(17, query)), 1, SONDE_DIRECTION_IN);
  capture.add(ethernet(0x88a8, hex("0065 8100 00c8 86dd") + ipv6(17, query)), 1, SONDE_DIRECTION_IN);
  capture.add(ethernet(0x800, ipv4(1, hex("0800 0000 1234 0007") + Buffer(56, 'p'))), 1, SONDE_DIRECTION_OUT);
  capture.add(ethernet(0x800, ipv4(1, hex("0303 0000 00000000") + ipv4(17, query))), 1, SONDE_DIRECTION_IN);
  capture.add(ethernet(0x86dd, ipv6(58, hex("8700 0000 00000000 20010db8000000000000000000000002"))), 1,
              SONDE_DIRECTION_OUT);
}

void add_others(Capture& capture) {
  capture.add(ethernet(0x800, ipv4(132, hex("1389 138a 00000001 00000000 00030010"))), 1, SONDE_DIRECTION_OUT);
  capture.add(ethernet(0x800, ipv4(47, hex("0000 0800 45000000"))), 1, SONDE_DIRECTION_IN);
  capture.add(ethernet(0x800, ipv4(253, Buffer(20, 1))), 1, SONDE_DIRECTION_IN);
  capture.add(ethernet(0x800, ipv4(17, Buffer(1480, 'f'), 0x2000 | 185)), 1, SONDE_DIRECTION_IN, 64);
  capture.add(ethernet(0x806, hex("0001 0800 0604 0001 020000000001 0a000001 000000000000 0a000002")), 1,
              SONDE_DIRECTION_OUT);
  capture.add(ethernet(0x88cc, hex("0207040200000000010000")), 1, SONDE_DIRECTION_IN);
  capture.add(ethernet(38, hex("4242030000000000")), 1, SONDE_DIRECTION_IN);
  capture.add(ethernet(0x800, ipv4(6, hex("1f90 0050 0000"))), 1, SONDE_DIRECTION_IN);
  capture.add(ethernet(0x800, hex("4500")), 1, SONDE_DIRECTION_IN);
  capture.add(ethernet(0x800, hex("5500") + Buffer(18, 0)), 1, SONDE_DIRECTION_IN);
  capture.add(hex("ffff"), 1, SONDE_DIRECTION_IN);
}

}  // namespace

void Capture::add(const Buffer& frame, std::uint32_t ifindex, sonde_direction direction, std::size_t captured) {
  bytes.push_back(frame);
  bytes.back().resize(std::min(captured, frame.size()));
  sonde_packet_event event{};
  parse_packet(bytes.back(), static_cast<std::uint32_t>(frame.size()), interfaces.at(ifindex).link_type, {}, event);
  event.header.ifindex = ifindex;
  event.direction = direction;
  event.captured_size = static_cast<std::uint32_t>(bytes.back().size());
  events.push_back(event);
  packets.push_back(
      {&events.back(), bytes.back().data(), first_time + 1001 * static_cast<std::int64_t>(packets.size())});
}

Buffer hex(std::string_view digits) {
  Buffer bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    if (digits[i] == ' ') ++i;
    bytes.push_back(static_cast<std::uint8_t>(hex_digit(digits[i]) << 4 | hex_digit(digits[i + 1])));
  }
  return bytes;
}

Buffer operator+(Buffer left, const Buffer& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Buffer corpus(const std::string& name) {
  const std::string text = read_file(std::string(SONDE_CORPUS) + "/" + name);
  return {text.begin(), text.end()};
}

Buffer ethernet(std::uint16_t ether_type, const Buffer& payload) {
  return hex("020000000002 020000000001") + big16(ether_type) + payload;
}

Buffer ipv4(std::uint8_t protocol, const Buffer& payload, std::uint16_t fragment) {
  const auto size = static_cast<std::uint32_t>(20 + payload.size());
  return hex("4500") + big16(size) + hex("0001") + big16(fragment) + Buffer{64, protocol, 0, 0} +
         hex("0a000001 0a000002") + payload;
}

Buffer ipv6(std::uint8_t protocol, const Buffer& payload) {
  return hex("60000000") + big16(static_cast<std::uint32_t>(payload.size())) + Buffer{protocol, 63} +
         hex("20010db8000000000000000000000001 20010db8000000000000000000000002") + payload;
}

Buffer tcp(std::uint16_t source, std::uint16_t destination, std::uint8_t flags, const Buffer& payload) {
  return big16(source) + big16(destination) + hex("00003039 00010000") + Buffer{0x50, flags} + hex("faf0 0000 0000") +
         payload;
}

Buffer udp(std::uint16_t source, std::uint16_t destination, const Buffer& payload) {
  return big16(source) + big16(destination) + big16(static_cast<std::uint32_t>(8 + payload.size())) + hex("0000") +
         payload;
}

Capture ethernet_samples() {
  Capture capture;
  capture.interfaces[1] = {"eth0", LinkType::ethernet};
  add_tcp(capture);
  add_udp_and_icmp(capture);
  add_others(capture);
  return capture;
}

Capture all_samples() {
  Capture capture = ethernet_samples();
  capture.interfaces[2] = {"wg0", LinkType::raw_ip};
  capture.add(ipv4(6, tcp(22, 50000, 0x10, {})), 2, SONDE_DIRECTION_OUT);
  capture.add(ipv6(17, udp(5353, 5353, corpus("dns/mdns"))), 2, SONDE_DIRECTION_IN);
  return capture;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("no file " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const Capture& capture, const MakeSink& make, const std::string& path,
                const pipeline::Summary& summary) {
  Result<exporter::Output> output = exporter::open_output(path);
  if (!output) throw std::runtime_error(output.error().text());
  const auto sink = make(std::move(*output));
  const Result<void> written = sink->write(capture.packets, capture.interfaces);
  if (!written) throw std::runtime_error(written.error().text());
  if (Result<void> finished = sink->finish(summary); !finished) throw std::runtime_error(finished.error().text());
  if (sink->written() != capture.packets.size()) throw std::runtime_error("written() is not the number of packets");
}

std::string output_of(const Capture& capture, const MakeSink& make, const pipeline::Summary& summary) {
  const TemporaryFile file(".out");
  write_file(capture, make, file.path(), summary);
  return read_file(file.path());
}

}  // namespace sonde::test
