// SPDX-License-Identifier: Apache-2.0
// The packets sensor: a source of every packet of some interfaces, through eBPF.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "filter/filter.hpp"
#include "pipeline/source.hpp"
#include "sensors/packets/attachment.hpp"
#include "sensors/packets/program.hpp"
#include "sensors/packets/readers.hpp"
#include "sonde/owner.hpp"
#include "sonde/result.hpp"

namespace sonde::packets {

/// Are the packets' owners wanted?
enum class OwnersChoice {
  off,
  automatic,  ///< where they are to be had, else a notice
  required,   ///< or an error
};

struct PacketsOptions {
  std::vector<std::string> interfaces;  ///< names; "any" among them: all, also those that appear later
  ProgramOptions program;
  AttachOptions attach;
  OwnersChoice owners = OwnersChoice::off;
  OwnerOptions owner;
  std::size_t buffer_bytes = 16 * 1024 * 1024;  ///< of all rings together
};

/// Loads and attaches. ErrorKind::usage: no such interface (the message lists those that exist).
[[nodiscard]] Result<std::unique_ptr<pipeline::Source>> open(PacketsOptions options);

/// "hook", "ring" and "decode" of a loaded object and its reader; no reader: statistics only.
[[nodiscard]] std::vector<LossStage> loss_stages(const kernel::Object& object, const Reader* reader);

/// Those of the programs that are needed on these interfaces, which `names` asked for.
void choose_programs(const std::vector<kernel::InterfaceInfo>& interfaces, const std::vector<std::string>& names,
                     const AttachOptions& attach, ProgramOptions& program);

/// The interfaces of these names, all of them for "any". ErrorKind::usage as above.
[[nodiscard]] Result<std::vector<kernel::InterfaceInfo>> select_interfaces(const std::vector<std::string>& names);

}  // namespace sonde::packets
