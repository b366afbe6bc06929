// SPDX-License-Identifier: Apache-2.0
#include "watch.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "export/events/retransmission.hpp"
#include "filter/filter.hpp"
#include "harness/owner_hook.hpp"
#include "sensors/retransmissions/retransmissions.hpp"

namespace sonde::test {

namespace {

class Collector final : public pipeline::EventSink<Retransmission> {
 public:
  explicit Collector(std::vector<Retransmission>& events) : events_(events) {}
  Result<void> write(std::span<const Retransmission> events) override {
    events_.insert(events_.end(), events.begin(), events.end());
    return {};
  }
  Result<void> flush() override { return {}; }
  Result<void> finish(const pipeline::EventTotals&) override { return {}; }
  [[nodiscard]] std::uint64_t written() const override { return events_.size(); }

 private:
  std::vector<Retransmission>& events_;
};

template <class Value>
Value value_of(Result<Value> result) {
  if (!result) throw std::runtime_error(result.error().text());
  return std::move(*result);
}

}  // namespace

Watch::Watch(const FilterOptions& filter, const OwnerOptions& owner)
    : source_(value_of(retransmissions::open({value_of(filter::compile(filter)), with_owner_hook(owner)}))) {
  thread_ = std::thread([this] {
    std::vector<std::unique_ptr<pipeline::EventSink<Retransmission>>> sinks;
    sinks.push_back(std::make_unique<Collector>(events_));
    loss_ = pipeline::EventLoop<Retransmission>(*source_, sinks, {}, stop_).run().summary.loss;
  });
}

Watch::~Watch() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

std::vector<Retransmission> Watch::stop(const std::set<std::uint32_t>& namespaces) {
  stop_ = true;
  thread_.join();
  EXPECT_TRUE(loss_.balanced());
  // An interrupt may find a program and its double at work on its CPU, which is rare but for emulated machines. The
  // segments are told with the next event of the socket.
  EXPECT_EQ(loss_.lost(), loss_.stages.at(0).lost) << "lost behind the hook";
  std::vector<Retransmission> here;
  std::ranges::copy_if(events_, std::back_inserter(here),
                       [&](const auto& event) { return namespaces.contains(event.socket.network_namespace); });
  return here;
}

std::map<std::string, std::uint64_t> TcpCounters::read() const {
  const auto rows = lines_of(where_.run("cat /proc/net/snmp /proc/net/netstat"));
  std::map<std::string, std::uint64_t> counters;
  for (std::size_t i = 0; i + 1 < rows.size(); i += 2) {
    if (!rows[i].starts_with("Tcp:") && !rows[i].starts_with("TcpExt:")) continue;
    const auto names = split(rows[i], ' ');
    const auto values = split(rows[i + 1], ' ');
    for (std::size_t k = 1; k < names.size(); ++k)
      counters[names[k]] = static_cast<std::uint64_t>(std::stoll(values[k]));
  }
  return counters;
}

std::uint32_t inode(const NetworkNamespace& where) {
  struct stat status {};
  if (::fstat(where.fd(), &status) != 0) throw std::runtime_error("fstat of a namespace");
  return static_cast<std::uint32_t>(status.st_ino);
}

std::unique_ptr<Process> start_traffic(const NetworkNamespace& where, std::vector<std::string> words) {
  words.insert(words.begin(), {"python3", "-IS", SONDE_TRAFFIC});
  return std::make_unique<Process>(where, std::move(words));
}

std::map<std::uint16_t, std::uint32_t> ports_of(const Process& program) {
  std::map<std::uint16_t, std::uint32_t> ports;
  for (const auto& line : lines_of(program.output())) {
    const auto words = split(line, ' ');
    if (words.size() != 2 || words[0].find_first_not_of("0123456789") != std::string::npos) continue;
    ports[static_cast<std::uint16_t>(std::stoul(words[1]))] = static_cast<std::uint32_t>(std::stoul(words[0]));
  }
  return ports;
}

std::map<std::uint16_t, std::uint64_t> retransmitted_by(const Process& program) {
  std::map<std::uint16_t, std::uint64_t> counts;
  for (const auto& line : lines_of(program.output())) {
    const auto words = split(line, ' ');
    if (words.size() == 3 && words[0] == "retransmitted")
      counts[static_cast<std::uint16_t>(std::stoul(words[1]))] = std::stoull(words[2]);
  }
  return counts;
}

std::uint32_t opener_of(const Process& program) {
  for (const auto& line : lines_of(program.output()))
    if (line.starts_with("opener ")) return static_cast<std::uint32_t>(std::stoul(line.substr(7)));
  throw std::runtime_error("no opener: " + program.output() + program.errors());
}

std::uint64_t segments(const std::vector<Retransmission>& events, const std::vector<RetransmissionKind>& kinds) {
  std::uint64_t sum = 0;
  for (const auto& event : events) {
    if (kinds.empty())
      sum += event.segments + event.unreported;
    else if (std::ranges::find(kinds, event.kind) != kinds.end())
      sum += event.segments;
  }
  return sum;
}

std::string lines(const std::vector<Retransmission>& events) {
  std::string text;
  constexpr std::size_t most = 60;
  for (const auto& event : std::span(events).first(std::min(events.size(), most)))
    text += exporter::retransmission_line(event, false) + "\n";
  return text;
}

void drop_received(const NetworkNamespace& where, const std::string& match) {
  where.run("nft 'table inet loss { chain in { type filter hook prerouting priority -400; " + match + " drop; }; }'");
}

void stop_dropping(const NetworkNamespace& where) { where.run("nft delete table inet loss"); }

}  // namespace sonde::test
