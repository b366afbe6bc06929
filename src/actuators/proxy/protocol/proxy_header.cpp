// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/protocol/proxy_header.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <boost/crc.hpp>
#include <charconv>
#include <string>
#include <string_view>

#include "decode/bytes.hpp"

namespace sonde::proxy {
namespace {

using decode::Bytes;
using decode::Reader;

constexpr std::string_view signature_1 = "PROXY ";
constexpr std::size_t most_of_version_1 = 107;  // with CR LF
constexpr std::array<std::uint8_t, 12> signature_2 = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr std::size_t header_2 = 16;
constexpr std::uint8_t command_local = 0x20;
constexpr std::uint8_t command_proxy = 0x21;
constexpr std::uint8_t tlv_crc32c = 0x03;

constexpr ProxyHeader malformed{.state = ProxyHeaderState::malformed};

bool is_beginning(Bytes bytes, Bytes signature) {
  const std::size_t size = std::min(bytes.size(), signature.size());
  return std::ranges::equal(bytes.first(size), signature.first(size));
}

// ---- version 1

// The next word of the line; words are parted by one space.
std::string_view take_word(std::string_view& line) {
  const std::size_t end = line.find(' ');
  const std::string_view word = line.substr(0, end);
  line = end == std::string_view::npos ? std::string_view() : line.substr(end + 1);
  return word;
}

bool read_port(std::string_view word, std::uint16_t& port) {
  if (word.empty() || (word.size() > 1 && word[0] == '0')) return false;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), port);
  return error == std::errc() && end == word.data() + word.size();
}

bool read_address(std::string_view word, int family, Endpoint& endpoint) {
  const std::string text(word);
  if (text.size() != word.size() || text.find('\0') != std::string::npos) return false;
  if (family == AF_INET6) return ::inet_pton(AF_INET6, text.c_str(), endpoint.address.data()) == 1;
  endpoint.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return ::inet_pton(AF_INET, text.c_str(), &endpoint.address[12]) == 1;
}

ProxyHeader read_line(std::string_view line, std::size_t size) {
  const std::string_view family = take_word(line);
  ProxyHeader header{.state = ProxyHeaderState::complete, .size = size};
  if (family == "UNKNOWN") return header;  // what follows is not to be looked at
  if (family != "TCP4" && family != "TCP6") return malformed;
  const int number = family == "TCP4" ? AF_INET : AF_INET6;
  Endpoint source;
  Endpoint destination;
  if (std::ranges::count(line, ' ') != 3) return malformed;
  const bool sound = read_address(take_word(line), number, source) &&
                     read_address(take_word(line), number, destination) && read_port(take_word(line), source.port) &&
                     read_port(take_word(line), destination.port);
  if (!sound) return malformed;
  header.source = source;
  header.destination = destination;
  return header;
}

ProxyHeader read_version_1(Bytes bytes) {
  const std::string_view text = decode::as_text(bytes.first(std::min(bytes.size(), most_of_version_1)));
  const std::size_t end = text.find("\r\n");
  if (end != std::string_view::npos) {
    return read_line(text.substr(signature_1.size(), end - signature_1.size()), end + 2);
  }
  // A line that ends in LF alone never becomes one that ends in CR LF.
  if (text.size() == most_of_version_1 || text.find('\n') != std::string_view::npos) return malformed;
  return {};
}

// ---- version 2

// Of the header with the checksum's four bytes as zeros.
std::uint32_t checksum(Bytes header, std::size_t checksum_at) {
  boost::crc_optimal<32, 0x1edc6f41, 0xffffffff, 0xffffffff, true, true> crc;
  constexpr std::array<std::uint8_t, 4> zeros{};
  crc.process_bytes(header.data(), checksum_at);
  crc.process_bytes(zeros.data(), zeros.size());
  const Bytes rest = header.subspan(checksum_at + zeros.size());
  crc.process_bytes(rest.data(), rest.size());
  return crc.checksum();
}

// Type, length and value, one after the other; none is needed but the checksum.
bool check_extensions(Bytes header, std::size_t at) {
  Reader reader(header.subspan(at));
  while (reader.size() > 0) {
    const std::uint8_t type = reader.u8();
    const Bytes value = reader.take(reader.u16());
    if (!reader.ok()) return false;
    if (type != tlv_crc32c) continue;
    if (value.size() != 4) return false;
    Reader number(value);
    if (number.u32() != checksum(header, static_cast<std::size_t>(value.data() - header.data()))) return false;
  }
  return true;
}

struct Family {
  std::size_t address;   ///< bytes of one
  std::size_t block;     ///< bytes of both and their ports
  std::uint8_t code;     ///< address family and protocol
  bool of_a_connection;  ///< otherwise the socket's own addresses hold
};
constexpr Family families[] = {
    {4, 12, 0x11, true},     {4, 12, 0x12, false},     // TCP and UDP over IPv4
    {16, 36, 0x21, true},    {16, 36, 0x22, false},    // over IPv6
    {108, 216, 0x31, false}, {108, 216, 0x32, false},  // AF_UNIX
};

