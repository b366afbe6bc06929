// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target over the files of folders, without libFuzzer: fuzz_NAME_corpus FOLDER...
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

// Also cut short and with bytes changed, so that a corpus of good input shows bad input too.
void run_with_changes(std::vector<std::uint8_t> content) {
  for (std::size_t size = 0; size <= content.size(); size += 1 + size / 64) {
    const std::vector<std::uint8_t> cut(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(size));
    LLVMFuzzerTestOneInput(cut.data(), cut.size());
  }
  for (std::size_t i = 0; i < content.size(); i += 1 + i / 64) {
    content[i] ^= 0xff;
    LLVMFuzzerTestOneInput(content.data(), content.size());
    content[i] ^= 0xff;
  }
  LLVMFuzzerTestOneInput(content.data(), content.size());
}

}  // namespace

int main(int count, char** folders) {
  std::size_t files = 0;
  for (int i = 1; i < count; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(folders[i])) {
      std::ifstream file(entry.path(), std::ios::binary);
      run_with_changes({std::istreambuf_iterator<char>(file), {}});
      ++files;
    }
  }
  std::printf("%zu files\n", files);
  return files == 0 ? 1 : 0;
}
