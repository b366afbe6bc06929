// SPDX-License-Identifier: Apache-2.0
#include "watch/runtime.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sonde::watch {
namespace {

// How long a read may wait, which is how soon a stop is noticed.
constexpr std::chrono::milliseconds read_timeout{20};

}  // namespace

Runtime::Runtime(std::unique_ptr<pipeline::FlowSource> source, RuntimeOptions options, detect::Report report)
    : source_(std::move(source)),
      options_(std::move(options)),
      report_(std::move(report)),
      detectors_(options_.config),
      sights_(*source_, detectors_, options_.local, options_.countries ? &*options_.countries : nullptr, report_),
      next_(Clock::now() + options_.interval) {}

Result<void> Runtime::stop() {
  stopping_ = true;
  return source_->stop();
}

Result<void> Runtime::step() {
  const auto now = Clock::now();
  if (options_.replay || stopping_ || now >= next_) return collect();
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_ - now);
  return source_->poll(std::clamp(left, std::chrono::milliseconds{0}, read_timeout));
}

// A failure of the source does not hide what it gave before.
Result<void> Runtime::collect() {
  next_ = std::max(next_ + options_.interval, Clock::now());
  options_.local.refresh_if_old();
  sights_.begin();
  auto collected = source_->collect(sights_);
  sights_.end();
  finished_ = source_->finished() || !collected;
  // A pipe whose step of packet time is not over has shown nothing yet.
  const auto now = source_->now_wall_ns();
  if (now != advanced_ns_) detectors_.advance(now, report_);
  advanced_ns_ = now;
  if (finished_) detectors_.finish(source_->now_wall_ns(), report_);
  return collected;
}

std::vector<LossStage> Runtime::loss() const {
  auto stages = source_->loss();
  const auto given = stages.empty() ? sights_.packets() : stages.back().given;
  stages.push_back({.name = "detect",
                    .taken = given,
                    .given = sights_.packets(),
                    .filtered = 0,
                    .lost = given - std::min(given, sights_.packets()),
                    .note = {}});
  return stages;
}

std::vector<std::string> Runtime::notices() const {
  auto notices = source_->notices();
  if (sights_.dns_left_out() > 0)
    notices.push_back(fmt::format("{} DNS messages were not looked at: too many in one interval; their flows were",
                                  sights_.dns_left_out()));
  return notices;
}

}  // namespace sonde::watch
