// Progress on stderr: a bar with rate and remaining time on a terminal, plain lines now and then elsewhere.
//
// Thread safety: external lock.
#ifndef VDB_TOOLS_VDB_LOAD_PROGRESS_H_
#define VDB_TOOLS_VDB_LOAD_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace vdb::tools {

class Progress {
 public:
  explicit Progress(bool quiet);

  // done of total rows of a phase (total 0: not known); begins a new one where the name changes.
  void Show(std::string_view phase, std::uint64_t done, std::uint64_t total);
  // Ends the line that is being drawn.
  void Finish();

 private:
  using Time = std::chrono::steady_clock::time_point;

  const bool quiet_;
  const bool is_terminal_;
  std::string phase_;
  Time phase_start_;
  Time last_shown_;
  bool drawing_ = false;
};

}  // namespace vdb::tools

#endif  // VDB_TOOLS_VDB_LOAD_PROGRESS_H_
