// SPDX-License-Identifier: Apache-2.0
// Paths as the runtimes write them, taken from hosts with cgroup v1, hybrid and v2.
#include "enrich/process/container.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace sonde::enrich {
namespace {

const std::string id = "4f5e6d7c8b9a0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796";
const std::string other = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const std::string pod = "1b2c3d4e-0011-2233-4455-66778899aabb";
const std::string pod_in_slice = "1b2c3d4e_0011_2233_4455_66778899aabb";

struct Case {
  std::string path;
  std::string runtime;  ///< empty: no container
  std::string id;
  std::string pod;
};

std::vector<Case> cases() {
  const std::string slice = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + pod_in_slice + ".slice";
  return {
      {"/docker/" + id, "docker", id, ""},
      {"/system.slice/docker-" + id + ".scope", "docker", id, ""},
      {"/docker/" + other + "/docker/" + id, "docker", id, ""},
      {"/docker/" + id + "/system.slice/nginx.service", "docker", id, ""},
      {slice + "/cri-containerd-" + id + ".scope", "containerd", id, pod},
      {slice + "/crio-" + id + ".scope", "cri-o", id, pod},
      {slice + "/crio-" + id + ".scope/container", "cri-o", id, pod},
      {slice + "/docker-" + id + ".scope", "docker", id, pod},
      {"/kubepods/burstable/pod" + pod + "/" + id, "containerd", id, pod},
      {"/kubepods/pod" + pod + "/crio-" + id, "cri-o", id, pod},
      {"/kubepods/besteffort/pod00112233445566778899aabbccddeeff/" + id, "containerd", id,
       "00112233445566778899aabbccddeeff"},
      {"/../../kubepods/besteffort/pod" + pod + "/" + id, "containerd", id, pod},
      {"/machine.slice/libpod-" + id + ".scope", "podman", id, ""},
      {"/machine.slice/libpod-" + id + ".scope/container", "podman", id, ""},
      {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope", "podman", id, ""},
      {"/libpod_parent/libpod-" + id, "podman", id, ""},
      {"/machine.slice/libpod-payload-" + id, "podman", id, ""},
      {"/user.slice/runc-web.scope", "runc", "web", ""},
      {"/" + id, "runc", id, ""},
      {"/lxc.payload.web/system.slice/ssh.service", "lxc", "web", ""},
      {"/system.slice/nginx.service", "systemd", "nginx.service", ""},
      {"/user.slice/user-1000.slice/session-3.scope", "systemd", "session-3.scope", ""},
      {"/user.slice/user-1000.slice/user@1000.service/app.slice/app-foo.scope", "systemd", "app-foo.scope", ""},
      {"/system.slice/docker.service", "systemd", "docker.service", ""},
      {"/system.slice/docker-" + id.substr(1) + ".scope", "systemd", "docker-" + id.substr(1) + ".scope", ""},
      {"/", "", "", ""},
      {"", "", "", ""},
      {"/user.slice", "", "", ""},
      {"/.service", "", "", ""},
      {"/process_api/3d6e3c32ab5fa6228f85d1a45dcc3960", "", "", ""},
      {"/docker/" + id.substr(1), "", "", ""},
      {"/docker/" + id + "0", "", "", ""},
      {"/docker/Z" + id.substr(1), "", "", ""},
      {"/kubepods/burstable/pod" + pod, "", "", ""},
  };
}

TEST(ContainerOf, KnowsTheRuntimes) {
  for (const auto& test : cases()) {
    SCOPED_TRACE(test.path);
    const auto found = container_of(test.path);
    ASSERT_EQ(found.has_value(), !test.runtime.empty());
    if (!found) continue;
    EXPECT_EQ(found->runtime, test.runtime);
    EXPECT_EQ(found->id, test.id);
    EXPECT_EQ(found->pod, test.pod);
  }
}

TEST(CgroupPaths, PutsVersion2First) {
  const auto paths = cgroup_paths("9:name=systemd:/s\n4:memory:/m\n1:cpu,cpuacct:/c:d\n0::/two\nrubbish\n");
  EXPECT_EQ(paths, (std::vector<std::string>{"/two", "/s", "/m", "/c:d"}));
}

TEST(Place, TakesTheContainerOfAnyHierarchy) {
  const auto placement = place({"/system.slice/containerd.service", "/", "/docker/" + id, "/docker/" + other});
  EXPECT_EQ(placement.cgroup, "/docker/" + id);
  ASSERT_TRUE(placement.container);
  EXPECT_EQ(placement.container->runtime, "docker");
}

TEST(Place, TakesTheUnitOfAnyHierarchy) {
  const auto placement = place({"/", "/system.slice/ssh.service", "/user.slice/a.scope"});
  EXPECT_EQ(placement.cgroup, "/system.slice/ssh.service");
  EXPECT_EQ(placement.container->id, "ssh.service");
}

TEST(Place, TakesTheFirstPathBelowTheRoot) {
  EXPECT_EQ(place({"/", "/", "/batch/7", "/x"}).cgroup, "/batch/7");
  EXPECT_FALSE(place({"/", "/", "/batch/7", "/x"}).container);
  EXPECT_EQ(place({"/", "/"}).cgroup, "/");
  EXPECT_EQ(place({}).cgroup, "");
}

TEST(Place, BelievesAnyWordThatRuncKnows) {
  const auto states = std::filesystem::temp_directory_path() / ("sonde-runc-" + std::to_string(::getpid()));
  std::filesystem::create_directories(states / "web");
  std::ofstream(states / "web" / "state.json") << "{}";
  const auto known = place({"/user.slice/session-1.scope", "/batch/web"}, states.string());
  const auto unknown = place({"/batch/web2"}, states.string());
  std::filesystem::remove_all(states);
  ASSERT_TRUE(known.container);
  EXPECT_EQ(known.container->runtime, "runc");
  EXPECT_EQ(known.container->id, "web");
  EXPECT_EQ(known.cgroup, "/batch/web");
  EXPECT_FALSE(unknown.container);
}

}  // namespace
}  // namespace sonde::enrich
