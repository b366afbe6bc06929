// SPDX-License-Identifier: Apache-2.0
#include "export/flows/ipfix/sink.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "export/flows/ipfix/collector.hpp"
#include "export/flows/ipfix/encoder.hpp"

namespace sonde::exporter {
namespace {

constexpr int last_answer_ms = 50;

std::uint32_t now() { return static_cast<std::uint32_t>(std::time(nullptr)); }

class IpfixSink final : public FlowSink {
 public:
  IpfixSink(ipfix::Collector collector, std::uint32_t domain)
      : collector_(std::move(collector)), encoder_(domain, [this](const ipfix::Message& message) { send(message); }) {}

  Result<void> write(const FlowRecord& record) override {
    encoder_.set_max_size(collector_.payload_size());
    encoder_.add(record, now());
    return {};
  }
  // Records wait for the end of the collection that gave them.
  Result<void> flush() override {
    encoder_.flush();
    return {};
  }
  Result<void> finish(const FlowSummary& summary) override;
  [[nodiscard]] std::uint64_t packets() const override { return packets_ - lost_packets_; }
  [[nodiscard]] std::uint64_t records() const override { return records_ - lost_records_; }
  [[nodiscard]] std::vector<std::string> notices() const override { return notices_; }

 private:
  void send(const ipfix::Message& message);
  void lose(const ipfix::Message& message, int code);
  void tell(const std::string& why);

  ipfix::Collector collector_;
  ipfix::Encoder encoder_;
  ipfix::Message before_;  ///< counts of the last message that was sent: nothing has come back about it yet
  std::uint64_t packets_ = 0, records_ = 0;
  std::uint64_t lost_packets_ = 0, lost_records_ = 0, lost_messages_ = 0;
  std::vector<std::string> notices_;
};

void IpfixSink::send(const ipfix::Message& message) {
  packets_ += message.packets;
  records_ += message.records;
  const auto sent = collector_.send(message.bytes);
  if (sent.refused_before) lose(before_, ECONNREFUSED);
  before_ = {};
  if (!sent.ok)
    lose(message, sent.code);
  else
    before_ = {{}, message.records, message.packets};
}

// A router may keep its ICMP to itself: what is counted here is the least that was lost.
void IpfixSink::lose(const ipfix::Message& message, int code) {
  ++lost_messages_;
  lost_packets_ += message.packets;
  lost_records_ += message.records;
  if (lost_messages_ == 1) tell(std::string("messages do not arrive: ") + std::strerror(code));
}

void IpfixSink::tell(const std::string& why) { notices_.push_back("collector " + collector_.name() + ": " + why); }

Result<void> IpfixSink::finish(const FlowSummary& summary) {
  encoder_.flush();
  if (collector_.was_refused(last_answer_ms)) lose(std::exchange(before_, {}), ECONNREFUSED);
  std::uint64_t ignored = 0;
  for (const auto& stage : summary.loss.stages) ignored += stage.name == "output" ? 0 : stage.lost;
  encoder_.finish({records(), ignored, lost_records_, lost_packets_}, now());
  if (lost_messages_ > 0)
    tell(fmt::format("{} messages with {} records of {} packets did not arrive", lost_messages_, lost_records_,
                     lost_packets_));
  return {};
}

}  // namespace

Result<std::unique_ptr<FlowSink>> make_ipfix_sink(const IpfixOptions& options) {
  auto collector = ipfix::Collector::open(options.collector);
  if (!collector) return std::unexpected(collector.error());
  return std::make_unique<IpfixSink>(std::move(*collector), options.observation_domain);
}

}  // namespace sonde::exporter
