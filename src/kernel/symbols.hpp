// SPDX-License-Identifier: Apache-2.0
// Names that the running kernel gives: functions by address, enumerators by value.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "sonde/result.hpp"

namespace sonde::kernel {

/// /proc/kallsyms, read at the first question. Thread-safe.
/// "tcp_v4_rcv": the function that holds the address; "" if the kernel hides its addresses or there is none.
[[nodiscard]] std::string function_at(std::uint64_t address);

/// Enumerators of an enum of the kernel's BTF by value, without `prefix`: ("skb_drop_reason", "SKB_DROP_REASON_") gives
/// {2: "NOT_SPECIFIED", 3: "NO_SOCKET", ...}. Empty when the kernel has no such enum.
[[nodiscard]] const std::map<std::uint32_t, std::string>& enum_names(std::string_view type, std::string_view prefix);

}  // namespace sonde::kernel
