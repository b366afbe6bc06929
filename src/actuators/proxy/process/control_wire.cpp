// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/process/control_wire.hpp"

#include <fmt/format.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace sonde::proxy {
namespace {

constexpr std::size_t longest_answer = std::size_t{64} << 20;  // /status of many upstreams

// SO_RCVTIMEO makes it EAGAIN.
std::unexpected<Error> broken(int code) {
  if (code == 0) return fail(ErrorKind::failed, "the proxy ended before it answered");
  if (code == EAGAIN) return fail(ErrorKind::failed, "the proxy does not answer", {}, ETIMEDOUT);
  return fail_errno(code, "control socket");
}

Result<void> read_exactly(int connection, char* to, std::size_t size) {
  for (std::size_t done = 0; done < size;) {
    const auto got = ::recv(connection, to + done, size - done, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return broken(got == 0 ? 0 : errno);
    done += static_cast<std::size_t>(got);
  }
  return {};
}

union ControlMessage {
  cmsghdr header;  // for its alignment
  char bytes[CMSG_SPACE(sizeof(int))];
};

}  // namespace

Result<ucred> peer_of(int connection) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return fail_errno("SO_PEERCRED");
  return peer;
}

Result<Fd> connect_to_control(const std::string& path, std::chrono::milliseconds patience) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path))
    return fail(ErrorKind::usage, fmt::format("control socket \"{}\": expected a path of 1 to {} bytes", path,
                                              sizeof(address.sun_path) - 1));
  path.copy(address.sun_path, path.size());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("control socket");
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience);
  const auto rest = std::chrono::duration_cast<std::chrono::microseconds>(patience - seconds);
  const timeval limit{.tv_sec = seconds.count(), .tv_usec = static_cast<suseconds_t>(rest.count())};
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
    return fail_errno("control socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return fail_errno(path);
  return fd;
}

std::unexpected<Error> no_proxy(const std::string& path, const Error& error) {
  if (error.code != ENOENT && error.code != ECONNREFUSED) return std::unexpected(error);
  return fail(ErrorKind::failed, fmt::format("no proxy at the control socket {}", path), {}, error.code);
}

Result<void> send_all(int connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return broken(errno);
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

Result<void> send_answer(int connection, const Result<std::string>& answer) {
  const std::string text = answer ? *answer : answer.error().text();
  const int status = answer ? 0 : static_cast<int>(answer.error().kind);
  return send_all(connection, fmt::format("{} {}\n{}", status, text.size(), text));
}

Result<std::string> read_answer(int connection) {
  std::string line;
  for (char c = 0; line.size() < 32; line += c) {
    if (auto read = read_exactly(connection, &c, 1); !read) return std::unexpected(read.error());
    if (c == '\n') break;
  }
  int status = -1;
  std::size_t length = 0;
  const char* const end = line.data() + line.size();
  const auto first = std::from_chars(line.data(), end, status);
  const bool parsed = first.ec == std::errc{} && first.ptr != end && *first.ptr == ' ' &&
                      std::from_chars(first.ptr + 1, end, length).ptr == end;
  if (!parsed || status < 0 || status > 3 || length > longest_answer)
    return fail(ErrorKind::failed, "the answer at the control socket is not a proxy's");
  std::string text(length, '\0');
  if (auto read = read_exactly(connection, text.data(), length); !read) return std::unexpected(read.error());
  if (status != 0) return fail(static_cast<ErrorKind>(status), text);
  return text;
}

Result<void> send_descriptor(int connection, int fd) {
  char byte = 'f';
  iovec data{.iov_base = &byte, .iov_len = 1};
  ControlMessage control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  if (::sendmsg(connection, &message, MSG_NOSIGNAL) != 1) return broken(errno);
  return {};
}

Result<Fd> read_descriptor(int connection) {
  char byte = 0;
  iovec data{.iov_base = &byte, .iov_len = 1};
  ControlMessage control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  const auto got = ::recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
  if (got <= 0) return broken(got == 0 ? 0 : errno);
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
      header->cmsg_len != CMSG_LEN(sizeof(int)))
    return fail(ErrorKind::failed, "a listening socket did not arrive", "the limit of open files may be reached");
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  return Fd(fd);
}

}  // namespace sonde::proxy
