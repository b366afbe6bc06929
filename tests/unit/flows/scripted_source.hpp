// SPDX-License-Identifier: Apache-2.0
// A source of flows that a test writes: what each collection shows.
#pragma once
#include <sonde/abi/flow.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "pipeline/flows.hpp"

namespace sonde::test {

/// A flow as the test wants it, and how it is described.
struct ScriptedFlow {
  sonde_flow flow{};
  SocketOwner opener_owner, responder_owner;
  std::string name;
};

/// Addresses as "10.0.0.1" or "2001:db8::1". The opener is put where its key belongs.
ScriptedFlow make_flow(const std::string& opener, std::uint16_t opener_port, const std::string& responder,
                       std::uint16_t responder_port, std::uint8_t protocol = 6);

/// Of an owner that is known.
SocketOwner owned_by(const std::string& comm, std::uint32_t pid, const std::string& container = {});

/// end 0: of the opener.
void add_packets(ScriptedFlow& flow, std::size_t end, std::uint64_t packets, std::uint64_t bytes);

class ScriptedSource final : public pipeline::FlowSource {
 public:
  std::map<std::uint64_t, ScriptedFlow> flows;  ///< by id
  std::int64_t now_ns = 1'000'000'000;
  std::uint64_t described = 0;  ///< how often describe() was called

  /// Shows all flows that grew or are among `ended`, with deltas since the last call; ended ones are forgotten.
  void show(pipeline::FlowVisitor& visitor, const std::map<std::uint64_t, FlowEnd>& ended = {});

  Result<void> collect(pipeline::FlowVisitor& visitor) override {
    show(visitor);
    return {};
  }
  Result<void> poll(std::chrono::milliseconds) override { return {}; }
  Result<void> stop() override { return {}; }
  [[nodiscard]] bool finished() const override { return false; }
  [[nodiscard]] Flow describe(const pipeline::FlowSample& sample) override;
  [[nodiscard]] std::int64_t now_wall_ns() const override { return now_ns; }
  [[nodiscard]] std::int64_t to_wall_ns(std::uint64_t time) const override { return static_cast<std::int64_t>(time); }
  [[nodiscard]] std::vector<LossStage> loss() const override { return {{"flows", shown_, shown_, 0, 0, ""}}; }
  [[nodiscard]] const InterfaceTable& interfaces() const override { return table_; }
  [[nodiscard]] std::vector<std::string> notices() const override { return {}; }

 private:
  std::map<std::uint64_t, std::array<pipeline::FlowCount, 2>> collected_;
  std::uint64_t shown_ = 0;
  InterfaceTable table_;
};

}  // namespace sonde::test
