// SPDX-License-Identifier: Apache-2.0
// A terminal that is drawn again and again, and is as it was before when the program ends, whatever ends it.
#pragma once
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

namespace sonde::cli {

struct ScreenSize {
  std::uint32_t rows = 24;
  std::uint32_t columns = 80;
};
/// Of the terminal behind this file descriptor; 24 by 80 if it does not tell.
[[nodiscard]] ScreenSize screen_size(int fd);

/// What puts the text in place of what is there: lines beyond the last row are left out. The last row stays empty.
[[nodiscard]] std::string screen_text(const std::string& text, const ScreenSize& size);

/// The alternate screen of standard output while it lives. One at a time.
///
/// While it lives, the first SIGINT, SIGTERM, SIGHUP or SIGQUIT calls `stop`; a second one restores the terminal and
/// ends the program at once. Ctrl-Z leaves the screen while the program sleeps.
class Screen {
 public:
  /// `stop` must be safe in a signal handler.
  explicit Screen(std::function<void()> stop);
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen();

  void draw(const std::string& text) const;
  [[nodiscard]] ScreenSize size() const;

 private:
  int terminal_ = 1;  ///< standard output
};

}  // namespace sonde::cli
