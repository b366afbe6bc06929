// SPDX-License-Identifier: Apache-2.0
#include "filter_model.hpp"

#include <algorithm>
#include <set>

namespace sonde::test {
namespace {

// Bytes that are read one after the other; `good` is false once there were too few.
struct Reader {
  const Bytes& bytes;
  std::size_t at = 0;
  std::size_t end = bytes.size();
  bool good = true;

  bool has(std::size_t count) {
    good = good && at + count <= end;
    return good;
  }
  std::uint16_t word(std::size_t offset) const {
    return static_cast<std::uint16_t>(bytes[at + offset] << 8 | bytes[at + offset + 1]);
  }
};

Endpoint address_at(const Bytes& bytes, std::size_t at, bool ipv4) {
  Endpoint endpoint;
  if (ipv4) endpoint.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const std::size_t size = ipv4 ? 4 : 16;
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), size,
              endpoint.address.begin() + static_cast<std::ptrdiff_t>(16 - size));
  return endpoint;
}

void end_at(Reader& in, std::size_t end, bool stated) {
  if (stated) in.end = std::min(in.end, end);
}

// Behind the header; nothing if the packet is not for us.
bool walk_ipv4(Reader& in, Segment& segment) {
  if (!in.has(20) || in.bytes[in.at] >> 4 != 4) return false;
  const std::size_t size = (in.bytes[in.at] & 15U) * 4;
  const bool fragment = (in.word(6) & 0x3fff) != 0;
  if (size < 20 || fragment || in.bytes[in.at + 9] != 6) return false;
  segment = {address_at(in.bytes, in.at + 12, true), address_at(in.bytes, in.at + 16, true)};
  end_at(in, in.at + in.word(2), in.word(2) != 0);
  in.at += size;
  return in.at <= in.end;
}

bool walk_ipv6(Reader& in, Segment& segment) {
  if (!in.has(40) || in.bytes[in.at] >> 4 != 6) return false;
  segment = {address_at(in.bytes, in.at + 8, false), address_at(in.bytes, in.at + 24, false)};
  std::uint8_t next = in.bytes[in.at + 6];
  end_at(in, in.at + 40 + in.word(4), in.word(4) != 0);
  in.at += 40;
  const std::set<int> eights{0, 43, 60, 135, 139, 140};  // hop-by-hop, routing, destination, mobility, HIP, shim6
  while (next != 6) {
    const bool fragment = next == 44, authentication = next == 51;
    if (!fragment && !authentication && !eights.contains(next)) return false;
    if (!in.has(8)) return false;
    const std::size_t length = in.bytes[in.at + 1];
    if (fragment && (in.word(2) & 0xfff9) != 0) return false;
    next = in.bytes[in.at];
    const std::size_t size = fragment ? 8 : authentication ? (length + 2) * 4 : (length + 1) * 8;
    if (!in.has(size)) return false;
    in.at += size;
  }
  return true;
}

bool covers(const GuardNetwork& network, const Endpoint& address) {
  const bool ipv4_network = network.length >= 96 && Endpoint{network.address, 0}.is_ipv4();
  if (network.length == 0) return true;
  if (ipv4_network != address.is_ipv4()) return false;
  for (unsigned bit = 0; bit < network.length; ++bit) {
    const unsigned mask = 0x80U >> bit % 8;
    if ((network.address[bit / 8] & mask) != (address.address[bit / 8] & mask)) return false;
  }
  return true;
}

bool listens(const Endpoint& listener, const Endpoint& destination) {
  if (listener.port != destination.port || listener.is_ipv4() != destination.is_ipv4()) return false;
  return listener.address == destination.address || listener.address_text() == "0.0.0.0" ||
         listener.address_text() == "::";
}

}  // namespace

std::optional<Segment> read_segment(const Bytes& frame) {
  Reader in{frame};
  if (!in.has(14)) return {};
  std::uint16_t type = in.word(12);
  in.at = 14;
  for (int tags = 0; tags < 2 && (type == 0x8100 || type == 0x88a8); ++tags) {
    if (!in.has(4)) return {};
    type = in.word(2);
    in.at += 4;
  }
  Segment segment;
  if (type != ether_ipv4 && type != ether_ipv6) return {};
  if (!(type == ether_ipv4 ? walk_ipv4(in, segment) : walk_ipv6(in, segment)) || !in.has(4)) return {};
  segment.source.port = in.word(0);
  segment.destination.port = in.word(2);
  return segment;
}

Judged judge(const Bytes& frame, const std::vector<Endpoint>& listeners, const std::vector<GuardNetwork>& clients) {
  const auto segment = read_segment(frame);
  if (!segment) return Judged::others;
  const auto ours = [&](const Endpoint& listener) { return listens(listener, segment->destination); };
  if (std::ranges::none_of(listeners, ours)) return Judged::others;
  const auto allowed = [&](const GuardNetwork& network) { return covers(network, segment->source); };
  return clients.empty() || std::ranges::any_of(clients, allowed) ? Judged::passed : Judged::dropped;
}

}  // namespace sonde::test
