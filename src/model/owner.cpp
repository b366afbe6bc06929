// SPDX-License-Identifier: Apache-2.0
#include "sonde/owner.hpp"

#include <array>
#include <cstddef>

namespace sonde {
namespace {

template <std::size_t size, class Value>
const char* name_in(const std::array<const char*, size>& names, Value value) {
  const auto index = static_cast<std::size_t>(value);
  return index < size ? names[index] : "";
}

}  // namespace

const char* owner_method_name(OwnerMethod method) {
  static constexpr std::array names{"none", "sk_storage", "iter", "cookie", "tuple"};
  return name_in(names, method);
}

const char* owner_confidence_name(OwnerConfidence confidence) {
  static constexpr std::array names{"none", "low", "medium", "high"};
  return name_in(names, confidence);
}

const char* owner_reason_text(sonde_owner_reason reason) {
  static constexpr std::array names{"",           "no socket", "not recorded", "kernel socket", "closed, in TIME-WAIT",
                                    "not tracked"};
  return name_in(names, reason);
}

const char* owner_evidence_name(sonde_owner_evidence evidence) {
  static constexpr std::array names{"", "created", "holds", "accepted", "closed", "sent"};
  return name_in(names, evidence);
}

}  // namespace sonde