const Family* find_family(std::uint8_t code) {
  const auto* found = std::ranges::find(families, code, &Family::code);
  return found == std::end(families) ? nullptr : found;
}

Endpoint make_endpoint(Bytes address, std::uint16_t port) {
  Endpoint endpoint{.port = port};
  if (address.size() == 4) endpoint.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::ranges::copy(address, endpoint.address.end() - static_cast<std::ptrdiff_t>(address.size()));
  return endpoint;
}

// `header` holds the addresses at least.
ProxyHeader read_block(Bytes header, const Family& family) {
  if (!check_extensions(header, header_2 + family.block)) return malformed;
  ProxyHeader result{.state = ProxyHeaderState::complete, .size = header.size()};
  if (!family.of_a_connection) return result;
  Reader reader(header.subspan(header_2));
  const Bytes source = reader.take(family.address);
  const Bytes destination = reader.take(family.address);
  const std::uint16_t source_port = reader.u16();
  result.source = make_endpoint(source, source_port);
  result.destination = make_endpoint(destination, reader.u16());
  return result;
}

ProxyHeader read_version_2(Bytes bytes) {
  const bool has_command = bytes.size() > signature_2.size();
  if (has_command && bytes[12] != command_local && bytes[12] != command_proxy) return malformed;
  if (bytes.size() < header_2) return {};
  const std::size_t size = header_2 + (std::size_t{bytes[14]} << 8 | bytes[15]);
  const bool no_addresses = bytes[12] == command_local || bytes[13] == 0;  // the block is not to be looked at
  const Family* family = no_addresses ? nullptr : find_family(bytes[13]);
  if (!no_addresses && (!family || size < header_2 + family->block)) return malformed;
  if (bytes.size() < size) return {};
  if (no_addresses) return {.state = ProxyHeaderState::complete, .size = size};
  return read_block(bytes.first(size), *family);
}

// ---- writing

void append_address(std::vector<std::uint8_t>& out, const Endpoint& endpoint, bool ipv4) {
  out.insert(out.end(), endpoint.address.begin() + (ipv4 ? 12 : 0), endpoint.address.end());
}

void append_port(std::vector<std::uint8_t>& out, std::uint16_t port) {
  out.push_back(static_cast<std::uint8_t>(port >> 8));
  out.push_back(static_cast<std::uint8_t>(port));
}

std::string address_text(const Endpoint& endpoint, bool ipv4) {
  char text[INET6_ADDRSTRLEN];
  return ::inet_ntop(ipv4 ? AF_INET : AF_INET6, &endpoint.address[ipv4 ? 12 : 0], text, sizeof(text));
}

std::vector<std::uint8_t> write_version_1(const Endpoint& source, const Endpoint& destination, bool ipv4) {
  const std::string line = std::string(signature_1) + (ipv4 ? "TCP4 " : "TCP6 ") + address_text(source, ipv4) + ' ' +
                           address_text(destination, ipv4) + ' ' + std::to_string(source.port) + ' ' +
                           std::to_string(destination.port) + "\r\n";
  return {line.begin(), line.end()};
}

std::vector<std::uint8_t> write_version_2(const Endpoint& source, const Endpoint& destination, bool ipv4) {
  const Family& family = *find_family(ipv4 ? 0x11 : 0x21);
  std::vector<std::uint8_t> out(signature_2.begin(), signature_2.end());
  out.push_back(command_proxy);
  out.push_back(family.code);
  append_port(out, static_cast<std::uint16_t>(family.block));
  append_address(out, source, ipv4);
  append_address(out, destination, ipv4);
  append_port(out, source.port);
  append_port(out, destination.port);
  return out;
}

}  // namespace

ProxyHeader read_proxy_header(std::span<const std::uint8_t> bytes) {
  if (is_beginning(bytes, signature_2)) return read_version_2(bytes);
  const Bytes word(reinterpret_cast<const std::uint8_t*>(signature_1.data()), signature_1.size());
  if (!is_beginning(bytes, word)) return malformed;
  return bytes.size() < word.size() ? ProxyHeader{} : read_version_1(bytes);
}

std::vector<std::uint8_t> write_proxy_header(ProxyProtocolOut version, const Endpoint& source,
                                             const Endpoint& destination) {
  const bool ipv4 = source.is_ipv4() && destination.is_ipv4();
  if (version == ProxyProtocolOut::off) return {};
  return version == ProxyProtocolOut::v1 ? write_version_1(source, destination, ipv4)
                                         : write_version_2(source, destination, ipv4);
}

}  // namespace sonde::proxy
