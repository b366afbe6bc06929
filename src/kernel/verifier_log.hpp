// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

namespace sonde::kernel {

/// The line of a libbpf log that says why the verifier refused, with the number of lines left out:
/// "invalid access to packet, off=34 size=1 (112 lines omitted)". Empty when the log is.
[[nodiscard]] std::string verifier_reason(std::string_view log);

}  // namespace sonde::kernel
