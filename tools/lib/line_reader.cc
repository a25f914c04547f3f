#include "tools/lib/line_reader.h"

#include <cerrno>
#include <iostream>

#include "vdb/util/file.h"
#include "vdb/util/str_cat.h"

namespace vdb::tools {

Result<LineReader> LineReader::Open(const std::string& path) {
  LineReader reader(path);
  reader.is_stdin_ = path == "-";
  if (!reader.is_stdin_) {
    reader.file_.open(path, std::ios::binary);
    if (!reader.file_) return SystemError("cannot open", path, errno != 0 ? errno : ENOENT);
  }
  return reader;
}

Result<bool> LineReader::Next(std::string* line) {
  std::istream& input = is_stdin_ ? std::cin : file_;
  while (std::getline(input, *line)) {
    ++line_;
    if (!line->empty() && line->back() == '\r') line->pop_back();
    if (line->size() > kMaxLineBytes) {
      return InvalidArgumentError(StrCat(Place(), ": ", line->size(), " bytes; at most ", kMaxLineBytes));
    }
    if (line->find_first_not_of(" \t") != std::string::npos) return true;
  }
  if (input.bad()) return IoError(StrCat("cannot read ", path_));
  return false;
}

std::string LineReader::Place() const {
  return StrCat(is_stdin_ ? "standard input" : path_, ", line ", line_);
}

}  // namespace vdb::tools
