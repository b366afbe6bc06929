// SPDX-License-Identifier: Apache-2.0
// Every segment that TCP sends again on this host, in all network namespaces.
#pragma once
#include <memory>

#include "pipeline/events.hpp"
#include "sensors/events/sensor.hpp"
#include "sonde/result.hpp"
#include "sonde/retransmission.hpp"

namespace sonde::retransmissions {

/// Loads and attaches; closing it detaches. The filter is asked about the segment that is sent again, and about the
/// packets that the peer sends on the same connection.
[[nodiscard]] Result<std::unique_ptr<pipeline::EventSource<Retransmission>>> open(const events::SensorRequest& request);

}  // namespace sonde::retransmissions
