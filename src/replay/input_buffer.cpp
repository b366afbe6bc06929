// SPDX-License-Identifier: Apache-2.0
#include "replay/input_buffer.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sonde::replay {
namespace {

constexpr std::size_t read_size = 1 << 20;

Result<bool> wait_readable(int fd, std::chrono::milliseconds timeout) {
  pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
  const int ready = ::poll(&wait, 1, static_cast<int>(timeout.count()));
  if (ready < 0 && errno != EINTR) return fail_errno("cannot wait for input");
  return ready > 0;
}

}  // namespace

InputBuffer::InputBuffer(Fd fd) : fd_(std::move(fd)), buffer_(read_size) {}

InputBuffer::InputBuffer(std::vector<std::uint8_t> content)
    : buffer_(std::move(content)), end_(buffer_.size()), at_end_(true) {}

void InputBuffer::skip(std::uint64_t size) {
  skip_ += size;
  discard_skipped();
}

void InputBuffer::discard_skipped() {
  const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, end_ - begin_));
  consume(now);
  skip_ -= now;
}

// Moves what is left to the front. Grows only for a need that the readers have checked against their own limits.
void InputBuffer::make_room() {
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  if (need_.size > buffer_.size()) buffer_.resize(need_.size);
}

Result<bool> InputBuffer::fill(std::chrono::milliseconds timeout) {
  if (at_end_) return true;
  auto readable = wait_readable(fd_.get(), timeout);
  if (!readable || !*readable) return readable;
  make_room();
  const ssize_t size = ::read(fd_.get(), buffer_.data() + end_, buffer_.size() - end_);
  if (size < 0) {
    if (errno == EINTR || errno == EAGAIN) return false;
    return fail_errno("cannot read");
  }
  at_end_ = size == 0;
  end_ += static_cast<std::size_t>(size);
  discard_skipped();
  return true;
}

}  // namespace sonde::replay
