// Progress on stderr: a bar with rate and remaining time on a terminal, plain lines now and then elsewhere.
//
// Thread safety: external lock.
#ifndef VDB_TOOLS_VDB_LOAD_PROGRESS_H_
#define VDB_TOOLS_VDB_LOAD_PROGRESS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vdb::tools {

struct ProgressOptions {
  bool quiet = false;
  // Between plain lines; 0: a line for every batch.
  double line_seconds = 5;
};

// One line of progress, at most `width` characters wide where the numbers allow it; with a bar if `with_bar` and there
// is room. total 0: not known.
struct ProgressState {
  std::string_view phase;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  double seconds = 0;  // in this phase
};
std::string ProgressLine(const ProgressState& state, bool with_bar, std::size_t width);

class Progress {
 public:
  explicit Progress(const ProgressOptions& options);

  // done of total rows of a phase (total 0: not known); begins a new one where the name changes.
  void Show(std::string_view phase, std::uint64_t done, std::uint64_t total);
  // Ends the line that is being drawn.
  void Finish();

 private:
  using Time = std::chrono::steady_clock::time_point;

  const ProgressOptions options_;
  const bool is_terminal_;
  std::string phase_;
  Time phase_start_;
  Time last_call_;  // a phase begins where the one before ended
  Time last_shown_;
  std::uint64_t last_done_ = 0;  // shown in this phase
  bool drawing_ = false;
};

}  // namespace vdb::tools

#endif  // VDB_TOOLS_VDB_LOAD_PROGRESS_H_
