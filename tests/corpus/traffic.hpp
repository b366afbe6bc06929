// SPDX-License-Identifier: Apache-2.0
// Packets of a scene, with what detectors need to know of each. Written to a pcap file (pcap.hpp) they are packets for
// everybody else.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "detect/address.hpp"
#include "random.hpp"
#include "sonde/endpoint.hpp"
#include "sonde/owner.hpp"

namespace sonde::corpus {

using detect::Address;

inline constexpr std::uint8_t FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32;
/// 2026-01-01 00:00:00 UTC: scenes begin here, at second 0.
inline constexpr std::int64_t epoch_ns = 1'767'225'600'000'000'000;

struct Packet {
  std::int64_t wall_ns = 0;
  std::uint8_t protocol = 0;  ///< IP protocol; 0: ARP
  std::uint8_t flags = 0;     ///< TCP
  std::uint8_t hop_limit = 64;
  bool echo_reply = false;  ///< ICMP
  bool quotes = false;      ///< ICMP error: source and destination are those of the quoted packet, see `reporter`
  bool later_fragment = false;
  Endpoint source;
  Endpoint destination;
  std::uint32_t bytes = 60;
  std::uint32_t count = 1;  ///< so many of them at this time
  std::int32_t extra = -1;  ///< index into Traffic::dns or Traffic::arps
  std::int32_t owner = -1;  ///< index into Traffic::owners: of the local endpoint
  std::uint8_t quoted_protocol = 0;
  Address reporter{};  ///< of an ICMP error
};

struct Dns {
  std::string name;
  std::uint16_t type = 1;
  bool response = false;
  std::uint8_t response_code = 0;
};

struct Arp {
  bool reply = false;
  std::array<std::uint8_t, 6> sender_mac{};
  std::array<std::uint8_t, 6> frame_source{};
  Address sender{};
  Address target{};
};

[[nodiscard]] Address ipv4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d);
[[nodiscard]] Address ipv4(std::uint32_t address);

/// How a TCP connection goes.
struct Tcp {
  double rtt = 0.02;       ///< seconds
  std::uint32_t up = 500;  ///< bytes of payload
  std::uint32_t down = 5000;
  double lasts = 0.2;       ///< seconds from the handshake to the end
  bool half_close = false;  ///< ends by RST of the client
};

class Traffic {
 public:
  explicit Traffic(std::uint64_t seed) : random(seed) {}

  Random random;
  std::vector<Packet> packets;  ///< in any order until sort()
  std::vector<Dns> dns;
  std::vector<Arp> arps;
  std::vector<Address> locals;               ///< addresses of the host that looks
  std::map<Address, std::string> countries;  ///< where known
  std::vector<std::shared_ptr<const SocketOwner>> owners;
  /// Of the packets that are made below.
  std::shared_ptr<const SocketOwner> owner;

  Packet& add(double second, std::uint8_t protocol, const Endpoint& source, const Endpoint& destination,
              std::uint32_t bytes, std::uint8_t flags = 0, std::uint32_t count = 1);
  /// An ephemeral port of a client: counts up, as kernels do in effect.
  std::uint16_t ephemeral();

  void connection(double second, const Endpoint& client, const Endpoint& server, const Tcp& how = {});
  /// RST from the server.
  void refused(double second, const Endpoint& client, const Endpoint& server, double rtt = 0.01);
  /// SYNs at 0, 1, 3, 7 s.
  void unanswered(double second, const Endpoint& client, const Endpoint& server, int tries = 3);
  /// A datagram and its answer.
  void exchange(double second, const Endpoint& client, const Endpoint& server, std::uint32_t up = 80,
                std::uint32_t down = 200, double rtt = 0.02);
  void datagram(double second, const Endpoint& source, const Endpoint& destination, std::uint32_t bytes = 100,
                std::uint32_t count = 1);
  /// ICMP: destination unreachable or time exceeded from `reporter` about a packet from source to destination.
  void unreachable(double second, std::uint8_t protocol, const Endpoint& source, const Endpoint& destination,
                   const Address& reporter);
  void query(double second, const Endpoint& client, const Endpoint& server, const std::string& name,
             std::uint16_t type = 1, std::uint32_t answer_bytes = 120, double rtt = 0.02, bool answered = true,
             std::uint8_t response_code = 0);
  void arp(double second, const Arp& what);

  void sort();
  /// All of another, with its own times.
  void merge(Traffic&& other);
  [[nodiscard]] static std::int64_t at(double second) { return epoch_ns + static_cast<std::int64_t>(second * 1e9); }

 private:
  std::uint32_t next_port_ = 0;
};

}  // namespace sonde::corpus
