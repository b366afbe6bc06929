// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/server/wire_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>

#include "base/wall_clock.hpp"

namespace sonde::proxy {
namespace {

constexpr std::uint8_t version = 1;
constexpr std::size_t most_bytes = 640;

// How an endpoint is written: it follows from another, or in 6, 18 or no bytes.
enum class EndpointForm : std::uint8_t { same, ipv4, ipv6, none };

constexpr std::size_t mapped_prefix = 12;  // of ::ffff:a.b.c.d

class Writer {
 public:
  void byte(std::uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
  // 7 bits a byte, the lowest first; the highest bit says that more follow.
  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) byte(static_cast<std::uint8_t>(value | 0x80));
    byte(static_cast<std::uint8_t>(value));
  }
  void duration(std::chrono::nanoseconds value) {
    number(value.count() > 0 ? static_cast<std::uint64_t>(value.count()) : 0);
  }
  void text(std::string_view value) {
    number(value.size());
    bytes_ += value;
  }
  void endpoint(const Endpoint& value, const Endpoint& reference) {
    if (value == reference) return byte(static_cast<std::uint8_t>(EndpointForm::same));
    if (value == Endpoint{}) return byte(static_cast<std::uint8_t>(EndpointForm::none));
    byte(static_cast<std::uint8_t>(value.is_ipv4() ? EndpointForm::ipv4 : EndpointForm::ipv6));
    const auto skipped = value.is_ipv4() ? mapped_prefix : 0;
    bytes_.append(reinterpret_cast<const char*>(value.address.data()) + skipped, value.address.size() - skipped);
    byte(static_cast<std::uint8_t>(value.port >> 8));
    byte(static_cast<std::uint8_t>(value.port));
  }
  [[nodiscard]] std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Past the end, or where something else stands than expected, it gives nothing and is bad from there on.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t byte() {
    const auto one = raw(1);
    return one.empty() ? 0 : static_cast<std::uint8_t>(one[0]);
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto part = byte();
      value |= static_cast<std::uint64_t>(part & 0x7f) << shift;
      if ((part & 0x80) == 0) return value;
    }
    good_ = false;
    return 0;
  }
  std::chrono::nanoseconds duration() { return std::chrono::nanoseconds(static_cast<std::int64_t>(number())); }
  std::string text() { return std::string(raw(number())); }
  Endpoint endpoint(const Endpoint& reference) {
    const auto form = static_cast<EndpointForm>(byte());
    if (form == EndpointForm::same) return reference;
    Endpoint value;
    if (form == EndpointForm::none) return value;
    const auto skipped = form == EndpointForm::ipv4 ? mapped_prefix : 0;
    if (form == EndpointForm::ipv4) value.address[10] = value.address[11] = 0xff;
    const auto address = raw(value.address.size() - skipped);
    if (form > EndpointForm::ipv6) good_ = false;
    if (good_) std::memcpy(value.address.data() + skipped, address.data(), address.size());
    value.port = static_cast<std::uint16_t>(byte() << 8);
    value.port = static_cast<std::uint16_t>(value.port | byte());
    return value;
  }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  std::string_view raw(std::uint64_t size) {
    if (!good_ || size > rest_.size()) {
      good_ = false;
      return {};
    }
    const auto part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return part;
  }

  std::string_view rest_;
  bool good_ = true;
};

// The port of "NAME:PORT" if NAME is the server's; 0: it is not so.
std::uint16_t port_behind(std::string_view name, std::string_view upstream) {
  if (name.empty() || upstream.size() < name.size() + 2 || !upstream.starts_with(name) || upstream[name.size()] != ':')
    return 0;
  std::uint16_t port = 0;
  const char* const end = upstream.data() + upstream.size();
  const auto parsed = std::from_chars(upstream.data() + name.size() + 1, end, port);
  const bool is_it = parsed.ec == std::errc{} && parsed.ptr == end && upstream == fmt::format("{}:{}", name, port);
  return is_it ? port : 0;
}

