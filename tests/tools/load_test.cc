// vdb-load as users have it: what it loads, what it refuses, and what is left when it is killed.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdint>
#include <random>
#include <sstream>

#include "tests/tools/programs.h"

namespace vdb::tools {
namespace {

constexpr std::size_t kRows = 5'000;  // 5 MB of vectors: enough for a graph
constexpr std::size_t kDim = 256;

class Loads : public Programs {
 protected:
  // Random vectors; ids are row numbers.
  std::string LargeFile() const {
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    std::string bytes;
    std::vector<float> row(kDim);
    for (std::size_t r = 0; r < kRows; ++r) {
      for (float& component : row) component = normal(random);
      bytes += Bytes<std::int32_t>({static_cast<std::int32_t>(kDim)}) + Bytes(row);
    }
    return Write("large.fvecs", bytes);
  }

  // 20 rows with ids of their own in collection c.
  void LoadSmall(const std::string& how, const std::string& value = "") const {
    std::string lines;
    for (int r = 0; r < 20; ++r) {
      lines += "{\"id\": \"small/" + std::to_string(r) + "\", \"vector\": [" + std::to_string(r);
      for (std::size_t c = 1; c < kDim; ++c) lines += ", 1";
      lines += "]}\n";
    }
    Words rest = {"--vectors", Write("small.jsonl", lines), how};
    if (!value.empty()) rest.push_back(value);
    Good(Load("c", rest));
  }

  std::string Contents() const { return Good(Ctl("scan", {"c", "--with-vector"})); }

