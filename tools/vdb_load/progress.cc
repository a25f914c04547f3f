#include "tools/vdb_load/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "vdb/util/str_cat.h"

namespace vdb::tools {
namespace {

constexpr std::size_t kMaxBarWidth = 30;
constexpr std::size_t kMinBarWidth = 5;
constexpr double kBarSeconds = 0.1;  // between drawings
constexpr std::size_t kDefaultWidth = 80;

double Seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::size_t TerminalWidth() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return kDefaultWidth;
}

// "45 s", "3 min 5 s", "2 h 10 min".
std::string Duration(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::lround(std::min(seconds, 1e9)));
  if (whole < 60) return StrCat(whole, " s");
  if (whole < 3600) return StrCat(whole / 60, " min ", whole % 60, " s");
  return StrCat(whole / 3600, " h ", whole % 3600 / 60, " min");
}

}  // namespace

std::string ProgressLine(const ProgressState& state, bool with_bar, std::size_t width) {
  const double rate = state.seconds > 0 ? static_cast<double>(state.done) / state.seconds : 0;
  const std::string per_second = StrCat(static_cast<std::uint64_t>(rate), "/s");
  if (state.total == 0) {
    return state.done == 0 ? std::string(state.phase) : StrCat(state.phase, " ", state.done, " rows, ", per_second);
  }
  // A file may turn out longer than its first rows said.
  const double share = std::min(1.0, static_cast<double>(state.done) / static_cast<double>(state.total));
  const std::uint64_t left = state.total - std::min(state.done, state.total);
  std::string text =
      StrCat(static_cast<int>(share * 100), " %, ", state.done, " of ", state.total, " rows, ", per_second);
  if (left > 0 && rate > 0) text += StrCat(", ", Duration(static_cast<double>(left) / rate), " left");
  const std::size_t used = state.phase.size() + text.size() + 4;  // blanks and brackets
  if (!with_bar || used + kMinBarWidth > width) return StrCat(state.phase, " ", text);
  const std::size_t bar = std::min(kMaxBarWidth, width - used);
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(bar));
  return StrCat(state.phase, " [", std::string(filled, '='), std::string(bar - filled, ' '), "] ", text);
}

Progress::Progress(const ProgressOptions& options)
    : options_(options), is_terminal_(::isatty(STDERR_FILENO) == 1), last_call_(std::chrono::steady_clock::now()) {}

void Progress::Show(std::string_view phase, std::uint64_t done, std::uint64_t total) {
  if (options_.quiet) return;
  const Time now = std::chrono::steady_clock::now();
  const bool is_new = phase != phase_;
  if (is_new) {
    Finish();
    phase_ = phase;
    phase_start_ = last_call_;
    last_done_ = 0;
  }
  last_call_ = now;
  if (!is_new && done == last_done_) return;
  const double interval = is_terminal_ ? kBarSeconds : options_.line_seconds;
  const bool is_last = total != 0 && done == total;
  // The first line of a phase says nothing yet, unless every one is wanted or a bar is drawn.
  const bool is_due = is_new ? is_terminal_ || interval == 0 : Seconds(now - last_shown_) >= interval;
  if (is_new || is_due || is_last) last_shown_ = now;
  if (!is_due && !is_last) return;
  last_done_ = done;
  const ProgressState state{phase, done, total, Seconds(now - phase_start_)};
  if (is_terminal_) {
    // One column stays free: a full line would wrap.
    std::fprintf(stderr, "\r%s\x1b[K", ProgressLine(state, true, TerminalWidth() - 1).c_str());
  } else {
    std::fprintf(stderr, "%s\n", ProgressLine(state, false, kDefaultWidth).c_str());
  }
  drawing_ = is_terminal_;
}

void Progress::Finish() {
  if (drawing_) std::fputc('\n', stderr);
  drawing_ = false;
}

}  // namespace vdb::tools
