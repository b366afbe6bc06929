// SPDX-License-Identifier: Apache-2.0
#include "watch.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <stdexcept>

#include "filter/filter.hpp"
#include "harness/owner_hook.hpp"
#include "sensors/connections/connections.hpp"

namespace sonde::test {

std::uint32_t inode_of(const NetworkNamespace& where) {
  struct ::stat status {};
  if (::fstat(where.fd(), &status) != 0) throw std::runtime_error("fstat of a network namespace");
  return static_cast<std::uint32_t>(status.st_ino);
}

Watch::Watch(const std::vector<const NetworkNamespace*>& where, const FilterOptions& filter,
             const OwnerOptions& owner) {
  for (const auto* one : where) namespaces_.insert(inode_of(*one));
  auto compiled = filter::compile(filter);
  if (!compiled) throw std::runtime_error(compiled.error().text());
  auto source = connections::open({*compiled, with_owner_hook(owner)});
  if (!source) throw std::runtime_error(source.error().text());
  source_ = std::move(*source);
  thread_ = std::thread([this] { run(); });
}

Watch::~Watch() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void Watch::run() {
  pipeline::EventBatch<Connection> batch;
  bool stopped = false;
  while (!source_->finished()) {
    if (stop_ && !stopped) {
      stopped = true;
      (void)source_->stop();
    }
    if (!source_->read(batch, std::chrono::milliseconds{20})) return;
    const std::lock_guard lock(mutex_);
    for (auto& event : batch.events)
      if (namespaces_.contains(event.socket.network_namespace)) events_.push_back(std::move(event));
  }
}

std::vector<Connection> Watch::events() {
  const std::lock_guard lock(mutex_);
  return events_;
}

bool Watch::has_notice(const std::string& words) const {
  return std::ranges::any_of(source_->notices(),
                             [&](const std::string& notice) { return notice.find(words) != std::string::npos; });
}

bool Watch::wait_for_count(std::size_t count, std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < end) {
    {
      const std::lock_guard lock(mutex_);
      if (events_.size() >= count) return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  return false;
}

std::optional<Connection> Watch::find(const Matches& matches, std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (true) {
    const auto seen = events();
    const auto found = std::ranges::find_if(seen, matches);
    if (found != seen.end()) return *found;
    if (std::chrono::steady_clock::now() >= end) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
}

std::optional<Connection> Watch::find(ConnectionEvent event, const NetworkNamespace& where) {
  return find([event, inode = inode_of(where)](const Connection& connection) {
    return connection.event == event && connection.socket.network_namespace == inode;
  });
}

std::vector<Connection> Watch::finish() {
  stop_ = true;
  thread_.join();
  return events();
}

std::string describe(const std::vector<Connection>& connections) {
  std::string text;
  for (const auto& connection : connections)
    text += fmt::format("{} {} {} {} {} pid {} error {}\n", connection_event_name(connection.event),
                        connection.socket.local.text(), connection_direction_name(connection.direction),
                        connection.socket.remote.text(), connection_end_name(connection.end),
                        connection.owner.owner.pid, connection.error);
  return text;
}

}  // namespace sonde::test
