// SPDX-License-Identifier: Apache-2.0
#include "enrich/process/owner_filter.hpp"

#include <gmock/gmock.h>

namespace sonde::enrich {
namespace {

using testing::StartsWith;

Process nginx() {
  Process process;
  process.pid = 4711;
  process.uid = 65534;
  process.comm = "nginx";
  process.executable = "/usr/sbin/nginx-full";
  process.container = Container{"docker", std::string(60, 'a') + "beef", ""};
  return process;
}

bool matches(const OwnerFilter& filter, const Process& process, const std::string& thread = "") {
  const auto compiled = CompiledOwnerFilter::compile(filter);
  EXPECT_TRUE(compiled.has_value());
  return compiled && compiled->matches(process, thread);
}

TEST(OwnerFilter, EmptyTakesAll) {
  const auto compiled = CompiledOwnerFilter::compile({});
  ASSERT_TRUE(compiled);
  EXPECT_TRUE(compiled->empty());
  EXPECT_TRUE(compiled->matches(nginx(), ""));
  EXPECT_TRUE(compiled->matches(Owner{}));
  EXPECT_TRUE(compiled->by_process_only());
}

TEST(OwnerFilter, WordsOfOneListAreAlternatives) {
  EXPECT_TRUE(matches({.pids = {"1", "4711"}}, nginx()));
  EXPECT_TRUE(matches({.pids = {"1,4711"}}, nginx()));
  EXPECT_FALSE(matches({.pids = {"471", "47110"}}, nginx()));
  EXPECT_TRUE(matches({.users = {"root", "nobody"}}, nginx()));
  EXPECT_TRUE(matches({.users = {"65534"}}, nginx()));
  EXPECT_FALSE(matches({.users = {"0"}}, nginx()));
}

TEST(OwnerFilter, ListsAreJoined) {
  EXPECT_TRUE(
      matches({.pids = {"4711"}, .processes = {"nginx"}, .users = {"nobody"}, .containers = {"aaaa"}}, nginx()));
  EXPECT_FALSE(matches({.pids = {"4711"}, .processes = {"nginx"}, .users = {"root"}}, nginx()));
  EXPECT_FALSE(matches({.pids = {"4711"}, .processes = {"curl"}}, nginx()));
}

TEST(OwnerFilter, AProcessHasSeveralNames) {
  for (const auto* word : {"nginx", "/usr/sbin/nginx-full", "nginx-full", "worker"})
    EXPECT_TRUE(matches({.processes = {word}}, nginx(), "worker")) << word;
  for (const auto* word : {"ngin", "sbin/nginx-full", "/usr/sbin", "WORKER"})
    EXPECT_FALSE(matches({.processes = {word}}, nginx(), "worker")) << word;
}

TEST(OwnerFilter, TheKernelKeeps15BytesOfAName) {
  Process process;
  process.comm = "my-long-program";
  EXPECT_TRUE(matches({.processes = {"my-long-program-name"}}, process));
  EXPECT_TRUE(matches({.processes = {"my-long-program"}}, process));
  EXPECT_FALSE(matches({.processes = {"my-long-progra"}}, process));
}

TEST(OwnerFilter, AContainerByItsBeginning) {
  EXPECT_TRUE(matches({.containers = {"aaaaaaaaaaaa"}}, nginx()));
  EXPECT_FALSE(matches({.containers = {"beef"}}, nginx()));
  Process process = nginx();
  process.container.reset();
  EXPECT_FALSE(matches({.containers = {"aaaa"}}, process));
}

TEST(OwnerFilter, AUnitByItsName) {
  Process process;
  process.container = Container{"systemd", "nginx.service", ""};
  EXPECT_TRUE(matches({.containers = {"nginx.service"}}, process));
  EXPECT_TRUE(matches({.containers = {"nginx"}}, process));
  EXPECT_FALSE(matches({.containers = {"ngin"}}, process));
}

TEST(OwnerFilter, UnknownOwnersMatchNothing) {
  const auto compiled = CompiledOwnerFilter::compile({.users = {"root"}});
  ASSERT_TRUE(compiled);
  EXPECT_FALSE(compiled->matches(Owner{}));
}

TEST(OwnerFilter, TakesTheUserOfTheDeed) {
  Owner owner;
  owner.method = OwnerMethod::sk_storage;
  owner.uid = 0;
  owner.process = std::make_shared<const Process>(nginx());
  EXPECT_TRUE(CompiledOwnerFilter::compile({.users = {"root"}})->matches(owner));
  EXPECT_FALSE(CompiledOwnerFilter::compile({.users = {"nobody"}})->matches(owner));
}

TEST(OwnerFilter, AVerdictMayBeKeptWhenNothingElseDecides) {
  EXPECT_TRUE(CompiledOwnerFilter::compile({.pids = {"1"}, .containers = {"abcd"}})->by_process_only());
  EXPECT_FALSE(CompiledOwnerFilter::compile({.processes = {"x"}})->by_process_only());
  EXPECT_FALSE(CompiledOwnerFilter::compile({.users = {"root"}})->by_process_only());
}

TEST(OwnerFilter, ErrorsNameTheWord) {
  struct Wrong {
    OwnerFilter filter;
    std::string option;
    std::string word;
  };
  const Wrong wrongs[] = {
      {{.pids = {"12x"}}, "--pid", "12x"},
      {{.pids = {"0"}}, "--pid", "0"},
      {{.pids = {"1,,2"}}, "--pid", ""},
      {{.pids = {"-1"}}, "--pid", "-1"},
      {{.pids = {"4194305"}}, "--pid", "4194305"},
      {{.users = {"no-such-user"}}, "--user", "no-such-user"},
      {{.users = {""}}, "--user", ""},
      {{.users = {"4294967295"}}, "--user", "4294967295"},
      {{.processes = {""}}, "--process", ""},
      {{.containers = {"abc"}}, "--container", "abc"},
  };
  for (const auto& wrong : wrongs) {
    const auto compiled = CompiledOwnerFilter::compile(wrong.filter);
    ASSERT_FALSE(compiled) << wrong.word;
    EXPECT_EQ(compiled.error().kind, ErrorKind::usage);
    EXPECT_THAT(compiled.error().message, StartsWith(wrong.option + " '" + wrong.word + "': expected "));
  }
}

}  // namespace
}  // namespace sonde::enrich
