// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/server/health.hpp"

#include "actuators/proxy/process/log.hpp"
#include "actuators/proxy/server/connect.hpp"

namespace sonde::proxy {
namespace {

// Whether a connection comes about in time; it is closed at once.
Task<Result<void>> try_once(Loop& loop, Resolver& resolver, ProxyUpstream upstream, std::chrono::milliseconds timeout) {
  auto resolved = co_await resolver.resolve(upstream.host);
  if (!resolved) co_return std::unexpected(resolved.error());
  auto addresses = std::move(resolved->addresses);
  for (auto& address : addresses) address.port = upstream.port;
  ConnectOptions options{timeout, {}};
  auto connected = co_await connect_any(loop, std::move(addresses), std::move(options));
  if (!connected) co_return std::unexpected(connected.error());
  co_return Result<void>{};
}

}  // namespace

Task<> HealthChecks::check(std::shared_ptr<UpstreamGroup> group, std::size_t index) {
  const auto& settings = group->health_check();
  const auto& upstream = group->upstream(index);
  for (;;) {
    auto result = co_await try_once(loop_, resolver_, upstream, settings.timeout);
    if (group->checked(index, result.has_value()))
      log(result ? LogLevel::info : LogLevel::warn, "health", "{} is {}{}", upstream.text(), result ? "up" : "down",
          result ? "" : ": " + result.error().text());
    co_await loop_.sleep_until(loop_.now() + settings.interval);
  }
}

void HealthChecks::follow(const SnapshotPointer& snapshot) {
  std::map<std::shared_ptr<UpstreamGroup>, std::vector<Task<>>> wanted;
  for (const auto& route : snapshot->routes.all()) {
    const auto& group = route->upstreams;
    if (!group || group->health_check().interval.count() == 0) continue;
    auto running = tasks_.extract(group);
    if (!running.empty()) {
      wanted.insert(std::move(running));
      continue;
    }
    auto& tasks = wanted[group];
    for (std::size_t i = 0; i < group->size(); ++i) tasks.push_back(check(group, i));
  }
  tasks_ = std::move(wanted);
  for (auto& [group, tasks] : tasks_)
    for (auto& task : tasks)
      if (!task.started()) task.start();
}

}  // namespace sonde::proxy
