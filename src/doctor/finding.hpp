// SPDX-License-Identifier: Apache-2.0
// What one probe found.
#pragma once
#include <functional>
#include <map>
#include <string>

#include "sonde/doctor.hpp"
#include "sonde/result.hpp"

namespace sonde::doctor {

struct Finding {
  Answer answer = Answer::unknown;
  std::string hook;
  std::string reason;
  std::string advice;

  bool operator==(const Finding&) const = default;
};

/// By the name of the feature.
using Findings = std::map<std::string, Finding, std::less<>>;

[[nodiscard]] inline Finding yes(std::string hook = {}) { return {Answer::yes, std::move(hook), {}, {}}; }
[[nodiscard]] inline Finding no(std::string reason, std::string advice = {}) {
  return {Answer::no, {}, std::move(reason), std::move(advice)};
}
[[nodiscard]] inline Finding cannot_tell(std::string reason, std::string advice = {}) {
  return {Answer::unknown, {}, std::move(reason), std::move(advice)};
}

/// The finding of that name; "not tried" if there is none.
[[nodiscard]] Finding find(const Findings& findings, std::string_view name);

}  // namespace sonde::doctor
