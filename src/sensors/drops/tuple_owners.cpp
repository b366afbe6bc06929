// SPDX-License-Identifier: Apache-2.0
#include "sensors/drops/tuple_owners.hpp"

#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <memory>

#include "kernel/netlink.hpp"
#include "kernel/program.hpp"

namespace sonde::drops {
namespace {

constexpr std::uint8_t syn_and_ack = 0x12;

sonde_socket_owner unknown(std::uint8_t reason) {
  sonde_socket_owner owner{};
  owner.reason = reason;
  return owner;
}

std::string key_of(const TupleQuestion& question) {
  static_assert(std::has_unique_object_representations_v<TupleQuestion>);
  return {reinterpret_cast<const char*>(&question), sizeof(question)};
}

struct RouteRequest {
  nlmsghdr header{};
  rtmsg route{};
  rtattr attribute{};
  std::array<std::uint8_t, 16> address{};
};

// RTM_GETROUTE as `ip route get ADDRESS` sends it.
RouteRequest route_request(const sonde_tuple& tuple) {
  const std::size_t size = tuple.ipv4 != 0 ? 4 : 16;
  RouteRequest request;
  request.header.nlmsg_len = static_cast<__u32>(NLMSG_LENGTH(sizeof(rtmsg)) + RTA_LENGTH(size));
  request.header.nlmsg_type = RTM_GETROUTE;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.route.rtm_family = tuple.ipv4 != 0 ? AF_INET : AF_INET6;
  request.route.rtm_dst_len = static_cast<unsigned char>(size * 8);
  request.attribute.rta_type = RTA_DST;
  request.attribute.rta_len = static_cast<unsigned short>(RTA_LENGTH(size));
  std::memcpy(request.address.data(), tuple.local_address + 16 - size, size);
  return request;
}

// Is the local address one of this network namespace?
bool is_local(const sonde_tuple& tuple) {
  const auto socket = kernel::open_rtnetlink();
  const auto request = route_request(tuple);
  if (!socket || ::send(socket->get(), &request, request.header.nlmsg_len, 0) < 0) return false;
  alignas(nlmsghdr) std::array<std::uint8_t, 4096> answer;
  const auto size = ::recv(socket->get(), answer.data(), answer.size(), 0);
  if (size < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(rtmsg)))) return false;
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer.data());
  if (header->nlmsg_type != RTM_NEWROUTE) return false;
  return static_cast<const rtmsg*>(NLMSG_DATA(header))->rtm_type == RTN_LOCAL;
}

std::optional<sonde_socket_owner> run_program(int program_fd, const TupleQuestion& question) {
  constexpr std::size_t ethernet_size = 14;
  std::array<std::uint8_t, ethernet_size + sizeof(sonde_tuple) + sizeof(sonde_tuple_answer)> frame{};
  std::memcpy(frame.data() + ethernet_size, &question.tuple, sizeof(question.tuple));
  // The interface, because a socket may be bound to it.
  if (!kernel::run_on_frame(program_fd, frame, question.ifindex)) return std::nullopt;
  sonde_tuple_answer answer;
  std::memcpy(&answer, frame.data() + ethernet_size + sizeof(sonde_tuple), sizeof(answer));
  if (answer.found == 0) return std::nullopt;
  return answer.owner;
}

}  // namespace

std::optional<TupleQuestion> tuple_question(const sonde_drop_event& drop, const sonde_packet_event& packet,
                                            TupleTrust trust) {
  const bool received = packet.direction == SONDE_DIRECTION_IN;
  const bool transport = packet.protocol == IPPROTO_TCP || (packet.protocol == IPPROTO_UDP && received);
  const bool answerable = drop.owner.method == SONDE_METHOD_NONE && drop.owner.reason == SONDE_REASON_NO_SOCKET &&
                          drop.network_namespace != 0 && drop.forwarded == 0;
  if (!answerable || !transport || (packet.flags & SONDE_PACKET_PORTS) == 0 || trust == TupleTrust::none)
    return std::nullopt;
  TupleQuestion question{.network_namespace = drop.network_namespace, .ifindex = drop.header.ifindex};
  auto& tuple = question.tuple;
  std::memcpy(tuple.local_address, received ? packet.destination_address : packet.source_address, 16);
  std::memcpy(tuple.remote_address, received ? packet.source_address : packet.destination_address, 16);
  tuple.local_port = htons(received ? packet.destination_port : packet.source_port);
  tuple.remote_port = htons(received ? packet.source_port : packet.destination_port);
  tuple.ipv4 = (packet.flags & SONDE_PACKET_IPV4) != 0;
  tuple.protocol = packet.protocol;
  // A listener sends nothing but the answer to a SYN.
  tuple.exact = trust == TupleTrust::connected_only || (!received && (packet.tcp_flags & syn_and_ack) != syn_and_ack);
  return question;
}

bool TupleOwners::may_ask(Clock::time_point now) {
  if (now - second_started_ >= std::chrono::seconds{1}) {
    second_started_ = now;
    asked_ = 0;
  }
  if (asked_ >= asked_in_a_second) {
    ++left_out_;
    return false;
  }
  ++asked_;
  return true;
}

sonde_socket_owner TupleOwners::find(const TupleQuestion& question, Clock::time_point now) {
  const auto key = key_of(question);
  const auto known = answers_.find(key);
  if (known != answers_.end() && now - known->second.found_at < holds) return known->second.owner;
  if (!may_ask(now)) return unknown(SONDE_REASON_NO_SOCKET);
  auto owner = ask_(question).value_or(unknown(SONDE_REASON_NO_SOCKET));
  if (owner.method != SONDE_METHOD_NONE) owner.method = SONDE_METHOD_TUPLE;
  if (answers_.size() >= capacity) answers_.clear();
  answers_[key] = {owner, now};
  return owner;
}

TupleOwners::Ask ask_kernel(int program_fd) {
  return [program_fd, namespaces = std::make_shared<kernel::NetworkNamespaces>()](const TupleQuestion& question) {
    std::optional<sonde_socket_owner> owner;
    namespaces->call(question.network_namespace, [&] {
      if (is_local(question.tuple)) owner = run_program(program_fd, question);
    });
    return owner;
  };
}

}  // namespace sonde::drops
