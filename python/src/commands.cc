// The commands vdbctl and vdb-load, in the module because all of them share one core.

#include <nanobind/stl/vector.h>

#include <string>
#include <vector>

#include "python/src/handles.h"
#include "tools/vdb_load/command_line.h"
#include "tools/vdbctl/command_line.h"

namespace vdb::python {
namespace nb = nanobind;
namespace {

// words: the command's name and its arguments.
int Run(int (*command)(int, char**), const std::vector<nb::bytes>& words_in) {
  std::vector<std::string> words;
  words.reserve(words_in.size());
  for (const nb::bytes& word : words_in) words.emplace_back(word.c_str(), word.size());
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const nb::gil_scoped_release release;
  return command(static_cast<int>(words.size()), arguments.data());
}

}  // namespace

void BindCommands(nb::module_& module) {
  module.def(
      "vdbctl", [](const std::vector<nb::bytes>& words) { return Run(&tools::RunVdbctl, words); }, nb::arg("words"),
      "As the program: its name and its arguments; returns the exit status.");
  module.def(
      "vdb_load", [](const std::vector<nb::bytes>& words) { return Run(&tools::RunVdbLoad, words); }, nb::arg("words"),
      "As the program: its name and its arguments; returns the exit status.");
}

}  // namespace vdb::python
