// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "traffic.hpp"

namespace sonde::corpus {

/// Writes the traffic (sorted) as a pcap file with nanoseconds: real packets with right lengths and checksums, so that
/// `sonde watch -r` and others see the same scene. A packet that stands for many is written so many times. False: the
/// file cannot be written.
[[nodiscard]] bool write_pcap(const Traffic& traffic, const std::string& path);

}  // namespace sonde::corpus
