// SPDX-License-Identifier: Apache-2.0
// Which rung of the owner ladder the tests of sensors take.
#pragma once
#include <cstdlib>
#include <string_view>

#include "sonde/owner.hpp"

namespace sonde::test {

/// The rung that the environment variable SONDE_TEST_HOOK names, as OwnerOptions::hook does; else "auto".
inline const char* owner_hook() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets it
  const char* name = std::getenv("SONDE_TEST_HOOK");
  return name == nullptr || *name == '\0' ? "auto" : name;
}

/// With the rung of owner_hook(), unless the test asks for one itself.
inline OwnerOptions with_owner_hook(OwnerOptions options) {
  if (options.hook == "auto") options.hook = owner_hook();
  return options;
}

/// How that rung finds the owner of a socket.
inline OwnerMethod owner_hook_method() {
  return owner_hook() == std::string_view("kprobe") ? OwnerMethod::cookie : OwnerMethod::sk_storage;
}

}  // namespace sonde::test
