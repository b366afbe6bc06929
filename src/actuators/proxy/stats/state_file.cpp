// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/stats/state_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <thread>

#include "actuators/proxy/process/created.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;

Result<void> write_all(int fd, std::string_view content, const std::string& path) {
  for (off_t at = 0; !content.empty();) {
    const auto size = ::pwrite(fd, content.data(), content.size(), at);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail_errno(path);
    content.remove_prefix(static_cast<std::size_t>(size));
    at += size;
  }
  return {};
}

bool is_regular(int fd, mode_t& mode) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return false;
  mode = status.st_mode & 0777;
  return true;
}

}  // namespace

Result<StateFile> StateFile::open(const std::string& path) {
  if (auto made = create_folders_above(path); !made) return std::unexpected(made.error());
  auto file = open_to_rewrite(path);
  if (!file) return std::unexpected(file.error());
  return StateFile(path, std::move(*file));
}

Result<std::string> StateFile::read() const {
  std::string content;
  std::array<char, 65536> bytes;
  for (;;) {
    const auto size = ::pread(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(content.size()));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail_errno(path_);
    if (size == 0) return content;
    content.append(bytes.data(), static_cast<std::size_t>(size));
  }
}

bool StateFile::is_at_path() const {
  struct stat by_path {};
  struct stat by_fd {};
  return ::stat(path_.c_str(), &by_path) == 0 && ::fstat(file_.get(), &by_fd) == 0 && by_path.st_dev == by_fd.st_dev &&
         by_path.st_ino == by_fd.st_ino;
}

// False: the folder does not allow it.
Result<bool> StateFile::replace(std::string_view content, bool durable) {
  mode_t mode = 0;
  struct stat link {};
  if (!is_regular(file_.get(), mode)) return false;
  if (::lstat(path_.c_str(), &link) == 0 && !S_ISREG(link.st_mode)) return false;  // the link is to stay one
  const std::string temporary = fmt::format("{}.{}.new", path_, ::getpid());
  ::unlink(temporary.c_str());
  Fd file(::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return false;
  Result<void> done = write_all(file.get(), content, temporary);
  if (done && ::fchmod(file.get(), mode) != 0) done = fail_errno(temporary);
  if (done && durable && ::fdatasync(file.get()) != 0) done = fail_errno(temporary);
  if (!done) {
    ::unlink(temporary.c_str());
    return std::unexpected(done.error());
  }
  if (std::rename(temporary.c_str(), path_.c_str()) != 0) {
    ::unlink(temporary.c_str());  // a folder with the sticky bit, and the file is another user's
    return false;
  }
  file_ = std::move(file);
  return true;
}

Result<void> StateFile::rewrite(std::string_view content, bool durable) {
  if (auto written = write_all(file_.get(), content, path_); !written) return written;
  mode_t mode = 0;
  if (!is_regular(file_.get(), mode)) return {};
  if (::ftruncate(file_.get(), static_cast<off_t>(content.size())) != 0) return fail_errno(path_);
  if (durable && ::fdatasync(file_.get()) != 0) return fail_errno(path_);
  return {};
}

Result<void> StateFile::write(std::string_view content, bool durable) {
  auto replaced = replace(content, durable);
  if (!replaced) return std::unexpected(replaced.error());
  return *replaced ? Result<void>{} : rewrite(content, durable);
}

Result<std::string> StateFile::set_aside() {
  const std::string aside = fmt::format("{}.broken-{}", path_, std::time(nullptr));
  if (std::rename(path_.c_str(), aside.c_str()) != 0) return fail_errno(aside);
  auto file = open_to_rewrite(path_);
  if (!file) return std::unexpected(file.error());
  file_ = std::move(*file);
  return aside;
}

Result<void> StateFile::lock() {
  const auto deadline = std::chrono::steady_clock::now() + 1s;
  for (;;) {
    // A descriptor of its own, since the one of the content changes while it is locked.
    Fd file(::fcntl(file_.get(), F_DUPFD_CLOEXEC, 0));
    if (!file) return fail_errno(path_);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) {
      if (is_at_path()) {
        locked_ = std::move(file);
        return {};
      }
      ::flock(file.get(), LOCK_UN);
      Fd next(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
      if (!next) return fail_errno(path_);
      file_ = std::move(next);
    } else if (errno != EWOULDBLOCK && errno != EINTR) {
      return fail_errno(path_);
    } else {
      std::this_thread::sleep_for(5ms);
    }
    if (std::chrono::steady_clock::now() > deadline)
      return fail(ErrorKind::failed, fmt::format("{}: locked by another process", path_));
  }
}

void StateFile::unlock() {
  if (locked_) ::flock(locked_.get(), LOCK_UN);
  locked_.reset();
}

}  // namespace sonde::proxy
