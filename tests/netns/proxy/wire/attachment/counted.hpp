// SPDX-License-Identifier: Apache-2.0
// A host with a program that counts, and a folder under bpffs for its pins.
#pragma once
#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actuators/proxy/wire/attachment.hpp"
#include "base/fd.hpp"
#include "harness/netns.hpp"
#include "kernel/object.hpp"

namespace sonde::test {

/// A program of its own with its own counters.
class Counter {
 public:
  Counter();
  [[nodiscard]] proxy::WirePrograms programs() const;
  [[nodiscard]] int dropping_program() const;
  [[nodiscard]] std::uint64_t hits(std::uint32_t ifindex) const { return read("HITS", ifindex); }
  /// Of the program for packets without a link header.
  [[nodiscard]] std::uint64_t raw_hits(std::uint32_t ifindex) const { return read("RAW_HITS", ifindex); }

 private:
  [[nodiscard]] std::uint64_t read(const char* map, std::uint32_t ifindex) const;
  kernel::Object object_;
};

/// Removed with all that is pinned there.
class PinFolder {
 public:
  PinFolder();
  PinFolder(const PinFolder&) = delete;
  PinFolder& operator=(const PinFolder&) = delete;
  ~PinFolder();
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  std::string above_;
  std::string path_;
};

/// `host` and a neighbour that answers pings: host has veth0 with 10.9.0.1, the neighbour 10.9.0.2 on veth1.
struct Host {
  Host();
  NetworkNamespace inside;
  NetworkNamespace neighbour;

  [[nodiscard]] std::uint32_t ifindex(const std::string& name) const;
  /// Exactly one packet received by veth0, an echo reply.
  void ping() const;
  [[nodiscard]] std::unique_ptr<proxy::Attachment> attach(const Counter& counter, const std::string& folder) const;
  [[nodiscard]] std::vector<std::string> names(const proxy::Attachment& attachment) const;
  /// Filters and the qdisc, as tc shows them.
  [[nodiscard]] std::string clsact(const std::string& name) const;
};

/// A child in the namespace that does `function` and then waits; killed at the latest with this object.
class Child {
 public:
  /// `function` gets a step: it waits for it, or says that it is done. True: it went well.
  struct Steps {
    std::function<void()> done;
    std::function<void()> wait;
  };
  Child(const NetworkNamespace& where, const std::function<bool(const Steps&)>& function);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();
  void wait_until_done() const;
  void go_on() const;
  void kill();
  /// Exit status.
  int join();

 private:
  Fd from_, to_;
  pid_t pid_ = -1;
};

}  // namespace sonde::test
