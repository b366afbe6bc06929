// SPDX-License-Identifier: Apache-2.0
// Abnormal connections of this host's processes. Each detector has at most 128 events at a time.
#pragma once
#include <memory>

#include "detect/incident.hpp"

namespace sonde::detect {

/// New country or port of a program whose owner is known. At most 512 programs of 3 kB.
[[nodiscard]] std::unique_ptr<Detector> make_destination_detector(const Context& context);
/// Calls at regular intervals. At most 4096 pairs of an address and a service, of 500 bytes.
[[nodiscard]] std::unique_ptr<Detector> make_beacon_detector(const Context& context);
/// Connections that stay open and say nothing. At most 4096 connections of 300 bytes.
[[nodiscard]] std::unique_ptr<Detector> make_idle_detector(const Context& context);
/// Programs whose connects fail one after the other. At most 512 programs of 128 failures, 4 MB.
[[nodiscard]] std::unique_ptr<Detector> make_failure_detector(const Context& context);

}  // namespace sonde::detect
