// SPDX-License-Identifier: Apache-2.0
#include "kernel/netlink.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace sonde::kernel {
namespace {

constexpr std::size_t receive_size = 64 * 1024;

enum class Progress { more, done };

struct Answer {
  Progress progress = Progress::more;
  int error = 0;
};

Answer read_messages(std::span<std::uint8_t> bytes, const std::function<void(const nlmsghdr&)>& message) {
  auto left = static_cast<int>(bytes.size());
  for (auto* header = reinterpret_cast<nlmsghdr*>(bytes.data()); NLMSG_OK(header, left);
       header = NLMSG_NEXT(header, left)) {
    if (header->nlmsg_type == NLMSG_DONE) return {Progress::done, 0};
    if (header->nlmsg_type == NLMSG_ERROR)
      return {Progress::done, -static_cast<const nlmsgerr*>(NLMSG_DATA(header))->error};
    message(*header);
  }
  return {};
}

Result<void> send_message(int socket, std::span<std::uint8_t> bytes, std::uint16_t flags) {
  auto* header = reinterpret_cast<nlmsghdr*>(bytes.data());
  header->nlmsg_len = static_cast<__u32>(bytes.size());
  header->nlmsg_flags |= static_cast<__u16>(NLM_F_REQUEST | flags);
  if (::send(socket, bytes.data(), bytes.size(), 0) < 0) return fail_errno("cannot send to rtnetlink");
  return {};
}

Result<void> receive_until_done(int socket, const std::function<void(const nlmsghdr&)>& message) {
  alignas(nlmsghdr) std::array<std::uint8_t, receive_size> buffer;
  for (;;) {
    const auto size = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail_errno("cannot read from rtnetlink");
    const auto answer = read_messages({buffer.data(), static_cast<std::size_t>(size)}, message);
    if (answer.error != 0) return fail_errno(answer.error, "rtnetlink refused");
    if (answer.progress == Progress::done) return {};
  }
}

}  // namespace

Result<Fd> open_rtnetlink(std::uint32_t groups) {
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket) return fail_errno("cannot open an rtnetlink socket");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return fail_errno("cannot bind an rtnetlink socket");
  return socket;
}

Result<void> dump(int socket, std::span<std::uint8_t> request, const std::function<void(const nlmsghdr&)>& message) {
  auto sent = send_message(socket, request, NLM_F_DUMP);
  return sent ? receive_until_done(socket, message) : sent;
}

Result<void> request(int socket, std::span<std::uint8_t> message) {
  auto sent = send_message(socket, message, NLM_F_ACK);
  return sent ? receive_until_done(socket, [](const nlmsghdr&) {}) : sent;
}

Result<void> receive_waiting(int socket, const std::function<void(const nlmsghdr&)>& message) {
  alignas(nlmsghdr) std::array<std::uint8_t, receive_size> buffer;
  for (;;) {
    const auto size = ::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return {};
    if (size < 0) return fail_errno("cannot read from rtnetlink");
    read_messages({buffer.data(), static_cast<std::size_t>(size)}, message);
  }
}

void for_each_attribute(const nlmsghdr& message, std::size_t fixed,
                        const std::function<void(const rtattr&)>& attribute) {
  const auto* base = reinterpret_cast<const std::uint8_t*>(&message) + NLMSG_LENGTH(0) + NLMSG_ALIGN(fixed);
  auto left = static_cast<int>(message.nlmsg_len) - static_cast<int>(NLMSG_LENGTH(0) + NLMSG_ALIGN(fixed));
  for (const auto* entry = reinterpret_cast<const rtattr*>(base); RTA_OK(entry, left); entry = RTA_NEXT(entry, left))
    attribute(*entry);
}

}  // namespace sonde::kernel
