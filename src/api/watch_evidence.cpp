// SPDX-License-Identifier: Apache-2.0
#include "watch_evidence.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

namespace sonde {
namespace {

std::uint64_t packets_of(const CaptureSummary& summary) {
  std::uint64_t packets = 0;
  for (const auto& direction : summary.totals)
    for (const auto& count : direction) packets += count.packets;
  return packets;
}

}  // namespace

// Opening loads programs, which takes its time: the watch goes on meanwhile.
void LiveEvidence::Running::run(const CaptureOptions& options) {
  auto opened = Capture::make(options);
  if (!opened) {
    error = opened.error().text();
    return;
  }
  Capture& own = *opened;
  std::thread watcher([&] {
    stop.wait(false);
    own.stop();
  });
  const auto summary = own.run();
  stop = true;
  stop.notify_all();
  watcher.join();
  packets = packets_of(summary);
  if (summary.error) error = summary.error->text();
}

bool LiveEvidence::start(const SecurityEvent& event, const std::string& path) {
  const auto packets = watch::evidence_packets(event);
  if (packets.none() || running_.size() >= most_at_a_time) return false;
  auto options = like_;
  options.filter = packets.filter();
  options.owners = false;
  options.print = false;
  options.write_file = path;
  options.count = options_.packets;
  options.snaplen = options_.snaplen;
  auto running = std::make_unique<Running>();
  running->path = path;
  running->thread = std::thread([&target = *running, options] { target.run(options); });
  running_.insert_or_assign(event.id, std::move(running));
  return true;
}

std::uint64_t LiveEvidence::stop(std::uint64_t event) {
  const auto found = running_.find(event);
  if (found == running_.end()) return 0;
  auto& running = *found->second;
  running.stop = true;
  running.stop.notify_all();
  running.thread.join();
  const auto packets = running.packets;
  if (packets == 0) ::unlink(running.path.c_str());
  if (!running.error.empty()) {
    ++failed_;
    last_error_ = running.error;
  }
  running_.erase(found);
  return packets;
}

LiveEvidence::~LiveEvidence() {
  while (!running_.empty()) stop(running_.begin()->first);
}

std::string LiveEvidence::failure() const {
  if (failed_ == 0) return {};
  return fmt::format("{} evidence files failed: {}", failed_, last_error_);
}

}  // namespace sonde
