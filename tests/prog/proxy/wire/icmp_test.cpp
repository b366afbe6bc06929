// SPDX-License-Identifier: Apache-2.0
// ICMP errors about packets that forward_packet rewrote, and those that it sends itself, against packets built by hand.
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>

#include <array>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <tuple>

#include "actuators/proxy/wire/wire.abi.h"
#include "harness/packet_builder.hpp"
#include "kernel/object.hpp"

extern "C" {
extern const std::uint8_t sonde_proxy_wire_bpf_object[];
extern const std::uint8_t sonde_proxy_wire_bpf_object_end[];
}

namespace sonde::test {
namespace {

constexpr int to_the_stack = -1;
constexpr int redirected = 7;
constexpr std::uint32_t index_of_it = 5;

using Address = std::array<std::uint8_t, 16>;

struct Party {
  Address address{};
  std::uint16_t port = 0;
  [[nodiscard]] bool is_ipv6() const { return address[0] == 0x20; }
};

Party party(bool ipv6, std::uint8_t network, std::uint8_t host, std::uint16_t port) {
  if (ipv6) return {{0x20, 1, 0xd, 0xb8, 0, network, 0, 0, 0, 0, 0, 0, 0, 0, 0, host}, port};
  return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, network, 0, host}, port};
}

void put(Bytes& bytes, std::uint32_t value, std::size_t size) {
  for (std::size_t i = size; i-- > 0;) bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

std::uint16_t checksum(const Bytes& bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += static_cast<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

void patch(Bytes& bytes, std::size_t offset, std::uint16_t value) {
  bytes.at(offset) = static_cast<std::uint8_t>(value >> 8);
  bytes.at(offset + 1) = static_cast<std::uint8_t>(value);
}

// As the program writes headers: no options, do not fragment, 64 hops. `payload`: bytes behind it, on the wire.
Bytes ip_header(const Party& from, const Party& to, std::uint8_t protocol, std::size_t payload) {
  Bytes bytes;
  if (from.is_ipv6()) {
    bytes = {0x60, 0, 0, 0};
    put(bytes, static_cast<std::uint32_t>(payload), 2);
    bytes.insert(bytes.end(), {protocol, 64});
    bytes.insert(bytes.end(), from.address.begin(), from.address.end());
    bytes.insert(bytes.end(), to.address.begin(), to.address.end());
    return bytes;
  }
  bytes = {0x45, 0};
  put(bytes, static_cast<std::uint32_t>(payload + 20), 2);
  bytes.insert(bytes.end(), {0, 0, 0x40, 0, 64, protocol, 0, 0});
  bytes.insert(bytes.end(), from.address.begin() + 12, from.address.end());
  bytes.insert(bytes.end(), to.address.begin() + 12, to.address.end());
  patch(bytes, 10, checksum(bytes));
  return bytes;
}

struct Message {
  std::uint8_t type = 3;
  std::uint8_t code = 4;
  std::uint32_t rest = 1400;
  bool operator==(const Message&) const = default;
};

Bytes icmp_packet(const Party& from, const Party& to, const Message& message, const Bytes& about) {
  Bytes icmp{message.type, message.code, 0, 0};
  put(icmp, message.rest, 4);
  icmp = icmp + about;
  std::uint32_t pseudo = 0;
  if (from.is_ipv6()) {
    pseudo = static_cast<std::uint32_t>(icmp.size()) + 58;
    for (const auto* each : {&from, &to})
      for (std::size_t i = 0; i < 16; i += 2)
        pseudo += static_cast<std::uint32_t>(each->address[i] << 8 | each->address[i + 1]);
  }
  patch(icmp, 2, checksum(icmp, pseudo));
  return ip_header(from, to, from.is_ipv6() ? 58 : 1, icmp.size()) + icmp;
}

Bytes tcp_header(const Party& from, const Party& to, std::uint32_t sequence, std::uint32_t acknowledgement) {
  return tcp({.source_port = from.port,
              .destination_port = to.port,
              .sequence = sequence,
              .acknowledgment = acknowledgement,
              .options = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}},
             counting(1200));
}

// For this host: BPF_PROG_TEST_RUN receives by loopback, whose address is zero.
Bytes frame_of(const Bytes& packet) {
  auto frame = ethernet({.type = packet[0] >> 4 == 6 ? ether_ipv6 : ether_ipv4}, packet);
  std::fill_n(frame.begin(), 6, 0);
  return frame;
}

sonde_wire_flow flow_of(const Party& from, const Party& to) {
  sonde_wire_flow flow{};
  std::memcpy(flow.source, from.address.data(), 16);
  std::memcpy(flow.destination, to.address.data(), 16);
  flow.source_port = __builtin_bswap16(from.port);
  flow.destination_port = __builtin_bswap16(to.port);
  return flow;
}

// Loading it takes most of a second.
const kernel::Object& program() {
  static const auto loaded = [] {
    auto object = kernel::Object::open({sonde_proxy_wire_bpf_object, sonde_proxy_wire_bpf_object_end}, "test");
    if (!object) throw std::runtime_error(object.error().text());
    if (auto done = object->load(); !done) throw std::runtime_error(done.error().text());
    return std::move(*object);
  }();
  return loaded;
}

int map(const char* name) { return program().map_fd(name).value(); }

sonde_wire_statistics all_statistics() {
  const std::uint32_t zero = 0;
  return kernel::sum_per_cpu<sonde_wire_statistics>(map("STATISTICS"), &zero).value();
}

/// A connection on the wire; the only one.
class Wired {
 public:
  Wired(bool client_ipv6, bool upstream_ipv6)
      : client(party(client_ipv6, 1, 2, 40'000)),
        to_client(party(client_ipv6, 1, 1, 443)),
        to_upstream(party(upstream_ipv6, 2, 1, 50'000)),
        upstream(party(upstream_ipv6, 2, 2, 8443)),
        router(party(upstream_ipv6, 9, 9, 0)),
        client_router(party(client_ipv6, 8, 8, 0)) {
    connection.phase = SONDE_WIRE_SPLICED;
    fill(SONDE_WIRE_CLIENT, to_upstream, upstream, sequence_delta, acknowledgement_delta);
    fill(SONDE_WIRE_UPSTREAM, to_client, client, -acknowledgement_delta, -sequence_delta);
    connection.sides[SONDE_WIRE_CLIENT].flags = flags(client_ipv6, upstream_ipv6);
    connection.sides[SONDE_WIRE_UPSTREAM].flags = flags(upstream_ipv6, client_ipv6);
    store();
    add_flow(flow_of(client, to_client), SONDE_WIRE_CLIENT);
    add_flow(flow_of(upstream, to_upstream), SONDE_WIRE_UPSTREAM);
  }

  Wired(const Wired&) = delete;
  Wired& operator=(const Wired&) = delete;
  ~Wired() {
    for (const auto& flow : {flow_of(client, to_client), flow_of(upstream, to_upstream)})
      bpf_map_delete_elem(map("FLOWS"), &flow);
  }

  void store() const { bpf_map_update_elem(map("CONNECTIONS"), &index_of_it, &connection, BPF_ANY); }

  /// Since this was made.
  [[nodiscard]] std::uint64_t count(__u64 sonde_wire_statistics::*member) const {
    return all_statistics().*member - before_.*member;
  }

  /// From the IP header on.
  [[nodiscard]] std::pair<int, Bytes> run(const Bytes& packet, bool for_this_host = true) const {
    auto frame = frame_of(packet);
    if (!for_this_host) frame[0] = 2;
    Bytes out(frame.size() + 256);
    LIBBPF_OPTS(bpf_test_run_opts, options);
    options.data_in = frame.data();
    options.data_size_in = static_cast<__u32>(frame.size());
    options.data_out = out.data();
    options.data_size_out = static_cast<__u32>(out.size());
    const auto run = program().program_fd("forward_packet");
    if (bpf_prog_test_run_opts(run.value(), &options) != 0) throw std::runtime_error("BPF_PROG_TEST_RUN");
    out.resize(options.data_size_out);
    return {static_cast<int>(options.retval), Bytes(out.begin() + 14, out.end())};
  }

  static constexpr std::uint32_t sequence_delta = 0x12345678, acknowledgement_delta = 0xfedcba98;
  const Party client, to_client, to_upstream, upstream, router, client_router;
  sonde_wire_connection connection{};

 private:
  static std::uint8_t flags(bool from_ipv6, bool to_ipv6) {
    return static_cast<std::uint8_t>((from_ipv6 ? SONDE_WIRE_FROM_IPV6 : 0) | (to_ipv6 ? SONDE_WIRE_TO_IPV6 : 0));
  }
  void fill(sonde_wire_side side, const Party& from, const Party& to, std::uint32_t sequence,
            std::uint32_t acknowledgement) {
    auto& state = connection.sides[side];
    const auto flow = flow_of(from, to);
    std::memcpy(state.source, flow.source, 16);
    std::memcpy(state.destination, flow.destination, 16);
    state.source_port = flow.source_port;
    state.destination_port = flow.destination_port;
    state.sequence_delta = sequence;
    state.acknowledgement_delta = acknowledgement;
    state.ifindex = 1;
  }
  void add_flow(const sonde_wire_flow& flow, std::uint32_t side) const {
    const sonde_wire_place place{index_of_it, side};
    bpf_map_update_elem(map("FLOWS"), &flow, &place, BPF_ANY);
  }

  const sonde_wire_statistics before_ = all_statistics();
};

constexpr std::uint32_t sent_sequence = 0xfffffff0, sent_acknowledgement = 0x10;

/// What a router sends about a packet of the client's that went on to the upstream, or of the upstream's.
Bytes error_about(const Wired& wired, bool of_client, const Message& message, std::size_t transport_bytes) {
  const auto& from = of_client ? wired.to_upstream : wired.to_client;
  const auto& to = of_client ? wired.upstream : wired.client;
  const auto sequence = of_client ? Wired::sequence_delta : -Wired::acknowledgement_delta;
  const auto acknowledgement = of_client ? Wired::acknowledgement_delta : -Wired::sequence_delta;
  const auto segment = tcp_header(from, to, sent_sequence + sequence, sent_acknowledgement + acknowledgement);
  const auto about = ip_header(from, to, 6, segment.size()) + first_of(segment, transport_bytes);
  return icmp_packet(of_client ? wired.router : wired.client_router, from, message, about);
}

/// What the one is to be told who sent it.
Bytes told(const Wired& wired, bool of_client, const Message& message, std::size_t transport_bytes) {
  const auto& from = of_client ? wired.client : wired.upstream;
  const auto& to = of_client ? wired.to_client : wired.to_upstream;
  auto segment = tcp_header(from, to, sent_sequence, sent_acknowledgement);
  const auto whole = segment.size();
  // The checksum of a packet that is cut is what it was on the way.
  const auto& out_from = of_client ? wired.to_upstream : wired.to_client;
  const auto& out_to = of_client ? wired.upstream : wired.client;
  const auto sent = tcp_header(out_from, out_to, 0, 0);
  patch(segment, 16, static_cast<std::uint16_t>(sent[16] << 8 | sent[17]));
  const auto about = ip_header(from, to, 6, whole) + first_of(segment, transport_bytes < 20 ? 8 : 20);
  return icmp_packet(to, from, message, about);
}

struct Case {
  Message in;
  std::optional<Message> out;  ///< none: the stack's
};

std::vector<Case> cases(bool from_ipv6, bool to_ipv6) {
  if (!from_ipv6 && !to_ipv6)
    return {{{3, 4, 1400}, Message{3, 4, 1400}},
            {{3, 1, 0}, Message{3, 1, 0}},
            {{3, 13, 0}, Message{3, 13, 0}},
            {{11, 0, 0}, Message{11, 0, 0}},
            {{12, 0, 0x08000000}, Message{12, 0, 0x08000000}},
            {{0, 0, 1}, {}},
            {{8, 0, 1}, {}},
            {{5, 1, 0x0a010101}, {}}};
  if (from_ipv6 && to_ipv6)
    return {{{2, 0, 1400}, Message{2, 0, 1400}},
            {{1, 0, 0}, Message{1, 0, 0}},
            {{1, 4, 0}, Message{1, 4, 0}},
            {{3, 0, 0}, Message{3, 0, 0}},
            {{4, 1, 6}, Message{4, 1, 6}},
            {{128, 0, 1}, {}},
            {{135, 0, 0}, {}}};
  if (to_ipv6)
    return {{{3, 4, 1400}, Message{2, 0, 1420}},
            {{3, 4, 576}, Message{2, 0, 1280}},
            {{3, 0, 0}, Message{1, 0, 0}},
            {{3, 1, 0}, Message{1, 0, 0}},
            {{3, 2, 0}, Message{4, 1, 6}},
            {{3, 3, 0}, Message{1, 4, 0}},
            {{3, 9, 0}, Message{1, 1, 0}},
            {{3, 10, 0}, Message{1, 1, 0}},
            {{3, 13, 0}, Message{1, 1, 0}},
            {{3, 14, 0}, {}},
            {{3, 15, 0}, Message{1, 1, 0}},
            {{11, 0, 0}, Message{3, 0, 0}},
            {{12, 0, 0}, {}}};
  return {{{2, 0, 1400}, Message{3, 4, 1380}},
          {{2, 0, 100'000}, Message{3, 4, 0xffff}},
          {{1, 0, 0}, Message{3, 1, 0}},
          {{1, 1, 0}, Message{3, 10, 0}},
          {{1, 3, 0}, Message{3, 1, 0}},
          {{1, 4, 0}, Message{3, 3, 0}},
          {{3, 0, 0}, Message{11, 0, 0}},
          {{4, 1, 6}, Message{3, 2, 0}},
          {{4, 0, 6}, {}}};
}

class wire_icmp : public testing::TestWithParam<std::tuple<bool, bool, bool, std::size_t>> {};
INSTANTIATE_TEST_SUITE_P(ways, wire_icmp,
                         testing::Combine(testing::Bool(), testing::Bool(), testing::Bool(),
                                          testing::Values(8, 19, 20, 32, 552, 1000)),
                         [](const auto& way) {
                           return fmt::format("client_{}_upstream_{}_of_{}_{}",
                                              std::get<0>(way.param) ? "ipv6" : "ipv4",
                                              std::get<1>(way.param) ? "ipv6" : "ipv4",
                                              std::get<2>(way.param) ? "client" : "upstream", std::get<3>(way.param));
                         });

TEST_P(wire_icmp, errors_are_told_to_who_sent_the_packet) {
  const auto [client_ipv6, upstream_ipv6, of_client, bytes] = GetParam();
  const Wired wired(client_ipv6, upstream_ipv6);
  std::uint64_t translated = 0;
  for (const auto& [in, out] :
       cases(of_client ? upstream_ipv6 : client_ipv6, of_client ? client_ipv6 : upstream_ipv6)) {
    const auto packet = error_about(wired, of_client, in, bytes);
    const auto [verdict, after] = wired.run(packet);
    EXPECT_EQ(verdict, out ? redirected : to_the_stack) << in.type + 0 << "/" << in.code + 0;
    EXPECT_EQ(after, out ? told(wired, of_client, *out, bytes) : packet) << in.type + 0 << "/" << in.code + 0;
    translated += out ? 1 : 0;
  }
  EXPECT_EQ(wired.count(&sonde_wire_statistics::errors_translated), translated);
}

TEST_P(wire_icmp, what_is_not_whole_or_nobodys_is_left_alone) {
  const auto [client_ipv6, upstream_ipv6, of_client, bytes] = GetParam();
  Wired wired(client_ipv6, upstream_ipv6);
  const bool ipv6 = of_client ? upstream_ipv6 : client_ipv6;
  const auto good = error_about(wired, of_client, ipv6 ? Message{2, 0, 1400} : Message{3, 4, 1400}, bytes);
  const std::size_t icmp = ipv6 ? 40 : 20;
  const auto expect_left = [&](const Bytes& packet, const char* what, bool for_this_host = true) {
    const auto [verdict, after] = wired.run(packet, for_this_host);
    EXPECT_EQ(verdict, to_the_stack) << what;
    EXPECT_EQ(after, packet) << what;
  };
  const auto with = [&](std::size_t offset, std::uint8_t change) {
    auto packet = good;
    packet.at(offset) ^= change;
    return packet;
  };
  expect_left(with(good.size() - 1, 1), "a bit that is wrong at the end");
  expect_left(with(icmp + 7, 16), "a bit of the MTU that is wrong");
  expect_left(good, "for another host", false);
  expect_left(first_of(good, good.size() - 1), "less than the header says");
  // Ends that are nobody's: the first port.
  expect_left(with(icmp + 8 + (ipv6 ? 40 : 20), 1), "of another connection");
  expect_left(with(icmp + 8 + (ipv6 ? 6 : 9), 6 ^ 17), "about UDP");
  for (const auto phase : {SONDE_WIRE_TAKEN, SONDE_WIRE_JOINING, SONDE_WIRE_ABORTED, SONDE_WIRE_FREED}) {
    wired.connection.phase = phase;
    wired.store();
    expect_left(good, "in another phase");
  }
  wired.connection.phase = SONDE_WIRE_SPLICED;
  wired.store();
  EXPECT_EQ(wired.run(good).first, redirected);
  EXPECT_EQ(wired.count(&sonde_wire_statistics::errors_translated), 1U);
}

class wire_too_big : public testing::TestWithParam<std::tuple<bool, bool>> {};
INSTANTIATE_TEST_SUITE_P(ways, wire_too_big, testing::Combine(testing::Bool(), testing::Bool()), [](const auto& way) {
  return fmt::format("client_{}_upstream_{}", std::get<0>(way.param) ? "ipv6" : "ipv4",
                     std::get<1>(way.param) ? "ipv6" : "ipv4");
});

TEST_P(wire_too_big, the_sender_is_told_the_mtu_as_of_its_own_header) {
  const auto [client_ipv6, upstream_ipv6] = GetParam();
  Wired wired(client_ipv6, upstream_ipv6);
  const auto segment = tcp_header(wired.client, wired.to_client, sent_sequence, sent_acknowledgement);
  const auto packet = ip_header(wired.client, wired.to_client, 6, segment.size()) + segment;
  const auto leaves = segment.size() + (upstream_ipv6 ? 40 : 20);
  const auto set_mtu = [&](std::size_t mtu) {
    wired.connection.sides[SONDE_WIRE_CLIENT].mtu = static_cast<std::uint32_t>(mtu);
    wired.store();
  };
  set_mtu(leaves);
  EXPECT_EQ(wired.run(packet).first, redirected);
  EXPECT_EQ(wired.count(&sonde_wire_statistics::errors_sent), 0U);

  set_mtu(leaves - 1);
  const auto [verdict, after] = wired.run(packet);
  EXPECT_EQ(verdict, redirected);
  auto about = first_of(packet, (client_ipv6 ? 40 : 20) + 20);
  patch(about, about.size() - 4, 0);  // its checksum
  const auto mtu = static_cast<std::uint32_t>(segment.size() + (client_ipv6 ? 40 : 20) - 1);
  const Message expected = client_ipv6 ? Message{2, 0, std::max(mtu, 1280U)} : Message{3, 4, mtu};
  EXPECT_EQ(after, icmp_packet(wired.to_client, wired.client, expected, about));
  EXPECT_EQ(wired.count(&sonde_wire_statistics::errors_sent), 1U);
  EXPECT_EQ(wired.count(&sonde_wire_statistics::dropped_too_big), 1U);
  EXPECT_EQ(wired.count(&sonde_wire_statistics::packets), 1U);
}

TEST(wire_icmp_options, an_answer_holds_the_options_of_the_header) {
  Wired wired(false, false);
  wired.connection.sides[SONDE_WIRE_CLIENT].mtu = 1000;
  wired.store();
  const auto segment = tcp_header(wired.client, wired.to_client, sent_sequence, sent_acknowledgement);
  const auto packet = ipv4({.source = {10, 1, 0, 2}, .destination = {10, 1, 0, 1}, .options = {1, 1, 1, 0}}, segment);
  const auto [verdict, after] = wired.run(packet);
  EXPECT_EQ(verdict, redirected);
  auto about = first_of(packet, 44);
  patch(about, 40, 0);
  EXPECT_EQ(after, icmp_packet(wired.to_client, wired.client, {3, 4, 1000}, about));
}

}  // namespace
}  // namespace sonde::test
