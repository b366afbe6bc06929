// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "sonde/flow_stream.hpp"

namespace sonde::test {

/// A closed HTTPS connection from 10.0.0.1:40000 to 10.0.0.2:443, or between 2001:db8::1 and ::2, by eth0 (2).
FlowRecord sample_record(bool ipv6 = false);

/// Three rows: the record above with an owner and a name, DNS over IPv6, and a ping nobody owns.
FlowTable sample_table();

}  // namespace sonde::test
