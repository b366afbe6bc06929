// SPDX-License-Identifier: Apache-2.0
// The kernel's table of flows, read and emptied through a mapping.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "kernel/object.hpp"
#include "sensors/packets/flows.abi.h"
#include "sonde/result.hpp"

namespace sonde::flows {

/// A shared mapping of an array map, or a part of it.
class Mapping {
 public:
  Mapping() = default;
  /// `offset` is a multiple of the page size.
  [[nodiscard]] static Result<Mapping> make(int map_fd, std::size_t offset, std::size_t bytes);
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();
  [[nodiscard]] std::uint8_t* data() const { return data_; }

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// The tags are mapped as a whole; the slots too if they are few, else a part at a time, so that they do not count as
/// this process's memory twice. One thread uses it.
class FlowSlots {
 public:
  [[nodiscard]] static Result<FlowSlots> make(const kernel::Object& object, std::uint32_t buckets);

  [[nodiscard]] std::uint32_t size() const { return buckets_ * SONDE_FLOW_BUCKET_SLOTS; }

  /// The slot, mapped until another one is asked for. Ascending numbers are cheap.
  [[nodiscard]] Result<sonde_flow*> at(std::uint32_t slot);
  /// Calls for every slot that holds a flow, in ascending order.
  Result<void> for_each_taken(const std::function<void(std::uint32_t slot, sonde_flow& flow)>& call);

  /// False: it was not live.
  static bool mark_dead(sonde_flow& flow);
  /// A slot that is dead, and no program that saw it alive runs any more: it may be taken again.
  void empty(std::uint32_t slot, sonde_flow& flow);

 private:
  FlowSlots() = default;
  [[nodiscard]] sonde_flow_bucket& bucket(std::uint32_t index) const;

  std::uint32_t buckets_ = 0;
  std::uint32_t window_buckets_ = 0;  ///< buckets whose slots are mapped at a time
  std::uint32_t window_ = 0;
  int slots_fd_ = -1;
  Mapping tags_;
  Mapping slots_;
};

}  // namespace sonde::flows
