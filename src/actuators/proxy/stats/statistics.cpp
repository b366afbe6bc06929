// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/stats/statistics.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "actuators/proxy/process/log.hpp"
#include "actuators/proxy/stats/client_file.hpp"
#include "actuators/proxy/stats/record_line.hpp"
#include "actuators/proxy/stats/trackers.hpp"
#include "actuators/proxy/stats/words.hpp"
#include "base/wall_clock.hpp"

namespace sonde::proxy {
namespace {

// Members are what `key` of the configuration names.
std::unexpected<Error> of_key(const char* key, Error error) {
  error.message = fmt::format("{}: {}", key, error.message);
  return std::unexpected(std::move(error));
}

Result<void> open_file(const char* key, const std::string& path, std::optional<StateFile>& file) {
  if (path.empty()) return {};
  auto opened = StateFile::open(path);
  if (!opened) return of_key(key, opened.error());
  file = std::move(*opened);
  return {};
}

std::int64_t now_seconds() { return wall_now_ns() / 1'000'000'000; }

}  // namespace

Statistics::Statistics()
    : started_(std::chrono::steady_clock::now()),
      started_wall_ns_(wall_now_ns()),
      trackers_(std::make_unique<Trackers>()) {}

Statistics::~Statistics() = default;

Result<std::unique_ptr<Statistics>> Statistics::open(const ProxyConfig& config, unsigned workers) {
  std::unique_ptr<Statistics> statistics(new Statistics);
  statistics->rows_ = std::vector<Row>(std::max(workers, 1U));
  Trackers& trackers = *statistics->trackers_;
  if (config.ip_traffic.enabled) {
    trackers.clients = std::make_unique<ClientTraffic>(config.ip_traffic.max_tracked_ips);
    if (auto opened =
            open_file("ip_traffic_tracking.output_file", config.ip_traffic.output_file, trackers.client_output);
        !opened)
      return std::unexpected(opened.error());
    if (auto opened = open_file("ip_traffic_tracking.persistence_file", config.ip_traffic.persistence_file,
                                trackers.client_persistence);
        !opened)
      return std::unexpected(opened.error());
    if (trackers.client_persistence)
      if (auto loaded = load_clients(*trackers.client_persistence, *trackers.clients); !loaded)
        return of_key("ip_traffic_tracking.persistence_file", loaded.error());
  }
  if (config.domain_ips.enabled) {
    trackers.domains = std::make_unique<DomainAddresses>();
    if (auto opened =
            open_file("domain_ip_tracking.output_file", config.domain_ips.output_file, trackers.domain_output);
        !opened)
      return std::unexpected(opened.error());
  }
  if (!config.access_log.empty()) {
    auto access_log = AccessLog::open(config.access_log);
    if (!access_log) return of_key("access_log", access_log.error());
    trackers.access_log = std::move(*access_log);
  }
  return statistics;
}

std::uint64_t Statistics::sum(Counter counter) const {
  std::uint64_t sum = 0;
  for (const Row& row : rows_) sum += row.values[static_cast<std::size_t>(counter)].load(std::memory_order_relaxed);
  return sum;
}

std::uint64_t Statistics::sum(Refusal refusal) const {
  std::uint64_t sum = 0;
  for (const Row& row : rows_) sum += row.refusals[static_cast<std::size_t>(refusal)].load(std::memory_order_relaxed);
  return sum;
}

void Statistics::add_traffic(unsigned worker, const Endpoint& client, std::uint64_t received, std::uint64_t sent) {
  if (received == 0 && sent == 0) return;
  add(worker, Counter::bytes_received, received);
  add(worker, Counter::bytes_sent, sent);
  if (trackers_->clients)
    trackers_->clients->add(client, {.connections = 0, .received = received, .sent = sent}, now_seconds());
}

void Statistics::add_client_connection(const Endpoint& client) {
  if (trackers_->clients) trackers_->clients->add(client, {.connections = 1, .received = 0, .sent = 0}, now_seconds());
}

void Statistics::add_domain_address(std::string_view domain, const Endpoint& address) {
  if (trackers_->domains) trackers_->domains->add(domain, address);
}

void Statistics::log(const ConnectionRecord& record) {
  if (!record.end.empty()) trackers_->count_end(record.end);
  if (trackers_->access_log) trackers_->access_log->add(record_line(record));
}

Result<void> Statistics::save() {
  const std::lock_guard lock(trackers_->save_mutex);
  Result<void> outcome;
  const auto take = [&](const char* key, Result<void> done) {
    if (!done && outcome) outcome = of_key(key, done.error());
  };
  if (trackers_->client_persistence)
    take("ip_traffic_tracking.persistence_file",
         save_clients(*trackers_->client_persistence, *trackers_->clients, now_seconds()));
  if (trackers_->client_output)
    take("ip_traffic_tracking.output_file",
         trackers_->client_output->write(
             client_file_text(trackers_->clients->sums(), trackers_->clients->limit(), wall_now_ns()), false));
  if (trackers_->domain_output)
    take("domain_ip_tracking.output_file",
         trackers_->domain_output->write(domain_file_text(trackers_->domains->snapshot(), wall_now_ns()), false));
  return outcome;
}

void Statistics::reopen() {
  if (!trackers_->access_log) return;
  if (const auto opened = trackers_->access_log->reopen(); !opened)
    proxy::log(LogLevel::warn, "access log", "not reopened, goes on in the old file: {}", opened.error().text());
}

}  // namespace sonde::proxy
