// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/forward/relay_stream.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace sonde::proxy {
namespace {

constexpr std::size_t turn_bytes = 1 << 19;
// A stream is bulk once a read fills the buffer, and no longer when a whole turn brings less than this.
constexpr std::size_t still_bulk_bytes = 1 << 14;
constexpr std::uint8_t refusals = 3;
constexpr std::uint32_t readable = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
// A read that brings less than it could has emptied the queue, so that the next bytes make a new event; unless it
// stopped before an urgent byte (EPOLLPRI), or the end of the stream is what comes next.
constexpr std::uint32_t more_than_bytes = EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;

bool would_block(int code) { return code == EAGAIN || code == EWOULDBLOCK || code == EINTR; }

}  // namespace

// Setting it, again too, pushes: tcp(7), __tcp_sock_set_nodelay().
void push_held_back(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

StreamStep RelayStream::pump(Channel& from, Channel& to, RelayPool::State& pool, bool may_splice,
                             const WriteGate& gate) {
  std::size_t moved = 0;
  bool by_splice = false;  // what was read last
  for (;;) {
    const StreamStep flushed = flush(to, gate);
    if (flushed != StreamStep::waits_to_read) return flushed;
    if (ended_) break;
    if (!(from.ready() & readable)) break;
    if (!(to.ready() & EPOLLOUT)) return StreamStep::waits_to_write;
    if (moved >= turn_bytes) return StreamStep::turn_over;
    const std::ptrdiff_t size = read(from, pool, may_splice, by_splice);
    if (size < 0) return StreamStep::read_failed;
    if (size == 0) break;
    moved += static_cast<std::size_t>(size);
    by_splice = in_pipe_ != 0;
    if (by_splice) continue;
    const StreamStep written = write_buffer(to, pool.buffer().first(static_cast<std::size_t>(size)), gate);
    if (written == StreamStep::write_failed || written == StreamStep::waits_for_path) return written;
  }
  if (moved < still_bulk_bytes) bulk_ = false;
  if (pipe_) pool.give_pipe(std::move(pipe_));
  return ended_ ? StreamStep::ended : StreamStep::waits_to_read;
}

StreamStep RelayStream::flush(Channel& to, const WriteGate& gate) {
  if (!holds()) return StreamStep::waits_to_read;
  if (!(to.ready() & EPOLLOUT)) return StreamStep::waits_to_write;
  if (!gate.is_open()) return StreamStep::waits_for_path;
  return held_.empty() ? write_pipe(to) : write_held(to);
}

StreamStep RelayStream::write_held(Channel& to) {
  const auto rest = std::span(held_).subspan(held_offset_);
  const ssize_t written = ::send(to.fd(), rest.data(), rest.size(), send_flags());
  if (written < 0 && !would_block(errno)) return StreamStep::write_failed;
  const auto size = static_cast<std::uint32_t>(std::max<ssize_t>(written, 0));
  copied_ += size;
  if (size < rest.size()) {
    held_offset_ += size;
    to.clear(EPOLLOUT);
    return StreamStep::waits_to_write;
  }
  held_ = std::vector<std::uint8_t>();  // frees it
  held_offset_ = 0;
  return StreamStep::waits_to_read;
}

StreamStep RelayStream::write_pipe(Channel& to) {
  const ssize_t written =
      ::splice(pipe_->reader.get(), nullptr, to.fd(), nullptr, in_pipe_, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (written < 0 && !would_block(errno)) return StreamStep::write_failed;
  const auto size = static_cast<std::uint32_t>(std::max<ssize_t>(written, 0));
  spliced_ += size;
  in_pipe_ -= size;
  if (in_pipe_ == 0) return StreamStep::waits_to_read;
  to.clear(EPOLLOUT);
  return StreamStep::waits_to_write;
}

StreamStep RelayStream::write_buffer(Channel& to, std::span<const std::uint8_t> bytes, const WriteGate& gate) {
  if (!gate.is_open()) {
    held_.assign(bytes.begin(), bytes.end());
    return StreamStep::waits_for_path;
  }
  const ssize_t written = ::send(to.fd(), bytes.data(), bytes.size(), send_flags());
  if (written < 0 && !would_block(errno)) return StreamStep::write_failed;
  const auto size = static_cast<std::size_t>(std::max<ssize_t>(written, 0));
  copied_ += size;
  if (size == bytes.size()) return StreamStep::waits_to_read;
  held_.assign(bytes.begin() + static_cast<std::ptrdiff_t>(size), bytes.end());
  to.clear(EPOLLOUT);
  return StreamStep::waits_to_write;
}

// What splice() says of a socket that had an event and gives it nothing may be wrong: it says 0 or EAGAIN before an
// urgent byte, and EAGAIN or EINVAL of a socket in a sockmap, of whose queue of messages (sk_psock) it knows nothing.
// So its EAGAIN counts only if the bytes before came by splice(), too.
std::ptrdiff_t RelayStream::read(Channel& from, RelayPool::State& pool, bool may_splice, bool after_splice) {
  if (!bulk_ || !may_splice || pipe_refused_ >= refusals) return read_memory(from, pool);
  if (!pipe_) pipe_ = pool.take_pipe();
  if (!pipe_) return read_memory(from, pool);
  const ssize_t size =
      ::splice(from.fd(), nullptr, pipe_->writer.get(), nullptr, pipe_->capacity, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (size > 0) {
    in_pipe_ = static_cast<std::uint32_t>(size);
    pipe_refused_ = 0;
    return size;
  }
  if (size < 0 && would_block(errno) && after_splice && !(from.ready() & EPOLLPRI)) {
    from.clear(EPOLLIN | EPOLLPRI);
    return 0;
  }
  if (size < 0 && !would_block(errno) && errno != EINVAL) return -1;
  const std::ptrdiff_t copied = read_memory(from, pool);
  if (copied > 0) ++pipe_refused_;
  return copied;
}

// The last bytes are held back for the FIN that the caller sends next: a packet less, and its acknowledgement.
int RelayStream::send_flags() const { return ended_ ? MSG_NOSIGNAL | MSG_MORE : MSG_NOSIGNAL; }

std::ptrdiff_t RelayStream::read_memory(Channel& from, RelayPool::State& pool) {
  const auto buffer = pool.buffer();
  ssize_t size = ::recv(from.fd(), buffer.data(), buffer.size(), 0);
  if (size > 0 && (from.ready() & more_than_bytes) == EPOLLRDHUP)
    size += read_end(from, buffer.subspan(static_cast<std::size_t>(size)));
  if (size < 0) {
    if (!would_block(errno)) return -1;
    from.clear(EPOLLIN | EPOLLPRI);
    return 0;
  }
  if (size == 0) {
    ended_ = true;
    return 0;
  }
  if (static_cast<std::size_t>(size) == buffer.size()) {
    bulk_ = true;
  } else if (!(from.ready() & more_than_bytes)) {
    from.clear(EPOLLIN);
  }
  return size;
}

// The end of the stream is there: what comes next is that, or the rest of the bytes before it.
ssize_t RelayStream::read_end(Channel& from, std::span<std::uint8_t> buffer) {
  if (buffer.empty()) return 0;
  const ssize_t size = ::recv(from.fd(), buffer.data(), buffer.size(), 0);
  if (size == 0) ended_ = true;
  return std::max<ssize_t>(size, 0);
}

}  // namespace sonde::proxy
