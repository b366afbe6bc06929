// SPDX-License-Identifier: Apache-2.0
#include "sensors/flows/flow_slots.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <utility>

namespace sonde::flows {
namespace {

constexpr std::size_t bucket_bytes = SONDE_FLOW_BUCKET_SLOTS * sizeof(sonde_flow);
// A mapping must start at a page; this many buckets fill whole pages, whether these have 4 or 64 KiB.
constexpr std::uint32_t aligned_buckets = 32;
constexpr std::uint32_t window_buckets = 64 * aligned_buckets;  // 4 MiB
constexpr std::size_t whole_bytes = std::size_t{32} * 1024 * 1024;

static_assert(sizeof(sonde_flow) == 128 && sizeof(sonde_flow_bucket) == 32);
static_assert(aligned_buckets * bucket_bytes % (64 * 1024) == 0);

}  // namespace

Result<Mapping> Mapping::make(int map_fd, std::size_t offset, std::size_t bytes) {
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, static_cast<off_t>(offset));
  if (data == MAP_FAILED) return fail_errno("cannot map the table of flows");
  Mapping mapping;
  mapping.data_ = static_cast<std::uint8_t*>(data);
  mapping.bytes_ = bytes;
  return mapping;
}

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

Result<FlowSlots> FlowSlots::make(const kernel::Object& object, std::uint32_t buckets) {
  const auto tags_fd = object.map_fd("sonde_flow_buckets");
  if (!tags_fd) return std::unexpected(tags_fd.error());
  const auto slots_fd = object.map_fd("sonde_flow_slots");
  if (!slots_fd) return std::unexpected(slots_fd.error());
  auto tags = Mapping::make(*tags_fd, 0, buckets * sizeof(sonde_flow_bucket));
  if (!tags) return std::unexpected(tags.error());
  FlowSlots slots;
  slots.buckets_ = buckets;
  slots.window_buckets_ = buckets * bucket_bytes <= whole_bytes ? buckets : window_buckets;
  slots.slots_fd_ = *slots_fd;
  slots.tags_ = std::move(*tags);
  return slots;
}

Result<sonde_flow*> FlowSlots::at(std::uint32_t slot) {
  const auto window_slots = window_buckets_ * SONDE_FLOW_BUCKET_SLOTS;
  const auto window = slot / window_slots;
  if (slots_.data() == nullptr || window != window_) {
    const auto first = window * window_buckets_;
    const auto bytes = std::min(window_buckets_, buckets_ - first) * bucket_bytes;
    slots_ = Mapping();
    auto mapping = Mapping::make(slots_fd_, first * bucket_bytes, bytes);
    if (!mapping) return std::unexpected(mapping.error());
    slots_ = std::move(*mapping);
    window_ = window;
  }
  return reinterpret_cast<sonde_flow*>(slots_.data()) + slot % window_slots;
}

sonde_flow_bucket& FlowSlots::bucket(std::uint32_t index) const {
  return reinterpret_cast<sonde_flow_bucket*>(tags_.data())[index];
}

Result<void> FlowSlots::for_each_taken(const std::function<void(std::uint32_t, sonde_flow&)>& call) {
  for (std::uint32_t index = 0; index < buckets_; ++index) {
    auto& tags = bucket(index).tags;
    for (std::uint32_t i = 0; i < SONDE_FLOW_BUCKET_SLOTS; ++i) {
      if (__atomic_load_n(&tags[i], __ATOMIC_ACQUIRE) == 0) continue;
      const auto slot = index * SONDE_FLOW_BUCKET_SLOTS + i;
      auto flow = at(slot);
      if (!flow) return std::unexpected(flow.error());
      call(slot, **flow);
    }
  }
  return {};
}

bool FlowSlots::mark_dead(sonde_flow& flow) {
  std::uint32_t expected = SONDE_FLOW_LIVE;
  return __atomic_compare_exchange_n(&flow.state, &expected, std::uint32_t{SONDE_FLOW_DEAD}, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST);
}

// The state first: a program takes a slot whose tag is zero.
void FlowSlots::empty(std::uint32_t slot, sonde_flow& flow) {
  __atomic_store_n(&flow.state, std::uint32_t{SONDE_FLOW_EMPTY}, __ATOMIC_SEQ_CST);
  auto& tags = bucket(slot / SONDE_FLOW_BUCKET_SLOTS).tags;
  __atomic_store_n(&tags[slot % SONDE_FLOW_BUCKET_SLOTS], std::uint8_t{0}, __ATOMIC_SEQ_CST);
}

}  // namespace sonde::flows
