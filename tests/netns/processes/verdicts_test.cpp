// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include "child.hpp"
#include "kernel/object.hpp"

namespace sonde::test {
namespace {

class Verdicts : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(verdicts);
    auto started = processes::ProcessEvents::start(verdicts.get());
    ASSERT_TRUE(started) << started.error().text();
    events = std::move(*started);
  }

  sonde_process_key key_of(const Child& child) {
    events->drain(table);
    return {.start_time_ns = table.latest(child.pid())->start_time_ns, .pid = child.pid(), .reserved = 0};
  }
  void put(const sonde_process_key& key) {
    const std::uint8_t verdict = 1;
    EXPECT_TRUE(kernel::map_update(verdicts.get(), &key, &verdict));
  }
  bool has(const sonde_process_key& key) {
    std::uint8_t verdict = 0;
    return kernel::map_lookup(verdicts.get(), &key, &verdict).value();
  }

  Fd verdicts{::bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "verdicts", sizeof(sonde_process_key), 1, 64, nullptr)};
  std::unique_ptr<processes::ProcessEvents> events;
  enrich::ProcessTable table;
};

TEST_F(Verdicts, GoWithExec) {
  Child executing([] { execute({"/bin/true"}); });
  Child staying([] {});
  const auto gone = key_of(executing);
  const auto kept = key_of(staying);
  put(gone);
  put(kept);
  staying.go();  // it has a copy of the other one's gate
  executing.finish();
  staying.finish();
  EXPECT_FALSE(has(gone));
  EXPECT_TRUE(has(kept));
}

// Judged by what was known before the exec was read, and put down after it.
TEST_F(Verdicts, ThatComeLateGoWhenExecIsRead) {
  Child executing([] { execute({"/bin/true"}); });
  const auto key = key_of(executing);
  executing.finish();
  put(key);
  events->drain(table);
  EXPECT_FALSE(has(key));
}

}  // namespace
}  // namespace sonde::test
