// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "sensors/retransmissions/retransmissions.abi.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/wall_clock.hpp"
#include "sonde/retransmission.hpp"

namespace sonde::retransmissions {

/// Names that the running kernel gives to numbers.
struct KernelNames {
  std::string (*reason)(std::uint32_t number);
  std::string (*function)(std::uint64_t address);
};

/// The record at the beginning of the bytes; nothing: it is too short or of another type.
[[nodiscard]] std::optional<sonde_retransmission_event> read_record(std::span<const std::uint8_t> bytes);

/// All but the owner.
[[nodiscard]] Retransmission decode(const sonde_retransmission_event& event, const WallClock& clock,
                                    const KernelNames& names);

}  // namespace sonde::retransmissions
