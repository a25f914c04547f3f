// Runs vdbctl and vdb-load on a database in a test's folder.
//
// Thread safety: one thread.
#ifndef VDB_TESTS_TOOLS_PROGRAMS_H_
#define VDB_TESTS_TOOLS_PROGRAMS_H_

#include <string>
#include <vector>

#include "tests/tools/process.h"
#include "tests/tools/sample_files.h"

namespace vdb::tools {

using Words = std::vector<std::string>;

struct Outcome {
  int exit = -1;
  std::string out;
  std::string err;
};

class Programs : public SampleFiles {
 protected:
  std::string db() const { return Path("db"); }

  // VDBCTL and VDB_LOAD are the programs' paths.
  Words Ctl(const std::string& command, const Words& rest = {}) const { return Join({VDBCTL, command, db()}, rest); }
  Words Load(const std::string& collection, const Words& rest = {}) const {
    return Join({VDB_LOAD, db(), collection}, rest);
  }

  Outcome Run(const Words& words, const std::string& in = "") const {
    const std::string in_path = Write("stdin", in);
    Process process(words, in_path, Path("stdout"));
    Outcome outcome;
    outcome.exit = process.Wait();
    outcome.out = ReadFile(Path("stdout"));
    outcome.err = process.errors();
    return outcome;
  }

  // Must succeed; what it prints.
  std::string Good(const Words& words, const std::string& in = "") const {
    const Outcome outcome = Run(words, in);
    EXPECT_EQ(outcome.exit, 0) << words[1] << ": " << outcome.err;
    return outcome.out;
  }

  // Must fail with this status and exactly this on stderr, and print nothing.
  void Bad(const Words& words, int exit, const std::string& err, const std::string& in = "") const {
    const Outcome outcome = Run(words, in);
    EXPECT_EQ(outcome.exit, exit) << words[1];
    EXPECT_EQ(outcome.err, err);
    EXPECT_EQ(outcome.out, "");
  }

 private:
  static Words Join(Words words, const Words& rest) {
    words.insert(words.end(), rest.begin(), rest.end());
    return words;
  }
};

}  // namespace vdb::tools

#endif  // VDB_TESTS_TOOLS_PROGRAMS_H_
