// SPDX-License-Identifier: Apache-2.0
#include "kernel/ring.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <bit>

#include "kernel/object.hpp"

namespace sonde::kernel {
namespace {

// Below the wake-up mark nobody wakes the reader; it looks again after this long, which bounds the latency.
constexpr std::chrono::milliseconds poll_interval{10};

}  // namespace

Result<Ring> Ring::make(std::size_t bytes) {
  const auto size = std::bit_ceil(std::max(bytes, static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))));
  auto map = create_ring("sonde_ring", size);
  if (!map) return std::unexpected(map.error());
  auto reader = RingReader::make(map->get(), size);
  if (!reader) return std::unexpected(reader.error());
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail_errno("cannot create an epoll instance");
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;  // woken by a wake-up, not by what lies in the ring
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, map->get(), &event) != 0) return fail_errno("cannot poll a ring buffer");
  return Ring(std::move(*map), std::move(epoll), std::move(*reader));
}

std::span<const std::span<const std::uint8_t>> Ring::read(std::size_t most, std::chrono::milliseconds timeout) {
  reader_.release();
  records_.clear();
  fill(most);
  for (auto waited = poll_interval * 0; records_.empty() && waited < timeout; waited += poll_interval) {
    epoll_event event{};
    ::epoll_wait(epoll_.get(), &event, 1, static_cast<int>(std::min(poll_interval, timeout).count()));
    fill(most);
  }
  return records_;
}

void Ring::fill(std::size_t most) {
  while (records_.size() < most) {
    const auto record = reader_.peek();
    if (record.empty()) return;
    records_.push_back(record);
    reader_.advance();
  }
}

}  // namespace sonde::kernel
