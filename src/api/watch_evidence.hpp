// SPDX-License-Identifier: Apache-2.0
// The packets of an attack while it goes on.
#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "sonde/capture.hpp"
#include "sonde/watch.hpp"
#include "watch/evidence.hpp"

namespace sonde {

/// One capture an event, each in a thread of its own, at most 16 at a time.
class LiveEvidence {
 public:
  /// `like`: interfaces and source are taken from it.
  LiveEvidence(CaptureOptions like, EvidenceOptions options) : like_(std::move(like)), options_(std::move(options)) {}
  ~LiveEvidence();
  LiveEvidence(const LiveEvidence&) = delete;
  LiveEvidence& operator=(const LiveEvidence&) = delete;

  /// Packets of the event go to the file from now on. False: too many captures.
  bool start(const SecurityEvent& event, const std::string& path);
  /// Ends the capture of the event. Packets in the file; a file without any is removed.
  std::uint64_t stop(std::uint64_t event);

  /// Captures that failed, and why the last one did; empty: none.
  [[nodiscard]] std::string failure() const;

 private:
  static constexpr std::size_t most_at_a_time = 16;

  struct Running {
    std::string path;
    std::atomic<bool> stop{false};
    std::uint64_t packets = 0;
    std::string error;
    std::thread thread;

    void run(const CaptureOptions& options);
  };

  CaptureOptions like_;
  EvidenceOptions options_;
  std::map<std::uint64_t, std::unique_ptr<Running>> running_;
  std::uint64_t failed_ = 0;
  std::string last_error_;
};

}  // namespace sonde
