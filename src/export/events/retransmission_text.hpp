// SPDX-License-Identifier: Apache-2.0
// Words that lines and summaries of retransmissions share.
#pragma once
#include <string>

#include "sonde/retransmission.hpp"

namespace sonde::exporter {

/// "lost here: QDISC_DROP in veth0", "lost on the wire", "not answered", "2 needless: D-SACK" ... in a few words.
[[nodiscard]] std::string retransmission_cause(const Retransmission& event);

/// The kind in JSON: "rto", "syn_ack" ...
[[nodiscard]] const char* retransmission_kind_word(RetransmissionKind kind);

}  // namespace sonde::exporter
