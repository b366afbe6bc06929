// SPDX-License-Identifier: Apache-2.0
// The self-test keeps good paths, and turns off those that corrupt, stall, lose or do nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actuators/proxy/forward/path_makers.hpp"
#include "actuators/proxy/forward/paths.hpp"
#include "actuators/proxy/wire/table.hpp"
#include "harness/netns.hpp"

namespace sonde::proxy {
namespace {

using sonde::test::NetworkNamespace;
using ::testing::HasSubstr;

ProxyConfig config_with(ProxyForwarding forwarding) {
  ProxyConfig config;
  config.listeners.push_back({.address = {}, .forwarding = forwarding});
  return config;
}

ProxyPathState state_of(const Paths& paths, ProxyForwarding path) {
  for (const auto& state : paths.states)
    if (state.path == path) return state;
  return {};
}

enum class Fault : std::uint8_t { corrupts, loses, withholds_the_end, does_nothing, stays_stalled, pretends };

/// Has the relay beneath it carry everything, and claims to have done it; but for its fault.
class FaultyRelay : public KernelRelay {
 public:
  FaultyRelay(Fault fault, const SocketPair& pair)
      : fault_(fault), client_fd_(pair.client_fd), upstream_fd_(pair.upstream_fd) {}
  void begin() override {}
  [[nodiscard]] Carried carried() const override {
    if (fault_ == Fault::does_nothing) return {};
    if (++asked_ == 1 && fault_ == Fault::corrupts) (void)::send(upstream_fd_, "x", 1, MSG_NOSIGNAL);
    if (asked_ == 1 && fault_ == Fault::loses) ::shutdown(upstream_fd_, SHUT_WR);
    return {1, 1};
  }
  [[nodiscard]] bool delivered(Direction) override { return fault_ != Fault::withholds_the_end; }
  // As long as little is held back, it goes on.
  [[nodiscard]] bool may_write(Direction) override {
    int held_back = 0;
    ::ioctl(client_fd_, FIONREAD, &held_back);
    return fault_ != Fault::stays_stalled || held_back <= 1 << 20;
  }

 private:
  Fault fault_;
  int client_fd_;
  int upstream_fd_;
  mutable int asked_ = 0;
};

class FaultyPath : public KernelPath {
 public:
  explicit FaultyPath(Fault fault) : fault_(fault) {}
  [[nodiscard]] ProxyForwarding kind() const override { return ProxyForwarding::bypass; }
  [[nodiscard]] bool suits(const Endpoint&, const Endpoint&) const override { return true; }
  [[nodiscard]] std::unique_ptr<KernelRelay> take(const SocketPair& pair) override {
    return std::make_unique<FaultyRelay>(fault_, pair);
  }

