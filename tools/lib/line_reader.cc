#include "tools/lib/line_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::tools {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

}  // namespace

Result<LineReader> LineReader::Open(const std::string& path) {
  if (path == "-") return LineReader(FileHandle(), "standard input");
  VDB_ASSIGN_OR_RETURN(FileHandle file, FileHandle::OpenForRead(path));
  return LineReader(std::move(file), path);
}

Status LineReader::Fill() {
  buffer_.resize(kBufferBytes);
  begin_ = 0;
  const int fd = file_.is_open() ? file_.fd() : STDIN_FILENO;
  ssize_t got = 0;
  do {
    got = ::read(fd, buffer_.data(), buffer_.size());
  } while (got < 0 && errno == EINTR);
  const int error = errno;
  buffer_.resize(static_cast<std::size_t>(std::max<ssize_t>(0, got)));
  at_end_ = got <= 0;
  return got < 0 ? SystemError("cannot read", name_, error) : OkStatus();
}

Result<bool> LineReader::ReadLine(std::string* line, std::uint64_t* size) {
  line->clear();
  *size = 0;
  bool found = false;
  while (true) {
    if (begin_ == buffer_.size() && !at_end_) {
      VDB_RETURN_IF_ERROR(Fill());
    }
    if (at_end_) return found;
    found = true;
    const std::size_t end = std::min(buffer_.find('\n', begin_), buffer_.size());
    const std::size_t room = kMaxLineBytes - line->size();
    line->append(buffer_, begin_, std::min(end - begin_, room));
    *size += end - begin_;
    const bool is_whole = end < buffer_.size();
    begin_ = is_whole ? end + 1 : end;
    if (is_whole) return true;
  }
}

Result<bool> LineReader::Next(std::string* line) {
  for (;;) {
    std::uint64_t size = 0;
    VDB_ASSIGN_OR_RETURN(const bool found, ReadLine(line, &size));
    if (!found) return false;
    ++line_;
    if (size > kMaxLineBytes) {
      return InvalidArgumentError(StrCat(Place(), ": the line has ", size, " bytes; at most ", kMaxLineBytes));
    }
    if (!line->empty() && line->back() == '\r') line->pop_back();
    if (line->find_first_not_of(" \t") != std::string::npos) return true;
  }
}

std::string LineReader::Place() const {
  return StrCat(name_, ", line ", line_);
}

}  // namespace vdb::tools
