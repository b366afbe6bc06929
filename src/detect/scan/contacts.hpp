// SPDX-License-Identifier: Apache-2.0
// Who contacted what for the first time, and what came of it.
#pragma once
#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "detect/address.hpp"
#include "detect/bounded.hpp"
#include "detect/distinct.hpp"
#include "detect/scan/probe.hpp"

namespace sonde::detect {

/// One port of one target that a source tried. Tries of the same one are one contact.
struct Contact {
  Endpoint target;  ///< port: that of the probe, see Probe
  std::uint16_t source_port = 0;
  Answer answer{};
  std::uint8_t tries = 1;  ///< flows; counted up to 255
  bool half_open = false;
  bool completed = false;
  std::int64_t first_ns = 0;
  std::int64_t last_ns = 0;
  std::uint32_t packets = 0;
  std::uint32_t bytes = 0;
};

/// Who scans, and how.
struct Scanner {
  Address source{};
  ScanMethod method{};
  friend bool operator==(const Scanner&, const Scanner&) = default;
};
struct ScannerHash {
  std::size_t operator()(const Scanner& scanner) const {
    return combine(hash_of(scanner.source), static_cast<std::uint64_t>(scanner.method));
  }
};

/// Contacts of one source by one method: with one target (of a port scan), or with one port (of a host scan).
struct GroupKey {
  Address source{};
  Address target{};  ///< zero: any
  std::uint16_t port = 0;
  ScanMethod method{};
  bool by_port = false;

  friend bool operator==(const GroupKey&, const GroupKey&) = default;
};

struct GroupHash {
  std::size_t operator()(const GroupKey& key) const;
};

/// A sum over the last one to two windows.
class WindowCount {
 public:
  /// Whether the window went on, became the older one, or both are too old.
  enum class Turn : std::uint8_t { same, next, lapsed };
  Turn add(std::int64_t wall_ns, std::int64_t window_ns);
  void take_back();
  [[nodiscard]] std::uint64_t sum() const { return counts_[0] + counts_[1]; }

 private:
  std::array<std::uint64_t, 2> counts_{};  ///< [0] goes on
  std::int64_t began_ns_ = 0;
};

/// What was probed, by number: 80 kB at most.
struct Probed {
  PortSet ports;
  Distinct targets;
  Distinct contacts;  ///< pairs of both
  std::uint64_t refused = 0;
  std::uint64_t open = 0;
  std::int64_t first_ns = 0;  ///< of the first contact

  /// Ports and targets only: `refused` and `open` count answers, which may come later.
  void add(const Contact& contact);
  /// Pairs of a port and a target; exact for a scan of one target or one port.
  [[nodiscard]] std::uint64_t pairs() const;
};

struct Group {
  std::vector<Contact> contacts;  ///< at most 128; a new one takes the place of the first, once that is 10 s old
  std::string interface;
  std::unique_ptr<SocketOwner> owner;
  bool outbound = false;
  WindowCount failures;
  bool is_candidate = false;  ///< the detector looks at it
};

/// What a source failed to reach by one method, over all ports: two windows, of which the older one is dropped in time.
class Spread {
 public:
  void failed(const Address& target, std::int64_t wall_ns, std::int64_t window_ns);
  void answered() { failures_.take_back(); }  ///< one that had counted as failed
  [[nodiscard]] std::uint64_t failures() const { return failures_.sum(); }
  [[nodiscard]] std::uint64_t targets() const;  ///< by linear counting over 2048 bits, so at most some 15,000

 private:
  WindowCount failures_;
  std::array<std::bitset<2048>, 2> targets_;  ///< [0] goes on
};

/// Bounded by 4096 groups of at most 128 contacts, 16384 first contacts, 4096 sources and 128 groups that have
/// forgotten contacts: 46 MB at most, 2 MB without scans. A source's first contact with a target or port waits in a
/// table where any other may overwrite it, so that a flood from a million forged addresses does not push out those who
/// come twice.
class Contacts {
 public:
  explicit Contacts(std::int64_t window_ns);

  struct Noted {
    Group* group = nullptr;  ///< null: the first contact
    bool is_new = false;
    bool answered_now = false;  ///< it had failed before
  };
  Noted note(const GroupKey& key, const Contact& contact, bool is_new_flow);
  [[nodiscard]] Group* find(const GroupKey& key) { return groups_.find(key); }
  /// What found no place in a group, or had to make place, within the last window; null: nothing.
  [[nodiscard]] Probed* forgotten(const GroupKey& key) { return forgotten_.find(key); }
  void erase(const GroupKey& key) {
    groups_.erase(key);
    forgotten_.erase(key);
  }
  [[nodiscard]] Spread& spread(const Address& source, ScanMethod method) { return spreads_.touch({source, method}); }

 private:
  struct First {
    std::uint64_t hash = 0;
    Contact contact;
  };
  void keep(const GroupKey& key, Group& group, const Contact& contact);
  void forget(const GroupKey& key, const Contact& contact);

  std::int64_t window_ns_;
  std::vector<First> firsts_;
  Bounded<GroupKey, Group, GroupHash> groups_;
  Bounded<GroupKey, Probed, GroupHash> forgotten_;
  Bounded<Scanner, Spread, ScannerHash> spreads_;
};

}  // namespace sonde::detect
