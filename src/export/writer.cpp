// SPDX-License-Identifier: Apache-2.0
#include "export/writer.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace sonde::exporter {
namespace {

constexpr std::size_t initial_capacity = 256 * 1024;

// Waits until a descriptor that somebody made non-blocking (a shared terminal, a pipe of node.js) takes bytes again.
void wait_writable(int fd) {
  pollfd wanted{fd, POLLOUT, 0};
  ::poll(&wanted, 1, -1);
}

}  // namespace

FdWriter::FdWriter(Output output)
    : output_(std::move(output)),
      capacity_(initial_capacity),
      buffer_(std::make_unique_for_overwrite<char[]>(initial_capacity)) {
  units_.reserve(4096);
}

char* FdWriter::make_room(std::size_t size) {
  if (!flush()) return nullptr;
  if (capacity_ < size) {
    buffer_ = std::make_unique_for_overwrite<char[]>(size);
    capacity_ = size;
  }
  return buffer_.get();
}

Result<void> FdWriter::flush() {
  if (error_) return error();
  std::size_t done = 0;
  Result<void> result = write_all(done);
  const std::size_t whole = count_units(done);
  if (!result) {
    if (whole < done) cut_file(done - whole);
    error_ = result.error();
  }
  units_.clear();
  used_ = 0;
  return result;
}

Result<void> FdWriter::write_all(std::size_t& done) {
  while (done < used_) {
    const ssize_t count = ::write(output_.fd.get(), buffer_.get() + done, used_ - done);
    if (count > 0) {
      done += static_cast<std::size_t>(count);
    } else if (count < 0 && errno == EAGAIN) {
      wait_writable(output_.fd.get());
    } else if (count == 0 || errno != EINTR) {
      return fail_errno(count == 0 ? EIO : errno, "write " + output_.name);
    }
  }
  return {};
}

// Counts the packets that ended within `done` bytes; gives the end of the last whole unit.
std::size_t FdWriter::count_units(std::size_t done) {
  std::size_t whole = 0;
  for (const Unit& unit : units_) {
    if (unit.end > done) break;
    written_ += unit.packets;
    whole = unit.end;
  }
  return whole;
}

// Only a regular file can take bytes back. Its position is right also with O_APPEND: write(2) has moved it.
void FdWriter::cut_file(std::size_t excess) {
  struct stat status {};
  const int fd = output_.fd.get();
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return;
  const off_t end = ::lseek(fd, 0, SEEK_CUR) - static_cast<off_t>(excess);
  if (end >= 0 && ::ftruncate(fd, end) == 0) ::lseek(fd, end, SEEK_SET);
}

}  // namespace sonde::exporter
