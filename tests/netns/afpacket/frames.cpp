// SPDX-License-Identifier: Apache-2.0
#include "frames.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <vector>

namespace sonde::test {
namespace {

void put16(std::string& bytes, std::size_t value) {
  bytes += static_cast<char>(value >> 8);
  bytes += static_cast<char>(value);
}

class Sender {
 public:
  explicit Sender(const std::string& interface) : fd_(::socket(AF_PACKET, SOCK_RAW, 0)) {
    address_.sll_family = AF_PACKET;
    address_.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    if (!fd_ || address_.sll_ifindex == 0) throw std::runtime_error("cannot send on " + interface);
  }

  // All frames arrive at the other end's queue: a full one is waited for.
  void send(const std::string& frame) {
    const auto* to = reinterpret_cast<const sockaddr*>(&address_);
    while (::sendto(fd_.get(), frame.data(), frame.size(), 0, to, sizeof(address_)) < 0) {
      if (errno != ENOBUFS && errno != EAGAIN) throw std::runtime_error("cannot send a frame");
    }
  }

 private:
  Fd fd_;
  sockaddr_ll address_{};
};

}  // namespace

std::string udp_frame(std::uint16_t port, std::size_t payload, const std::string& tags) {
  std::string frame("\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x01", 12);
  for (std::size_t i = 0; i + 4 <= tags.size(); i += 4) put16(frame, std::stoul(tags.substr(i, 4), nullptr, 16));
  put16(frame, 0x0800);
  frame += std::string("\x45\0", 2);
  put16(frame, 28 + payload);
  frame += std::string("\0\0\0\0\x40\x11\0\0\x0a\0\0\x01\x0a\0\0\x02", 16);
  put16(frame, port);
  put16(frame, 53);
  put16(frame, 8 + payload);
  put16(frame, 0);
  return frame + std::string(payload, 'x');
}

void send_udp(const NetworkNamespace& where, const std::string& interface, std::uint16_t port, std::size_t count,
              std::size_t payload) {
  where.call([&] {
    Sender sender(interface);
    for (std::size_t i = 0; i < count; ++i) sender.send(udp_frame(static_cast<std::uint16_t>(port + i), payload));
  });
}

void send_frame(const NetworkNamespace& where, const std::string& interface, const std::string& frame) {
  where.call([&] { Sender(interface).send(frame); });
}

Joined::Joined() {
  add_veth(left, "veth0", right, "veth1");
  left.run("ip addr add 10.9.0.1/24 dev veth0");
  right.run("ip addr add 10.9.0.2/24 dev veth1");
}

namespace {

Result<std::unique_ptr<pipeline::Source>> try_open(const NetworkNamespace& where, afpacket::AfPacketOptions options,
                                                   const FilterOptions& filter) {
  auto compiled = filter::compile(filter);
  if (!compiled) return std::unexpected(compiled.error());
  options.filter = *compiled;
  Result<std::unique_ptr<pipeline::Source>> source;
  where.call([&] { source = afpacket::open_afpacket(std::move(options)); });
  return source;
}

}  // namespace

std::unique_ptr<pipeline::Source> open_in(const NetworkNamespace& where, afpacket::AfPacketOptions options,
                                          const FilterOptions& filter) {
  auto source = try_open(where, std::move(options), filter);
  if (!source) throw std::runtime_error(source.error().text());
  return std::move(*source);
}

Error open_error(const NetworkNamespace& where, afpacket::AfPacketOptions options) {
  auto source = try_open(where, std::move(options), {});
  return source ? Error{} : source.error();
}

afpacket::AfPacketOptions options_for(const std::string& interface, unsigned workers) {
  return {.interfaces = {interface}, .filter = {}, .snaplen = 65'535, .workers = workers};
}

}  // namespace sonde::test
