// A program that a test runs, feeds, reads and kills.
//
// Thread safety: one thread. Ownership: the destructor kills a process that still runs, and waits for it.
#ifndef VDB_TESTS_TOOLS_PROCESS_H_
#define VDB_TESTS_TOOLS_PROCESS_H_

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace vdb::tools {

class Process {
 public:
  // Starts words[0]; stdin and stdout are files, stderr is a pipe to this process.
  Process(std::vector<std::string> words, const std::string& in, const std::string& out) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, in.c_str(), O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const int error = ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    errors_ = ends[0];
    if (error != 0) throw std::runtime_error("cannot start " + words[0]);
  }
  ~Process() {
    if (pid_ > 0) Kill();
    ::close(errors_);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Reads stderr up to the line that begins so; false if the process closed it before.
  bool WaitForLine(const std::string& begin) {
    while (true) {
      for (std::size_t end = text_.find('\n', read_); end != std::string::npos; end = text_.find('\n', read_)) {
        const std::string line = text_.substr(read_, end - read_);
        read_ = end + 1;
        if (line.starts_with(begin)) return true;
      }
      if (!ReadMore()) return false;
    }
  }

  // kill -9. Whether it was that which ended the process.
  bool Kill() {
    ::kill(pid_, SIGKILL);
    const int status = WaitStatus();
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }

  // The exit status, after all of stderr was read; -1 if a signal ended the process.
  int Wait() {
    while (ReadMore()) {
    }
    const int status = WaitStatus();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  // What was read of stderr.
  const std::string& errors() const { return text_; }

 private:
  bool ReadMore() {
    char bytes[4096];
    const ssize_t got = ::read(errors_, bytes, sizeof(bytes));
    if (got > 0) text_.append(bytes, static_cast<std::size_t>(got));
    return got > 0;
  }
  int WaitStatus() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }

  pid_t pid_ = -1;
  int errors_ = -1;
  std::string text_;
  std::size_t read_ = 0;
};

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace vdb::tools

#endif  // VDB_TESTS_TOOLS_PROCESS_H_
