// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/log_reader.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "actuators/guard/directory.hpp"
#include "actuators/guard/installed.hpp"
#include "base/wall_clock.hpp"
#include "kernel/object.hpp"
#include "kernel/pins.hpp"

namespace sonde::guard {
namespace {

constexpr std::int64_t ahead_ns = 3'000'000'000;

void store(__u64& to, std::uint64_t value) { __atomic_store_n(&to, value, __ATOMIC_RELEASE); }

// A directory, because bpffs has no plain files; flock(2) takes it, so it is free when the process dies.
Result<Fd> lock_log(const std::string& directory) {
  const auto path = directory + "/log-reader";
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("cannot make " + path);
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno("cannot open " + path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK) return fail(ErrorKind::failed, "another `sonde guard log` reads; there is one log");
  return fail_errno("cannot lock " + path);
}

Result<Fd> open_named(const std::string& directory, const char* name) {
  auto pin = kernel::open_pin(directory + "/" + name);
  if (pin && !*pin) return fail(ErrorKind::failed, "the guard is not attached", "`sonde guard attach` first");
  return pin;
}

Result<LogBooks> read_books(int totals) {
  const std::uint32_t key = 0;
  const auto sum = kernel::sum_per_cpu<sonde_guard_totals>(totals, &key);
  if (!sum) return std::unexpected(sum.error());
  return LogBooks{sum->logged, sum->log_lost, sum->log_skipped};
}

// No program that still goes by an older word in guard_control runs when this returns. Needs the lock.
Result<void> wait_for_programs(const std::string& directory) {
  auto installed = InstalledRules::open(directory);
  if (!installed) return std::unexpected(installed.error());
  return installed->wait_for_programs();
}

}  // namespace

sonde_guard_control& LogReader::control() const {
  return *reinterpret_cast<sonde_guard_control*>(control_.memory().data());
}

Result<LogReader> LogReader::open(const std::string& directory, const LogChoice& choice) {
  const auto lock = lock_directory(directory, false);
  if (!lock) return std::unexpected(lock.error());
  auto log = open_named(directory, "log");
  if (!log) return std::unexpected(log.error());
  auto totals = open_named(directory, "totals");
  if (!totals) return std::unexpected(totals.error());
  auto control_pin = open_named(directory, "control");
  if (!control_pin) return std::unexpected(control_pin.error());
  auto own = lock_log(directory);
  if (!own) return std::unexpected(own.error());
  const auto bytes = kernel::map_entries(log->get());
  if (!bytes) return std::unexpected(bytes.error());
  auto ring = kernel::RingReader::make(log->get(), *bytes);
  if (!ring) return std::unexpected(ring.error());
  auto mapped = kernel::MappedArray::open(std::move(*control_pin));
  if (!mapped) return std::unexpected(mapped.error());

  LogReader reader(directory, std::move(*own), std::move(*totals), std::move(*mapped), std::move(*ring));
  auto& control = reader.control();
  store(control.deadline_ns, 0);  // of a reader that was killed
  if (auto waited = wait_for_programs(directory); !waited) return std::unexpected(waited.error());
  reader.skip_old();
  const auto books = read_books(reader.totals_.get());
  if (!books) return std::unexpected(books.error());
  reader.before_ = *books;
  control.outcomes = choice.outcomes;
  control.one_in = choice.one_in;
  control.per_second = 0;
  store(control.deadline_ns, static_cast<std::uint64_t>(monotonic_ns() + ahead_ns));
  return reader;
}

void LogReader::skip_old() {
  while (!ring_.peek().empty()) ring_.advance();
  ring_.release();
}

const sonde_guard_log* LogReader::next() {
  for (;;) {
    const auto record = ring_.peek();
    if (record.empty()) return nullptr;
    ring_.advance();
    if (record.size() >= sizeof(sonde_guard_log)) return reinterpret_cast<const sonde_guard_log*>(record.data());
  }
}

bool LogReader::keep_on() {
  store(control().deadline_ns, static_cast<std::uint64_t>(monotonic_ns() + ahead_ns));
  return std::filesystem::exists(directory_ + "/log");
}

Result<void> LogReader::stop() {
  store(control().deadline_ns, 0);
  const auto lock = lock_directory(directory_, false);
  if (!lock) return std::unexpected(lock.error());
  // Detached: closing the links has waited for the programs.
  return *lock ? wait_for_programs(directory_) : Result<void>{};
}

Result<LogBooks> LogReader::books() const {
  auto books = read_books(totals_.get());
  if (!books) return books;
  return LogBooks{books->logged - before_.logged, books->lost - before_.lost, books->skipped - before_.skipped};
}

}  // namespace sonde::guard
