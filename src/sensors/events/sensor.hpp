// SPDX-License-Identifier: Apache-2.0
// What the event sensors share: how they are asked, and the source that reads their ring.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/wall_clock.hpp"
#include "filter/filter.hpp"
#include "kernel/attach.hpp"
#include "kernel/object.hpp"
#include "kernel/ring.hpp"
#include "pipeline/events.hpp"
#include "sensors/owners/owner_tracking.hpp"
#include "sonde/owner.hpp"
#include "sonde/result.hpp"

namespace sonde::events {

struct SensorRequest {
  filter::CompiledFilter filter;
  OwnerOptions owner;
  std::size_t buffer_bytes = 4 * 1024 * 1024;
};

/// A loaded and attached sensor, without its reader. The object has the maps of bpf/emit_event.h.
template <class Event>
struct Sensor {
  std::unique_ptr<owners::OwnerTracking> owners;
  kernel::Object object;
  std::vector<kernel::Link> links;
  /// One record of the ring as an event; nothing: the record is malformed. Called after OwnerTracking::refresh().
  std::function<std::optional<Event>(std::span<const std::uint8_t> record, const WallClock& clock,
                                     owners::OwnerTracking& owners)>
      decode;
  /// The filters of user space; those of the kernel have been passed. Empty: every event.
  std::function<bool(const Event&)> wanted;
  std::vector<std::string> notices;
  /// Added to the note of the hook's stage at the end; may be empty.
  std::function<std::string()> hook_note;
};

/// "hook", "ring" and "decode" of an object with bpf/emit_event.h, after `read` records of which `malformed` were no
/// events.
[[nodiscard]] std::vector<LossStage> ring_stages(const kernel::Object& object, std::uint64_t read,
                                                 std::uint64_t malformed);

/// Reads the ring of a sensor. Stages of the ledger: hook, ring, decode, filter.
template <class Event>
class SensorSource final : public pipeline::EventSource<Event> {
 public:
  SensorSource(Sensor<Event> sensor, kernel::Ring ring) : sensor_(std::move(sensor)), ring_(std::move(ring)) {}

  Result<void> read(pipeline::EventBatch<Event>& batch, std::chrono::milliseconds timeout) override {
    batch.events.clear();
    clock_.refresh_if_old();
    const auto records =
        ring_.read(pipeline::EventBatch<Event>::capacity, stopped_ ? std::chrono::milliseconds{0} : timeout);
    drained_ = stopped_ && records.empty();
    sensor_.owners->refresh();  // also when nothing came: the ring of process events must not fill up
    for (const auto& record : records) take(record, batch);
    return {};
  }

  Result<void> stop() override {
    sensor_.links.clear();
    stopped_ = true;
    return {};
  }

  [[nodiscard]] bool finished() const override { return drained_; }

  [[nodiscard]] std::vector<LossStage> loss() const override {
    auto stages = ring_stages(sensor_.object, delivered_ + malformed_, malformed_);
    auto& note = stages.front().note;
    const auto more = sensor_.hook_note ? sensor_.hook_note() : std::string();
    note += (note.empty() || more.empty() ? "" : "; ") + more;
    stages.push_back({"filter", delivered_, delivered_ - filtered_, filtered_, 0, ""});
    return stages;
  }

  [[nodiscard]] std::vector<std::string> notices() const override {
    auto notices = sensor_.notices;
    const auto more = sensor_.owners->notices();
    notices.insert(notices.end(), more.begin(), more.end());
    return notices;
  }

 private:
  void take(std::span<const std::uint8_t> record, pipeline::EventBatch<Event>& batch) {
    auto event = sensor_.decode(record, clock_, *sensor_.owners);
    if (!event) {
      ++malformed_;
      return;
    }
    ++delivered_;
    if (sensor_.wanted && !sensor_.wanted(*event))
      ++filtered_;
    else
      batch.events.push_back(std::move(*event));
  }

  Sensor<Event> sensor_;
  kernel::Ring ring_;
  WallClock clock_;
  std::uint64_t delivered_ = 0;
  std::uint64_t malformed_ = 0;
  std::uint64_t filtered_ = 0;
  bool stopped_ = false;
  bool drained_ = false;
};

/// Before load: the constants of bpf/emit_event.h for a ring of this size.
Result<void> prepare_ring(kernel::Object& object, std::size_t bytes);
/// After load and before the first attach: the ring, in its place in the object.
[[nodiscard]] Result<kernel::Ring> open_ring(const kernel::Object& object, std::size_t bytes);

}  // namespace sonde::events