 private:
  Fault fault_;
};

// What stays when a proxy ends.
void remove_wire(Wire& wire) {
  EXPECT_TRUE(Attachment::remove(wire.table().reachable_directory()));
  EXPECT_TRUE(wire.table().unpin());
}

// A trial of the wire takes a second, and is not what most tests are about.
PathMakers without_wire() {
  PathMakers makers;
  makers.wire_trial = [] { return WireTrial{WireTrial::Outcome::untried, "not tried: no time"}; };
  return makers;
}

Paths paths_with(Fault fault) {
  auto makers = without_wire();
  makers.bypass = [fault](const ProxyConfig&) {
    return Result<std::unique_ptr<KernelPath>>(std::make_unique<FaultyPath>(fault));
  };
  return make_paths(config_with(ProxyForwarding::automatic), makers);
}

TEST(Paths, those_of_this_host_are_on) {
  NetworkNamespace().call([] {
    const auto paths = make_paths(config_with(ProxyForwarding::automatic));
    EXPECT_NE(paths.bypass, nullptr);
    EXPECT_EQ(paths.sockmap, nullptr);
    EXPECT_TRUE(paths.splice);
    EXPECT_NE(paths.wire, nullptr);
    ASSERT_EQ(paths.states.size(), 5U);
    EXPECT_THAT(state_of(paths, ProxyForwarding::bypass).reason, HasSubstr("half-close"));
    EXPECT_THAT(state_of(paths, ProxyForwarding::wire).reason, HasSubstr("network namespaces"));
    EXPECT_EQ(paths.summary(), "forwarding: bypass, wire, splice, copy on; sockmap off (not asked for)");
    remove_wire(*paths.wire);
  });
}

// Kernels before 6.4 need not have it, but say why.
TEST(Paths, the_sockmap_is_on_where_it_is_asked_for) {
  NetworkNamespace().call([] {
    const auto paths = make_paths(config_with(ProxyForwarding::sockmap));
    const auto state = state_of(paths, ProxyForwarding::sockmap);
    if (!state.on && state.reason.find("without bound") != std::string::npos) return;
    EXPECT_NE(paths.sockmap, nullptr) << state.reason;
    EXPECT_TRUE(state.on) << state.reason;
  });
}

TEST(Paths, faults_are_found) {
  NetworkNamespace().call([] {
    const std::pair<Fault, const char*> cases[] = {{Fault::corrupts, "corrupts"},
                                                   {Fault::loses, "loses"},
                                                   {Fault::withholds_the_end, "stalls"},
                                                   {Fault::does_nothing, "carries nothing"},
                                                   {Fault::stays_stalled, "stalled reader: stalls"}};
    for (const auto& [fault, word] : cases) {
      const auto paths = paths_with(fault);
      const auto state = state_of(paths, ProxyForwarding::bypass);
      EXPECT_EQ(paths.bypass, nullptr) << word;
      EXPECT_FALSE(state.on) << word;
      EXPECT_THAT(state.reason, HasSubstr(word));
      EXPECT_THAT(paths.summary(), HasSubstr("bypass off (self-test: "));
      EXPECT_TRUE(paths.splice) << word;
    }
  });
}

// Else the test above would pass whatever it is given.
TEST(Paths, the_faulty_path_without_a_fault_is_good) {
  NetworkNamespace().call([] { EXPECT_NE(paths_with(Fault::pretends).bypass, nullptr); });
}

TEST(Paths, what_the_configuration_does_not_want_is_not_made) {
  NetworkNamespace().call([] {
    auto config = config_with(ProxyForwarding::automatic);
    config.ebpf.sockmap = false;
    EXPECT_THAT(make_paths(config, without_wire()).summary(), HasSubstr("bypass off (ebpf.sockmap.enabled is false)"));
    config.ebpf.enabled = false;
    EXPECT_THAT(make_paths(config, without_wire()).summary(), HasSubstr("bypass off (ebpf.enabled is false)"));
    config = config_with(ProxyForwarding::copy);
    config.forwarding = ProxyForwarding::copy;
    EXPECT_THAT(make_paths(config, without_wire()).summary(), HasSubstr("bypass off (not asked for)"));
    config.routes.push_back({});
    config.routes.back().forwarding = ProxyForwarding::bypass;
    EXPECT_NE(make_paths(config, without_wire()).bypass, nullptr);
  });
}

TEST(Paths, without_privileges_the_others_are_on) {
  NetworkNamespace().call([] {
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setresuid(65534, 65534, 65534) != 0) ::_exit(2);
      const auto paths = make_paths(config_with(ProxyForwarding::automatic), without_wire());
      const auto state = state_of(paths, ProxyForwarding::bypass);
      const bool good = paths.bypass == nullptr && !state.on && state.reason.find("root") != std::string::npos &&
                        paths.splice && state_of(paths, ProxyForwarding::copy).on;
      if (!good) std::fputs((paths.summary() + "\n").c_str(), stderr);
      ::_exit(good ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  });
}

TEST(Paths, the_wire_is_made_if_its_trial_has_passed) {
  NetworkNamespace().call([] {
    using enum WireTrial::Outcome;
    for (const auto& [outcome, text] : {std::pair{failed, "self-test: stalls"}, std::pair{untried, "not tried: why"}}) {
      PathMakers makers;
      makers.wire_trial = [&] { return WireTrial{outcome, text}; };
      makers.wire = [](const ProxyConfig&) -> Result<std::unique_ptr<Wire>> {
        ADD_FAILURE() << "made";
        return fail(ErrorKind::failed, "made");
      };
      const auto paths = make_paths(config_with(ProxyForwarding::wire), makers);
      EXPECT_FALSE(state_of(paths, ProxyForwarding::wire).on);
      EXPECT_EQ(state_of(paths, ProxyForwarding::wire).reason, text);
      EXPECT_EQ(paths.wire, nullptr);
    }
    PathMakers makers;
    makers.wire_trial = [] { return WireTrial{passed, "self-test"}; };
    makers.wire = [](const ProxyConfig&) -> Result<std::unique_ptr<Wire>> {
      return fail(ErrorKind::failed, "no room");
    };
    const auto paths = make_paths(config_with(ProxyForwarding::wire), makers);
    EXPECT_THAT(paths.summary(), HasSubstr("wire off (no room)"));
  });
}

TEST(Paths, the_wire_is_not_made_where_nobody_wants_it) {
  NetworkNamespace().call([] {
    const auto reason = [](const ProxyConfig& config) {
      PathMakers makers;
      makers.wire_trial = [] {
        ADD_FAILURE() << "tried";
        return WireTrial{};
      };
      return state_of(make_paths(config, makers), ProxyForwarding::wire).reason;
    };
    auto config = config_with(ProxyForwarding::splice);
    EXPECT_EQ(reason(config), "not asked for");
    config = config_with(ProxyForwarding::wire);
    config.ebpf.enabled = false;
    EXPECT_EQ(reason(config), "ebpf.enabled is false");
  });
}

// Nothing to try it over: what needs no trial to be safe stays on.
TEST(Paths, without_loopback_the_bypass_is_off) {
  const NetworkNamespace space;
  space.run("ip link set lo down");
  space.call([] {
    const auto paths = make_paths(config_with(ProxyForwarding::automatic), without_wire());
    EXPECT_EQ(paths.bypass, nullptr);
    EXPECT_TRUE(paths.splice);
  });
}

TEST(Paths, doctor_gets_a_state_for_each) {
  NetworkNamespace().call([] {
    const auto states = test_proxy_paths();
    ASSERT_EQ(states.size(), 5U);
    for (const auto& state : states) {
      const bool may_be_off = state.path == ProxyForwarding::sockmap;
      EXPECT_TRUE(state.on || may_be_off) << state.reason;
    }
    EXPECT_EQ(Table::find().value(), nullptr) << "it is tried, and left nowhere";
    for (const auto& state : states) EXPECT_FALSE(state.reason.empty());
  });
}

}  // namespace
}  // namespace sonde::proxy
