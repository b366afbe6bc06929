// SPDX-License-Identifier: Apache-2.0
#include "replay/file_source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "replay/capture_reader.hpp"

namespace sonde::replay {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

class FileSource final : public pipeline::Source {
 public:
  FileSource(std::string name, Fd fd, FileOptions options)
      : name_(std::move(name)), reader_(InputBuffer(std::move(fd))), options_(std::move(options)) {}

  /// Reads the file header, so that a file of the wrong kind is refused when it is opened.
  Result<void> check_header();

  Result<void> read(pipeline::PacketBatch& batch, milliseconds timeout) override;
  Result<void> stop() override;
  [[nodiscard]] bool finished() const override { return finished_ && !failure_; }
  [[nodiscard]] std::vector<LossStage> loss() const override;
  [[nodiscard]] const InterfaceTable& interfaces() const override { return reader_.interfaces(); }
  [[nodiscard]] std::vector<std::string> notices() const override { return {"packets from " + name_}; }

 private:
  Result<bool> more(bool batch_is_empty, Clock::time_point deadline);
  void take(pipeline::PacketBatch& batch);
  Error end_with(Error error);

  std::string name_;
  CaptureReader reader_;
  FileOptions options_;
  user_space::RawPacket raw_;
  std::optional<Error> failure_;  // to be returned when the batch before it has been
  bool finished_ = false;
  std::string note_;
  std::uint64_t lost_ = 0;
  std::uint64_t read_ = 0;
  std::uint64_t given_ = 0;
  std::array<sonde_packet_event, pipeline::PacketBatch::capacity> events_;
};

// Closes the ledger: the packet at which the file broke was there and could not be given.
Error FileSource::end_with(Error error) {
  finished_ = true;
  if (reader_.packet_begun()) ++lost_;
  note_ = error.text() + "; packets behind it are not counted";
  error.message = name_ + ": " + error.message;
  return error;
}

// False: nothing more can be read into this batch.
Result<bool> FileSource::more(bool batch_is_empty, Clock::time_point deadline) {
  auto& input = reader_.input();
  if (input.at_end()) {
    auto end = reader_.end();
    if (!end) return std::unexpected(end.error());
    finished_ = true;
    return false;
  }
  if (!batch_is_empty) return false;
  const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
  auto filled = input.fill(std::max(left, milliseconds{0}));
  if (!filled) return filled;
  return *filled && Clock::now() <= deadline;
}

void FileSource::take(pipeline::PacketBatch& batch) {
  ++read_;
  const bool passed = user_space::finish_packet(raw_, options_.filter, options_.snaplen, events_[batch.size],
                                                batch.packets[batch.size]);
  if (passed) ++batch.size;
}

Result<void> FileSource::read(pipeline::PacketBatch& batch, milliseconds timeout) {
  batch.size = 0;
  if (failure_) {
    const Error error = *std::exchange(failure_, std::nullopt);
    return std::unexpected(error);
  }
  const auto deadline = Clock::now() + timeout;
  while (batch.size < pipeline::PacketBatch::capacity && !finished_) {
    auto next = reader_.next(raw_);
    if (next && *next == Step::packet) take(batch);
    if (next && *next != Step::more) continue;
    Result<bool> go_on = next ? more(batch.size == 0, deadline) : Result<bool>(std::unexpected(next.error()));
    if (!go_on) failure_ = end_with(go_on.error());
    if (!go_on || !*go_on) break;
  }
  given_ += batch.size;
  if (batch.size == 0 && failure_) return read(batch, timeout);
  return {};
}

Result<void> FileSource::check_header() {
  while (!reader_.knows_format()) {
    auto next = reader_.next(raw_);
    if (!next) return std::unexpected(end_with(next.error()));
    if (*next != Step::more) continue;
    auto filled = more(true, Clock::now() + std::chrono::seconds{1});
    if (!filled) return std::unexpected(end_with(filled.error()));
  }
  return {};
}

Result<void> FileSource::stop() {
  finished_ = true;
  return {};
}

std::vector<LossStage> FileSource::loss() const {
  return {{.name = "file", .taken = read_ + lost_, .given = read_, .lost = lost_, .note = note_},
          {.name = "filter", .taken = read_, .given = given_, .filtered = read_ - given_, .note = {}}};
}

}  // namespace

Result<std::unique_ptr<pipeline::Source>> open_file(const std::string& path, FileOptions options) {
  const bool standard_input = path == "-";
  const std::string name = standard_input ? "standard input" : path;
  Fd fd(standard_input ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(ErrorKind::failed, "cannot open " + name, {}, errno);
  struct stat status {};
  const bool regular = ::fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode);
  auto source = std::make_unique<FileSource>(name, std::move(fd), std::move(options));
  if (regular) {
    if (auto header = source->check_header(); !header) return std::unexpected(header.error());
  }
  return source;
}

}  // namespace sonde::replay
