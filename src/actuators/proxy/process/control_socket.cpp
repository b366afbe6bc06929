// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "actuators/proxy/process/control.hpp"
#include "actuators/proxy/process/control_wire.hpp"
#include "actuators/proxy/process/created.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;

// Nobody must be at the path, but the one whose place is taken.
Result<void> may_be_replaced(const std::string& path, const HandOver* predecessor) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno(path);
  }
  if (!S_ISSOCK(status.st_mode)) return fail(ErrorKind::usage, fmt::format("control: {}: expected a socket", path));
  const auto connection = connect_to_control(path, 1s);
  if (!connection && connection.error().code == ECONNREFUSED) return {};
  if (!connection) return std::unexpected(connection.error());
  const auto owner = peer_of(connection->get());
  if (!owner) return std::unexpected(owner.error());
  if (predecessor != nullptr && owner->pid == predecessor->pid()) return {};
  return fail(ErrorKind::failed, fmt::format("control: {}: belongs to the running process {}", path, owner->pid),
              "stop it, take over from it, or give this one a path of its own", EADDRINUSE);
}

Result<Fd> listen_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno("control socket");
  // The file gets the mode of the socket (net/unix/af_unix.c, unix_bind_bsd): there is no moment in which it is open.
  if (::fchmod(fd.get(), 0600) != 0) return fail_errno(path);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return fail_errno(path);
  if (::listen(fd.get(), 16) != 0) {
    const int code = errno;
    ::unlink(path.c_str());
    return fail_errno(code, path);
  }
  return fd;
}

}  // namespace

Result<ControlSocket> ControlSocket::bind(const std::string& path, const HandOver* predecessor) {
  const std::string temporary = fmt::format("{}.{}", path, ::getpid());
  if (path.empty() || temporary.size() >= sizeof(sockaddr_un::sun_path))
    return fail(ErrorKind::usage, fmt::format("control: \"{}\": expected a path of 1 to 96 bytes", path));
  if (auto free = may_be_replaced(path, predecessor); !free) return std::unexpected(free.error());
  if (auto made = create_folders_above(path); !made) return std::unexpected(made.error());
  ::unlink(temporary.c_str());  // of a process that had this number
  auto fd = listen_at(temporary);
  if (!fd) return std::unexpected(fd.error());
  struct stat status {};
  if (::lstat(temporary.c_str(), &status) != 0 || std::rename(temporary.c_str(), path.c_str()) != 0) {
    const int code = errno;
    ::unlink(temporary.c_str());
    return fail_errno(code, path);
  }
  remember_created(path);
  return ControlSocket(std::move(*fd), path, status.st_dev, status.st_ino);
}

ControlSocket& ControlSocket::operator=(ControlSocket&& other) noexcept {
  if (this == &other) return *this;
  close();
  fd_ = std::move(other.fd_);
  path_ = std::move(other.path_);
  device_ = other.device_;
  inode_ = other.inode_;
  return *this;
}

bool ControlSocket::has_path() const {
  struct stat status {};
  return ::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_;
}

void ControlSocket::close() {
  if (!fd_) return;
  if (has_path()) ::unlink(path_.c_str());  // EACCES: the next one replaces it
  fd_.reset();
}

}  // namespace sonde::proxy
