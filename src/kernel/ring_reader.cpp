// SPDX-License-Identifier: Apache-2.0
#include "kernel/ring_reader.hpp"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <utility>

namespace sonde::kernel {
namespace {

std::uint32_t record_size(std::uint32_t header) {
  const std::uint32_t length = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
  return (length + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
}

}  // namespace

Result<RingReader> RingReader::make(int map_fd, std::size_t bytes) {
  RingReader ring;
  ring.page_ = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  ring.mask_ = bytes - 1;
  void* consumer = ::mmap(nullptr, ring.page_, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (consumer == MAP_FAILED) return fail_errno("cannot map the ring buffer");
  ring.consumer_ = static_cast<std::uint64_t*>(consumer);
  void* producer =
      ::mmap(nullptr, ring.page_ + 2 * bytes, PROT_READ, MAP_SHARED, map_fd, static_cast<off_t>(ring.page_));
  if (producer == MAP_FAILED) return fail_errno("cannot map the ring buffer");
  ring.producer_ = static_cast<const std::uint64_t*>(producer);
  ring.data_ = static_cast<const std::uint8_t*>(producer) + ring.page_;
  ring.position_ = ring.producer_cached_ = __atomic_load_n(ring.consumer_, __ATOMIC_ACQUIRE);
  return ring;
}

RingReader::RingReader(RingReader&& other) noexcept { *this = std::move(other); }

RingReader& RingReader::operator=(RingReader&& other) noexcept {
  if (this == &other) return *this;
  unmap();
  position_ = other.position_;
  producer_cached_ = other.producer_cached_;
  record_size_ = other.record_size_;
  mask_ = other.mask_;
  page_ = other.page_;
  consumer_ = std::exchange(other.consumer_, nullptr);
  producer_ = std::exchange(other.producer_, nullptr);
  data_ = std::exchange(other.data_, nullptr);
  return *this;
}

RingReader::~RingReader() { unmap(); }

void RingReader::unmap() {
  if (consumer_ != nullptr) ::munmap(consumer_, page_);
  if (producer_ != nullptr) ::munmap(const_cast<std::uint64_t*>(producer_), page_ + 2 * (mask_ + 1));
}

std::span<const std::uint8_t> RingReader::peek() {
  for (;;) {
    if (position_ == producer_cached_) {
      producer_cached_ = __atomic_load_n(producer_, __ATOMIC_ACQUIRE);
      if (position_ == producer_cached_) return {};
    }
    const std::uint8_t* record = data_ + (position_ & mask_);
    const auto header = __atomic_load_n(reinterpret_cast<const std::uint32_t*>(record), __ATOMIC_ACQUIRE);
    if (header & BPF_RINGBUF_BUSY_BIT) return {};
    record_size_ = record_size(header);
    if ((header & BPF_RINGBUF_DISCARD_BIT) == 0) return {record + BPF_RINGBUF_HDR_SZ, header};
    position_ += record_size_;
  }
}

void RingReader::advance() { position_ += record_size_; }

void RingReader::release() { __atomic_store_n(consumer_, position_, __ATOMIC_RELEASE); }

}  // namespace sonde::kernel
