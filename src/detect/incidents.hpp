// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <list>

#include "detect/incident.hpp"

namespace sonde::detect {

/// Incidents by key, described when they are noticed: at most 128 at a time, a new one beyond is not reported.
class Incidents {
 public:
  Incidents(const Context& context, std::int64_t quiet_ns) : context_(context), quiet_ns_(quiet_ns) {}

  /// Starts it, or adds news: `describe` is called with its event at once.
  void notice(std::uint64_t key, std::int64_t packet_ns, std::int64_t first_ns, const Incident::Describe& describe) {
    auto* entry = find(key);
    if (!entry) {
      if (entries_.size() >= 128) return;
      entry = &entries_.emplace_back(Entry{key, {}, 0});
      entry->incident.notice(first_ns);
    }
    entry->incident.notice(packet_ns);
    describe(entry->incident.event);
  }
  /// It is over at the next advance().
  void over(std::uint64_t key) {
    if (auto* entry = find(key)) entry->over = true;
  }
  [[nodiscard]] bool goes_on(std::uint64_t key) { return find(key) != nullptr; }
  /// It is over when nothing was noticed for so long.
  void set_quiet(std::uint64_t key, std::int64_t quiet_ns) {
    if (auto* entry = find(key)) entry->quiet_ns = quiet_ns;
  }

  void advance(std::int64_t wall_ns, const Report& report) {
    const Incident::Describe nothing = [](SecurityEvent&) {};
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      auto& incident = entry->incident;
      if (!incident.started())
        incident.start(context_, wall_ns, report, nothing);
      else
        incident.update(wall_ns, report, nothing);
      const auto quiet_ns = entry->quiet_ns ? entry->quiet_ns : quiet_ns_;
      if (!entry->over && !incident.quiet(wall_ns, quiet_ns)) {
        ++entry;
        continue;
      }
      incident.end(wall_ns, report, nothing);
      entry = entries_.erase(entry);
    }
  }
  void finish(std::int64_t wall_ns, const Report& report) {
    for (auto& entry : entries_) entry.over = true;
    advance(wall_ns, report);
  }

 private:
  struct Entry {
    std::uint64_t key = 0;
    Incident incident;
    std::int64_t quiet_ns = 0;  ///< 0: as all
    bool over = false;
  };
  Entry* find(std::uint64_t key) {
    for (auto& entry : entries_)
      if (entry.key == key) return &entry;
    return nullptr;
  }
  Context context_;
  std::int64_t quiet_ns_;
  std::list<Entry> entries_;
};

}  // namespace sonde::detect
