#include "tools/vdb_load/progress.h"

#include <unistd.h>

#include <cstdio>

namespace vdb::tools {
namespace {

constexpr int kBarWidth = 30;

double Seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

Progress::Progress(bool quiet) : quiet_(quiet), is_terminal_(::isatty(STDERR_FILENO) == 1) {}

void Progress::Show(std::string_view phase, std::uint64_t done, std::uint64_t total) {
  if (quiet_) return;
  const Time now = std::chrono::steady_clock::now();
  const bool is_new = phase != phase_;
  if (is_new) {
    Finish();
    phase_ = phase;
    phase_start_ = now;
  }
  const double interval = is_terminal_ ? 0.1 : 5;
  const bool is_last = total != 0 && done == total;
  if (!is_last && !is_new && Seconds(now - last_shown_) < interval) return;
  if (is_new && !is_terminal_ && !is_last) {
    last_shown_ = now;  // a plain line only when there is something to say
    return;
  }
  last_shown_ = now;
  const double elapsed = Seconds(now - phase_start_);
  const double rate = elapsed > 0 ? static_cast<double>(done) / elapsed : 0;
  std::string line(phase);
  char text[128];
  if (total > 0) {
    const double share = static_cast<double>(done) / static_cast<double>(total);
    if (is_terminal_) {
      const int filled = static_cast<int>(share * kBarWidth);
      line += " [" + std::string(static_cast<std::size_t>(filled), '=') +
              std::string(static_cast<std::size_t>(kBarWidth - filled), ' ') + "]";
    }
    std::snprintf(text, sizeof(text), " %3.0f %%, %llu of %llu rows, %.0f/s, %.0f s left", share * 100,
                  static_cast<unsigned long long>(done), static_cast<unsigned long long>(total), rate,
                  rate > 0 ? static_cast<double>(total - done) / rate : 0);
  } else {
    std::snprintf(text, sizeof(text), " %llu rows, %.0f/s", static_cast<unsigned long long>(done), rate);
  }
  line += text;
  std::fprintf(stderr, is_terminal_ ? "\r%s\x1b[K" : "%s\n", line.c_str());
  drawing_ = is_terminal_;
}

void Progress::Finish() {
  if (drawing_) std::fputc('\n', stderr);
  drawing_ = false;
}

}  // namespace vdb::tools
