// SPDX-License-Identifier: Apache-2.0
#include "screen.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>

namespace sonde::cli {
namespace {

// xterm's: the other screen, and no cursor on it.
constexpr std::string_view enter = "\033[?1049h\033[?25l\033[H\033[2J";
constexpr std::string_view leave = "\033[?25h\033[?1049l";
constexpr std::array ending{SIGINT, SIGTERM, SIGHUP, SIGQUIT};

std::function<void()> stop_running;
volatile std::sig_atomic_t signals_seen = 0;

// Also from signal handlers: write(2) only. A terminal that is gone takes nothing, and nobody is left to tell.
void put(std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno != EINTR) return;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void set_handler(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

void end(int signal) {
  signals_seen = signals_seen + 1;
  if (signals_seen == 1) {
    stop_running();
    return;
  }
  put(leave);
  set_handler(signal, SIG_DFL);
  ::raise(signal);  // takes effect when this handler returns
}

void sleep_without_screen(int) {
  const int error = errno;
  put(leave);
  ::kill(::getpid(), SIGSTOP);
  put(enter);
  errno = error;
}

}  // namespace

ScreenSize screen_size(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return {};
  return {size.ws_row, size.ws_col};
}

std::string screen_text(const std::string& text, const ScreenSize& size) {
  std::string out = "\033[H";
  std::size_t start = 0;
  for (std::uint32_t row = 1; row < size.rows && start < text.size(); ++row) {
    const auto line_end = std::min(text.find('\n', start), text.size());
    out.append(text, start, line_end - start).append("\033[K\r\n");
    start = line_end + 1;
  }
  return out + "\033[J";
}

Screen::Screen(std::function<void()> stop) {
  stop_running = std::move(stop);
  signals_seen = 0;
  put(enter);
  for (const int signal : ending) set_handler(signal, end);
  set_handler(SIGTSTP, sleep_without_screen);
}

Screen::~Screen() {
  put(leave);
  for (const int signal : ending) set_handler(signal, SIG_DFL);
  set_handler(SIGTSTP, SIG_DFL);
}

void Screen::draw(const std::string& text) const { put(screen_text(text, size())); }

ScreenSize Screen::size() const { return screen_size(terminal_); }

}  // namespace sonde::cli
