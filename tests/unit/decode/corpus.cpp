// SPDX-License-Identifier: Apache-2.0
#include "corpus.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>

namespace sonde::decode {
namespace {

Buffer read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("no file " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

Buffer corpus(const std::string& name) { return read_file(std::filesystem::path(SONDE_CORPUS) / name); }

std::vector<Buffer> corpus_folder(const std::string& name) {
  std::vector<Buffer> files;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(SONDE_CORPUS) / name)) {
    files.push_back(read_file(entry.path()));
  }
  return files;
}

Buffer bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

void for_each_cut(const Buffer& bytes, const std::function<void(Bytes)>& check) {
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    Buffer copy(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    copy.shrink_to_fit();
    check(copy);
  }
}

void for_each_damage(const Buffer& bytes, const std::function<void(Bytes)>& check) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000 && !bytes.empty(); ++round) {
    Buffer copy = bytes;
    for (unsigned i = random() % 4 + 1; i > 0; --i) copy[random() % copy.size()] = static_cast<std::uint8_t>(random());
    check(copy);
  }
}

}  // namespace sonde::decode