std::string write(const ConnectionRecord& record, const WireEnds& ends) {
  Writer writer;
  writer.byte(version);
  writer.number(static_cast<std::uint64_t>(record.accepted_wall_ns));
  writer.endpoint(record.peer, ends.client);
  writer.endpoint(record.client, record.peer);
  writer.endpoint(record.listener, ends.proxy_to_client);
  writer.endpoint(record.upstream_address, ends.upstream);
  for (const auto& text : {record.server_name, record.alpn, record.ja4, record.route, record.detail}) writer.text(text);
  const auto port = port_behind(record.server_name, record.upstream);
  writer.number(port);
  if (port == 0) writer.text(record.upstream);
  for (const auto value : {record.bytes_received, record.bytes_sent, record.bytes_by_kernel}) writer.number(value);
  for (const auto value : {record.hello, record.resolved, record.connected, record.total}) writer.duration(value);
  return writer.take();
}

}  // namespace

std::string write_wire_record(const ConnectionRecord& record, const WireEnds& ends) {
  auto bytes = write(record, ends);
  if (bytes.size() <= most_bytes) return bytes;
  auto shorter = record;
  const std::array<std::string*, 6> texts{&shorter.server_name, &shorter.alpn,     &shorter.ja4,
                                          &shorter.route,       &shorter.upstream, &shorter.detail};
  for (; bytes.size() > most_bytes; bytes = write(shorter, ends)) {
    auto& longest = **std::ranges::max_element(texts, {}, [](const std::string* text) { return text->size(); });
    longest.resize(longest.size() - std::min(longest.size(), std::max<std::size_t>(1, bytes.size() - most_bytes)));
  }
  return bytes;
}

Result<ConnectionRecord> read_wire_record(std::string_view bytes, const WireEnds& ends) {
  Reader reader(bytes);
  if (const auto made_by = reader.byte(); made_by != version)
    return fail(ErrorKind::failed,
                bytes.empty() ? "the connection has no record" : fmt::format("its record is of version {}", made_by));
  ConnectionRecord record;
  record.accepted_wall_ns = static_cast<std::int64_t>(reader.number());
  record.peer = reader.endpoint(ends.client);
  record.client = reader.endpoint(record.peer);
  record.listener = reader.endpoint(ends.proxy_to_client);
  record.upstream_address = reader.endpoint(ends.upstream);
  for (auto* const text : {&record.server_name, &record.alpn, &record.ja4, &record.route, &record.detail})
    *text = reader.text();
  const auto port = reader.number();
  record.upstream = port != 0 ? fmt::format("{}:{}", record.server_name, port) : reader.text();
  for (auto* const value : {&record.bytes_received, &record.bytes_sent, &record.bytes_by_kernel})
    *value = reader.number();
  for (auto* const value : {&record.hello, &record.resolved, &record.connected, &record.total})
    *value = reader.duration();
  if (!reader.good() || !reader.at_end()) return fail(ErrorKind::failed, "its record is damaged");
  return record;
}

ConnectionRecord finished_record(const WireEnd& end) {
  ConnectionRecord record;
  if (auto read = read_wire_record(end.record, end.ends)) {
    record = std::move(*read);
  } else {
    record.accepted_wall_ns = wall_now_ns() - end.since_joined.count();
    record.client = record.peer = end.ends.client;
    record.listener = end.ends.proxy_to_client;
    record.upstream_address = end.ends.upstream;
    record.detail = read.error().text() + ": time, duration and bytes are those on the wire";
  }
  record.path = ProxyForwarding::wire;
  record.bytes_received += end.bytes_received;
  record.bytes_sent += end.bytes_sent;
  record.bytes_by_kernel += end.bytes_received + end.bytes_sent;
  record.total += end.since_joined;
  record.end = wire_end_reason_name(end.reason);
  return record;
}

}  // namespace sonde::proxy
