// SPDX-License-Identifier: Apache-2.0
#include "proxy/client_hello.hpp"

#include <initializer_list>

namespace sonde::bench {
namespace {

constexpr std::size_t record_header = 5;
constexpr std::size_t padded_length = 512;  // of the handshake message (RFC 7685, 4)

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

// A vector: its length in so many bytes, then its content.
void put_vector(std::string& out, std::string_view content, int length_bytes) {
  put(out, content.size(), length_bytes);
  out += content;
}

std::string list_of(std::initializer_list<std::uint16_t> values) {
  std::string out;
  for (const std::uint16_t value : values) put(out, value, 2);
  return out;
}

void put_extension(std::string& out, std::uint16_t type, std::string_view content) {
  put(out, type, 2);
  put_vector(out, content, 2);
}

std::string within(std::string_view content, int length_bytes) {
  std::string out;
  put_vector(out, content, length_bytes);
  return out;
}

std::string extensions(std::string_view server_name) {
  std::string out, entry;
  put(entry, 0, 1);  // host_name
  put_vector(entry, server_name, 2);
  put_extension(out, 0, within(entry, 2));                                                 // server_name
  put_extension(out, 10, within(list_of({0x001d, 0x0017}), 2));                            // supported_groups
  put_extension(out, 13, within(list_of({0x0403, 0x0804, 0x0401}), 2));                    // signature_algorithms
  put_extension(out, 16, within(within("h2", 1) + within("http/1.1", 1), 2));              // ALPN
  put_extension(out, 43, within(list_of({0x0304, 0x0303}), 1));                            // supported_versions
  put_extension(out, 51, within(list_of({0x001d}) + within(std::string(32, 'k'), 2), 2));  // key_share: x25519
  return out;
}

}  // namespace

std::string client_hello(std::string_view server_name) {
  std::string hello = list_of({0x0303});                                    // legacy_version
  hello += std::string(32, 'r');                                            // random
  put_vector(hello, std::string(32, 's'), 1);                               // legacy_session_id
  put_vector(hello, list_of({0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f}), 2);  // cipher_suites
  put_vector(hello, std::string(1, '\0'), 1);                               // legacy_compression_methods
  std::string tail = extensions(server_name);
  const std::size_t length = 4 + hello.size() + 2 + tail.size();
  if (length + 4 < padded_length) put_extension(tail, 21, std::string(padded_length - length - 4, '\0'));
  put_vector(hello, tail, 2);

  std::string message(1, '\x01');  // client_hello
  put_vector(message, hello, 3);
  std::string record("\x16\x03\x01", 3);
  put_vector(record, message, 2);
  return record;
}

std::size_t record_length(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < record_header) return 0;
  return record_header + (static_cast<std::size_t>(bytes[3]) << 8 | bytes[4]);
}

}  // namespace sonde::bench
