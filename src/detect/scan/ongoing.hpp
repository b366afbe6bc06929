// SPDX-License-Identifier: Apache-2.0
// Scans that go on.
#pragma once
#include <cstdint>
#include <list>
#include <string>
#include <vector>

#include "detect/bounded.hpp"
#include "detect/distinct.hpp"
#include "detect/incident.hpp"
#include "detect/scan/judge.hpp"

namespace sonde::detect {

struct OngoingScan {
  Incident incident;
  ScanMethod method{};
  std::vector<Address> sources;  ///< more than one: decoys
  Address target{};              ///< the first
  std::uint16_t port = 0;        ///< of a host scan
  Probed probed;

  void note(const Contact& contact, std::int64_t wall_ns);
  void describe(SecurityEvent& event) const;
};

/// At most 256 scans of 80 kB; of each at most 128 sources.
class OngoingScans {
 public:
  OngoingScans(const Context& context, const ScanLimits& limits) : context_(context), limits_(limits) {}

  [[nodiscard]] OngoingScan* find(const Address& source, ScanMethod method);
  /// A scan that has been found; by decoys, if another source does the same to the same target at the same time.
  /// Reported by the next advance() or finish(), so that the decoys of one moment are named together. `forgotten`: what
  /// the group has no place for any more; null: nothing.
  void start(const GroupKey& key, const Group& group, const Probed* forgotten, bool fragments, std::int64_t wall_ns);
  void advance(std::int64_t wall_ns, const Report& report);
  void finish(std::int64_t wall_ns, const Report& report);

 private:
  [[nodiscard]] OngoingScan* same_by_decoy(const GroupKey& key, const Group& group, std::int64_t wall_ns);
  void forget(const OngoingScan& scan);

  Context context_;
  const ScanLimits& limits_;
  std::list<OngoingScan> scans_;
  std::unordered_map<Scanner, OngoingScan*, ScannerHash> by_source_;
};

}  // namespace sonde::detect
