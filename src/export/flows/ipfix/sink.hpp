// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "export/flows/sinks.hpp"
#include "sonde/result.hpp"

namespace sonde::exporter {

struct IpfixOptions {
  std::string collector;  ///< HOST:PORT
  std::uint32_t observation_domain = 1;
};

/// Sends records to a collector by UDP. That it cannot be reached ends nothing: what did not arrive, as far as ICMP and
/// the kernel tell, is counted and told.
[[nodiscard]] Result<std::unique_ptr<FlowSink>> make_ipfix_sink(const IpfixOptions& options);

}  // namespace sonde::exporter
