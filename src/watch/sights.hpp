// SPDX-License-Identifier: Apache-2.0
// What a flow source collects, as the detectors want to see it.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "detect/detector.hpp"
#include "enrich/country/country.hpp"
#include "pipeline/flows.hpp"
#include "watch/local_addresses.hpp"

namespace sonde::watch {

/// Which end of a flow is this host's: by the addresses where they are known; else an end is local if all that it sent
/// was seen going out.
[[nodiscard]] std::array<bool, 2> local_sides(const sonde_flow& flow, const LocalAddresses& local);

/// Visits one collection after the other. Owners and names are looked up for flows that this host opened, at most
/// 4096 of them a collection, so that a million flows stay cheap.
class Sights final : public pipeline::FlowVisitor {
 public:
  /// All of them must outlive it. `countries` may be null.
  Sights(pipeline::FlowSource& source, detect::Detectors& detectors, const LocalAddresses& local,
         const enrich::CountryFile* countries, detect::Report report)
      : source_(source), detectors_(detectors), local_(local), countries_(countries), report_(std::move(report)) {}

  void begin();
  void visit(const pipeline::FlowSample& sample) override;
  void visit(const pipeline::FlowPacket& packet) override;
  /// DNS messages are shown here: by then the owners of their flows are known.
  void end();

  /// Packets of all flows that were shown.
  [[nodiscard]] std::uint64_t packets() const { return packets_; }
  [[nodiscard]] std::uint64_t flows() const { return flows_; }
  /// From the first packet of a flow to the last one.
  [[nodiscard]] std::chrono::nanoseconds packet_time() const { return std::chrono::nanoseconds(last_ns_ - first_ns_); }
  /// DNS messages that were not shown: more than 16384 in a collection.
  [[nodiscard]] std::uint64_t dns_left_out() const { return dns_left_out_; }

 private:
  struct Dns {
    detect::DnsSight sight;
    std::string name;
  };

  void keep_dns(const pipeline::FlowPacket& packet);
  void show_arp(const pipeline::FlowPacket& packet);
  [[nodiscard]] bool wants_description(const detect::FlowSight& sight);
  void show_described(const pipeline::FlowSample& sample, detect::FlowSight& sight);
  [[nodiscard]] const std::string& interface_of(const pipeline::FlowSample& sample);

  pipeline::FlowSource& source_;
  detect::Detectors& detectors_;
  const LocalAddresses& local_;
  const enrich::CountryFile* countries_;
  detect::Report report_;
  std::map<std::uint32_t, std::string> interfaces_;  ///< by group
  std::vector<Dns> dns_;
  std::map<Endpoint, SocketOwner> dns_owners_;  ///< of this collection, by client
  std::uint32_t descriptions_left_ = 0;
  std::uint64_t packets_ = 0;
  std::uint64_t flows_ = 0;
  std::int64_t first_ns_ = 0;
  std::int64_t last_ns_ = 0;
  std::uint64_t dns_left_out_ = 0;
};

}  // namespace sonde::watch
