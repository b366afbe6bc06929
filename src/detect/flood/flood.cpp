// SPDX-License-Identifier: Apache-2.0
#include "detect/flood/flood.hpp"

#include <array>

#include "detect/bounded.hpp"
#include "detect/flood/count_min.hpp"
#include "detect/flood/target.hpp"

namespace sonde::detect {

namespace {

constexpr std::size_t most_targets = 256;

struct Key {
  Address target{};
  FloodKind kind{};
  friend bool operator==(const Key&, const Key&) = default;
};

struct KeyHash {
  std::size_t operator()(const Key& key) const {
    return combine(hash_of(key.target), static_cast<std::uint64_t>(key.kind));
  }
};

class FloodDetector final : public Detector {
 public:
  explicit FloodDetector(const Context& context) : context_(context), limits_(context.config), targets_(most_targets) {}

  void observe(const FlowSight& flow, const Report& /*report*/) override {
    // A target that was attacked a moment ago must be found again, so that its one-way senders do not become usual.
    const Key udp{flow.endpoints[1].address, FloodKind::udp};
    const auto* attacked = targets_.find(udp);
    const auto suspicion = suspicions_.of(flow, attacked && attacked->goes_on());
    if (!suspicion) return;
    const Key key{flow.endpoints[suspicion->target].address, suspicion->kind};
    auto* target = targets_.find(key);
    if (!target) {
      if (suspicion->packets <= 0) return;
      const auto packets = static_cast<std::uint64_t>(suspicion->packets);
      const auto sum = sketches_[static_cast<std::size_t>(key.kind)].add(KeyHash{}(key), packets);
      if (static_cast<double>(sum) < limits_.least_rate(key.kind) / 10) return;
      if (targets_.size() == most_targets) return;
      target = &targets_.touch(key);
    }
    target->note(flow, *suspicion);
  }

  void advance(std::int64_t wall_ns, const Report& report) override {
    if (began_ns_ == 0 || wall_ns - began_ns_ > 10 * second_ns) began_ns_ = wall_ns - second_ns;
    if (wall_ns - began_ns_ < second_ns) return;
    const auto seconds = static_cast<double>(wall_ns - began_ns_) / 1e9;
    began_ns_ = wall_ns;
    targets_.erase_if([&](const Key& key, FloodTarget& target) {
      return !target.close(key.target, key.kind, limits_, context_, wall_ns, seconds, report);
    });
    for (auto& sketch : sketches_) sketch.clear();
  }

  void finish(std::int64_t wall_ns, const Report& report) override {
    for (auto& [key, target] : targets_) target.finish(key.target, key.kind, limits_, wall_ns, report);
  }

 private:
  Context context_;
  FloodLimits limits_;
  Suspicions suspicions_;
  std::array<CountMin, 4> sketches_;
  Bounded<Key, FloodTarget, KeyHash> targets_;
  std::int64_t began_ns_ = 0;
};

}  // namespace

std::unique_ptr<Detector> make_flood_detector(const Context& context) {
  return std::make_unique<FloodDetector>(context);
}

}  // namespace sonde::detect
