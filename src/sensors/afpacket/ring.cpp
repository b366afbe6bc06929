// SPDX-License-Identifier: Apache-2.0
#include "sensors/afpacket/ring.hpp"

#include <linux/if_ether.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>

#include "sensors/afpacket/frame.hpp"

namespace sonde::afpacket {
namespace {

constexpr std::uint32_t bytes_per_block =
    256 * 1024;                             // a 64 KiB offloaded packet fits, larger ones are cut by the kernel
constexpr std::uint32_t frame_size = 2048;  // has no effect in version 3 but must be plausible

template <class T>
Result<void> set_option(int fd, int option, const T& value, const char* what) {
  if (::setsockopt(fd, SOL_PACKET, option, &value, sizeof(value)) == 0) return {};
  return fail_errno(what);
}

tpacket_req3 request(const RingSize& size) {
  tpacket_req3 request{};
  request.tp_block_size = size.block_size;
  request.tp_block_nr = size.block_count;
  request.tp_frame_size = frame_size;
  request.tp_frame_nr = size.block_size / frame_size * size.block_count;
  request.tp_retire_blk_tov = size.retire_milliseconds;
  return request;
}

Result<void> set_up(int fd, const RingSize& size) {
  const int version = TPACKET_V3;
  const unsigned reserve = vlan_tag_size;  // so that a tag can be put in by moving only the addresses
  auto done = set_option(fd, PACKET_VERSION, version, "cannot use TPACKET_V3");
  if (done) done = set_option(fd, PACKET_RESERVE, reserve, "cannot reserve room in the packet ring");
  if (done) done = set_option(fd, PACKET_RX_RING, request(size), "cannot allocate the packet ring");
  return done;
}

std::atomic_ref<std::uint32_t> status(tpacket_block_desc* block) {
  return std::atomic_ref<std::uint32_t>(block->hdr.bh1.block_status);
}

}  // namespace

RingSize RingSize::of(std::uint64_t bytes, std::uint32_t retire_milliseconds) {
  constexpr std::uint64_t least = 4;
  constexpr std::uint64_t most = 0x7fffffff / bytes_per_block;  // the kernel counts the ring's bytes in an int
  const auto count = std::clamp(bytes / bytes_per_block, least, most);
  return {bytes_per_block, static_cast<std::uint32_t>(count), retire_milliseconds};
}

void Unmap::operator()(std::uint8_t* memory) const { ::munmap(memory, size); }

Result<Ring> Ring::make(int fd, const RingSize& size) {
  auto done = set_up(fd, size);
  if (!done) return std::unexpected(done.error());
  const std::size_t bytes = std::size_t{size.block_size} * size.block_count;
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return fail_errno("cannot map the packet ring");
  Ring ring;
  ring.size_ = size;
  ring.memory_ = {static_cast<std::uint8_t*>(memory), Unmap{bytes}};
  ring.taken_ = std::make_unique<std::atomic<bool>[]>(size.block_count);
  return ring;
}

tpacket_block_desc* Ring::block(std::uint32_t index) const {
  return reinterpret_cast<tpacket_block_desc*>(memory_.get() + std::size_t{index} * size_.block_size);
}

tpacket_block_desc* Ring::take() {
  if (taken_[next_].load(std::memory_order_acquire)) return nullptr;
  tpacket_block_desc* filled = block(next_);
  if ((status(filled).load(std::memory_order_acquire) & TP_STATUS_USER) == 0) return nullptr;
  taken_[next_].store(true, std::memory_order_relaxed);
  next_ = (next_ + 1) % size_.block_count;
  return filled;
}

// The kernel gets the block before it may be taken again: take() must not see the old status.
void Ring::release(tpacket_block_desc* block) {
  const auto offset = reinterpret_cast<std::uint8_t*>(block) - memory_.get();
  status(block).store(TP_STATUS_KERNEL, std::memory_order_release);
  taken_[static_cast<std::size_t>(offset) / size_.block_size].store(false, std::memory_order_release);
}

}  // namespace sonde::afpacket
