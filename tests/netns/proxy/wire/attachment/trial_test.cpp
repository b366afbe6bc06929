// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/wire/trial.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/capability.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <vector>

#include "harness/netns.hpp"

namespace sonde::test {
namespace {

using proxy::try_wire;
using proxy::WireTrial;
using testing::HasSubstr;

std::ptrdiff_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
}

// In a network namespace of its own: others come and go in that of the host. It pins nothing; of what it loads, the
// descriptors tell.
TEST(wire_trial, passes_here_and_leaves_nothing) {
  const NetworkNamespace host;
  const auto interfaces = host.run("ip -o link show");
  const auto descriptors = open_descriptors();
  host.call([] {
    for (int i = 0; i < 3; ++i) {
      const auto trial = try_wire();
      EXPECT_EQ(trial.outcome, WireTrial::Outcome::passed) << trial.text;
      EXPECT_THAT(trial.text, HasSubstr("2 MiB each way"));
    }
  });
  EXPECT_EQ(host.run("ip -o link show"), interfaces);
  EXPECT_EQ(open_descriptors(), descriptors);
}

/// In a child without these capabilities; the number of the outcome, and the text on standard output.
WireTrial without(const std::vector<cap_value_t>& capabilities) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe(ends.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    cap_t own = ::cap_get_proc();
    for (const auto flag : {CAP_EFFECTIVE, CAP_PERMITTED})
      ::cap_set_flag(own, flag, static_cast<int>(capabilities.size()), capabilities.data(), CAP_CLEAR);
    if (::cap_set_proc(own) != 0) ::_exit(9);
    const auto trial = try_wire();
    if (::write(ends[1], trial.text.data(), trial.text.size()) < 0) ::_exit(9);
    ::_exit(static_cast<int>(trial.outcome));
  }
  ::close(ends[1]);
  WireTrial result;
  std::array<char, 4096> text{};
  for (ssize_t size = 0; (size = ::read(ends[0], text.data(), text.size())) > 0;)
    result.text.append(text.data(), static_cast<std::size_t>(size));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_LT(WEXITSTATUS(status), 9);
  result.outcome = static_cast<WireTrial::Outcome>(WEXITSTATUS(status));
  return result;
}

TEST(wire_trial, says_that_there_can_be_no_namespaces) {
  const auto trial = without({CAP_SYS_ADMIN});
  EXPECT_EQ(trial.outcome, WireTrial::Outcome::untried) << trial.text;
  EXPECT_THAT(trial.text, HasSubstr("network namespace"));
}

TEST(wire_trial, says_that_programs_cannot_be_loaded) {
  const auto trial = without({CAP_BPF, CAP_SYS_ADMIN});
  EXPECT_NE(trial.outcome, WireTrial::Outcome::passed) << trial.text;
}

}  // namespace
}  // namespace sonde::test
