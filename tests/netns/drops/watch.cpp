// SPDX-License-Identifier: Apache-2.0
#include "watch.hpp"

#include <sys/stat.h>

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "export/events/drop.hpp"
#include "filter/filter.hpp"
#include "harness/command.hpp"
#include "harness/owner_hook.hpp"
#include "sensors/drops/drops.hpp"

namespace sonde::test {
namespace {

using Source = pipeline::EventSource<Drop>;

std::unique_ptr<Source> open_source(const WatchOptions& options) {
  auto compiled = filter::compile(options.filter);
  if (!compiled) throw std::runtime_error(compiled.error().text());
  events::SensorRequest request{std::move(*compiled), with_owner_hook({}), options.buffer_bytes};
  request.owner.filter = options.owners;
  auto source = drops::open(request);
  if (!source) throw std::runtime_error(source.error().text());
  return std::move(*source);
}

void read_until_finished(Source& source, const std::atomic<bool>& stop, std::vector<Drop>& drops) {
  pipeline::EventBatch<Drop> batch;
  bool stopped = false;
  while (!source.finished()) {
    if (!stopped && stop.load()) {
      stopped = true;
      (void)source.stop();
    }
    (void)source.read(batch, std::chrono::milliseconds{20});
    for (auto& drop : batch.events) drops.push_back(std::move(drop));
  }
}

}  // namespace

SeenDrops watch_drops(const std::function<void()>& traffic, const WatchOptions& options) {
  SeenDrops seen;
  const auto source = open_source(options);
  std::atomic<bool> stop{false};
  std::thread reader([&] { read_until_finished(*source, stop, seen.drops); });
  std::exception_ptr failure;
  try {
    traffic();
  } catch (...) {
    failure = std::current_exception();
  }
  stop = true;
  reader.join();
  if (failure) std::rethrow_exception(failure);
  seen.loss.stages = source->loss();
  return seen;
}

std::vector<Drop> SeenDrops::in(const NetworkNamespace& where, const std::string& reason) const {
  std::vector<Drop> found;
  for (const auto& drop : drops)
    if (drop.network_namespace == inode_of(where) && (reason.empty() || drop.reason == reason)) found.push_back(drop);
  return found;
}

std::uint32_t inode_of(const NetworkNamespace& where) {
  struct ::stat status {};
  return ::fstat(where.fd(), &status) == 0 ? static_cast<std::uint32_t>(status.st_ino) : 0;
}

std::string lines_of(const std::vector<Drop>& drops) {
  std::string text;
  for (const auto& drop : drops) text += exporter::drop_line(drop, false) + "\n";
  return text;
}

// Two lines a protocol, names above values: "Udp: InDatagrams NoPorts" and "Udp: 5 1". snmp6 has a name a line.
std::uint64_t protocol_counter(const NetworkNamespace& where, const std::string& name) {
  const auto space = name.find(' ');
  const auto prefix = name.substr(0, space) + ":";
  const auto field = name.substr(space + 1);
  const auto text = lines_of(where.run("cat /proc/thread-self/net/snmp /proc/thread-self/net/netstat"));
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    const auto names = split(text[i], ' ');
    const auto values = split(text[i + 1], ' ');
    if (names.empty() || names[0] != prefix || values.size() != names.size()) continue;
    for (std::size_t j = 1; j < names.size(); ++j)
      if (names[j] == field) return std::stoull(values[j]);
  }
  const auto six =
      where.run("awk '$1 == \"" + name.substr(0, space) + field + "\" { print $2 }' /proc/thread-self/net/snmp6");
  return six.empty() ? 0 : std::stoull(six);
}

}  // namespace sonde::test