  // Kills a load of the large file when it has printed a line that begins so. False if it was faster.
  bool KilledAt(const std::string& line, const Words& rest) const {
    Process load(Load("c", rest), "/dev/null", Path("stdout"));
    EXPECT_TRUE(load.WaitForLine(line)) << line << ": " << load.errors();
    return load.Kill();
  }
};

TEST_F(Loads, ReplaceThatIsKilledLeavesTheCollectionAsItWas) {
  const std::string large = LargeFile();
  const Words replace = {"--vectors", large, "--mode", "replace", "--progress-seconds", "0"};
  LoadSmall("--create");
  const std::string before = Contents();
  for (const std::string line : {"reading 10 %", "reading 90 %", "storing", "indexing 10 %", "indexing 40 %"}) {
    bool killed = false;
    for (int attempt = 0; attempt < 10 && !killed; ++attempt) {
      killed = KilledAt(line, replace);
      if (!killed) LoadSmall("--mode", "replace");  // it was done before the signal came
    }
    ASSERT_TRUE(killed) << line;
    EXPECT_TRUE(Contents() == before) << "killed at " << line;
    EXPECT_EQ(Good(Ctl("verify", {"c"})), "c: good\n") << "killed at " << line;
  }
  // The last step is short: the signal comes before or behind the switch, and both are whole.
  KilledAt("publishing", replace);
  const std::string count = Good(Ctl("count", {"c"}));
  EXPECT_TRUE(count == "20\n" || count == "5000\n") << count;
  EXPECT_EQ(Good(Ctl("verify", {"c"})), "c: good\n");
  Good(Load("c", replace));
  EXPECT_EQ(Good(Ctl("count", {"c"})), "5000\n");
}

TEST_F(Loads, CreateThatIsKilledLeavesNoCollection) {
  const std::string large = LargeFile();
  const Words create = {"--vectors", large, "--create", "--progress-seconds", "0"};
  Good(Ctl("create", {"other", "--dim", "1"}));
  for (const std::string line : {"reading 10 %", "indexing 10 %"}) {
    bool killed = false;
    for (int attempt = 0; attempt < 10 && !killed; ++attempt) {
      killed = KilledAt(line, create);
      if (!killed) Good(Ctl("drop", {"c"}));
    }
    ASSERT_TRUE(killed) << line;
    Bad(Ctl("count", {"c"}), 3, "vdbctl: NotFound: no collection 'c' in " + db() + "; there are: other\n");
  }
  Good(Load("c", create));
  EXPECT_EQ(Good(Ctl("count", {"c"})), "5000\n");
}

// Feeds a load through a named pipe, so that it waits for rows exactly where the test wants it.
TEST_F(Loads, AppendThatIsKilledLeavesWholeBatchesAndIsCompletedByTheSameCommand) {
  Good(Ctl("create", {"c", "--dim", "1", "--metric", "l2"}));
  std::string lines;
  for (int r = 0; r < 1'700; ++r) lines += "[" + std::to_string(r) + "]\n";
  const std::string path = Path("rows.jsonl");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const Words append = {"--vectors", path, "--progress-seconds", "0"};
  {
    Process load(Load("c", append), "/dev/null", Path("stdout"));
    std::ofstream rows(path);
    rows << lines.substr(0, lines.find("[1300]")) << std::flush;
    ASSERT_TRUE(load.WaitForLine("reading 1000 rows")) << load.errors();
    // While it waits for more, the database is in use.
    const Outcome other = Run(Ctl("count", {"c"}));
    EXPECT_EQ(other.exit, 5);
    EXPECT_TRUE(other.err.starts_with("vdbctl: FailedPrecondition: ")) << other.err;
    EXPECT_NE(other.err.find("in use by process"), std::string::npos) << other.err;
    EXPECT_TRUE(load.Kill());
  }
  EXPECT_EQ(Good(Ctl("count", {"c"})), "1000\n");
  std::filesystem::remove(path);
  Write("rows.jsonl", lines);
  EXPECT_TRUE(Good(Load("c", append)).ends_with("the collection has 1700 records\n"));
  EXPECT_EQ(Good(Ctl("verify", {"c"})), "c: good\n");
}

TEST_F(Loads, FirstBadRowEndsTheLoadAndIsNamed) {
  const std::string path = Write("bad.jsonl", "[1, 2]\n[1]\n[3, 4]\n[\"x\", 1]\n");
  Bad(Load("c", {"--vectors", path, "--create", "--quiet"}), 1,
      "vdb-load: InvalidArgument: " + path +
          ", line 2: record '1': vector has 1 components; this collection stores 2\n");
  EXPECT_EQ(Good(Ctl("collections", {"--json"})), "[]\n");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::string fvecs = Write("nan.fvecs", Fvecs({{1, 2}, {3, nan}}));
  Bad(Load("c", {"--vectors", fvecs, "--create", "--quiet"}), 1,
      "vdb-load: InvalidArgument: " + fvecs +
          ", row 1, byte 12: record '1': vector component 1 is NaN; wanted a finite number\n");
}

TEST_F(Loads, SkipBadGoesOnAndReportsTheFirstOnes) {
  const std::string path = Write("bad.jsonl", "oops\n[1, 2]\n[1]\n[0, 0]\n[3, 4]\n");
  const Outcome outcome = Run(Load("c", {"--vectors", path, "--create", "--skip-bad", "--quiet", "--json"}));
  EXPECT_EQ(outcome.exit, 3);
  EXPECT_TRUE(outcome.out.starts_with("{\"rows\": 2, \"skipped\": 3, \"records\": 2, \"seconds\": ")) << outcome.out;
  std::istringstream err(outcome.err);
  std::string line;
  std::getline(err, line);
  EXPECT_EQ(line, "vdb-load: 3 bad rows skipped, the first:");
  std::getline(err, line);
  EXPECT_TRUE(line.starts_with("  " + path + ", line 1: not valid JSON")) << line;
  std::getline(err, line);
  EXPECT_EQ(line, "  " + path + ", line 3: record '2': vector has 1 components; this collection stores 2");
  // Rows keep their numbers.
  EXPECT_EQ(Good(Ctl("scan", {"c"})), "{\"id\": \"1\", \"payload\": {}}\n{\"id\": \"4\", \"payload\": {}}\n");
}

TEST_F(Loads, ReplaceWithBadRowsOnlyChangesNothing) {
  LoadSmall("--create");
  const std::string before = Contents();
  const std::string path = Write("bad.jsonl", "[1]\n[2]\n");
  Bad(Load("c", {"--vectors", path, "--mode", "replace", "--skip-bad", "--quiet"}), 1,
      "vdb-load: InvalidArgument: all 2 rows are bad, the first: " + path +
          ", line 1: record '0': vector has 1 components; this collection stores 256; nothing was changed\n");
  EXPECT_TRUE(Contents() == before);
}

TEST_F(Loads, AppendThatMeetsABadRowSaysWhatItLoaded) {
  Good(Ctl("create", {"c", "--dim", "1", "--metric", "l2"}));
  const std::string path = Write("bad.jsonl", "[1]\n[2]\n[]\n[4]\n");
  Bad(Load("c", {"--vectors", path, "--quiet"}), 1,
      "vdb-load: InvalidArgument: " + path +
          ", line 3: record '2': vector has 0 components; this collection stores 1; rows loaded before it: 2\n");
  EXPECT_EQ(Good(Ctl("count", {"c"})), "2\n");
}

TEST_F(Loads, FileOfAnotherDimensionIsRefusedAtOnce) {
  LoadSmall("--create");
  const std::string path = Write("v.fvecs", Fvecs({{1, 2}}));
  for (const std::string mode : {"append", "replace"}) {
    Bad(Load("c", {"--vectors", path, "--mode", mode, "--skip-bad", "--quiet"}), 1,
        "vdb-load: InvalidArgument: " + path + ": vectors have 2 components; collection 'c' stores 256\n");
  }
}

TEST_F(Loads, TheFirstVectorsOfACollectionWithoutADimensionFixIt) {
  Good(Ctl("create", {"c"}));
  const std::string path = Write("v.fvecs", Fvecs({{1, 2}, {3, 4}}));
  Good(Load("c", {"--vectors", path, "--quiet"}));
  EXPECT_EQ(Good(Ctl("count", {"c"})), "2\n");
  Good(Ctl("create", {"d"}));
  Good(Load("d", {"--vectors", path, "--mode", "replace", "--quiet"}));
  EXPECT_EQ(Good(Ctl("count", {"d"})), "2\n");
}

TEST_F(Loads, WrongUsageExitsWithTwo) {
  const std::string path = Write("v.fvecs", Fvecs({{1, 2}}));
  EXPECT_EQ(Run(Load("c")).exit, 2);
  EXPECT_EQ(Run(Load("c", {"--vectors", Path("none.npy")})).exit, 2);
  EXPECT_EQ(Run(Load("c", {"--vectors", path, "--metric", "l2"})).exit, 2);
  EXPECT_EQ(Run(Load("c", {"--vectors", path, "--create", "--mode", "append"})).exit, 2);
  EXPECT_EQ(Run(Load("c", {"--vectors", path, "--create", "--metric", "far"})).exit, 2);
  EXPECT_FALSE(std::filesystem::exists(db()));
}

}  // namespace
}  // namespace vdb::tools
