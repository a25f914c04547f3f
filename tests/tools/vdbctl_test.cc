// vdbctl as users have it: answers, JSON, exit statuses, errors.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/tools/programs.h"

namespace vdb::tools {
namespace {

using Json = nlohmann::json;

class Vdbctl : public Programs {
 protected:
  void SetUp() override {
    Programs::SetUp();
    Good(Ctl("create", {"c", "--dim", "2", "--metric", "l2"}));
    Good(Ctl("put", {"c"}), R"({"id": "a", "vector": [0, 0], "payload": {"n": 1, "t": "red"}}
{"id": "b", "vector": [1, 0], "payload": {"n": 2, "t": "blue"}}
{"id": "c", "vector": [5, 5]}
)");
  }

  // Must succeed with one line that is one JSON document.
  Json Answer(const std::string& command, Words rest) const {
    rest.push_back("--json");
    const std::string out = Good(Ctl(command, rest));
    EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1) << out;
    return Json::parse(out);
  }
};

TEST_F(Vdbctl, EveryAnswerIsOneJsonDocument) {
  EXPECT_EQ(Answer("count", {"c"}), Json::parse(R"({"count": 3})"));
  EXPECT_EQ(Answer("get", {"c", "a"}), Json::parse(R"({"id": "a", "payload": {"n": 1, "t": "red"}})"));
  EXPECT_EQ(Answer("get", {"c", "a", "b"}).size(), 2U);
  EXPECT_EQ(Answer("get", {"c", "b", "--with-vector"})["vector"], Json::parse("[1, 0]"));
  EXPECT_EQ(Answer("collections", {})[0]["records"], 3);
  EXPECT_EQ(Answer("info", {})["collections"][0]["name"], "c");
  EXPECT_GT(Answer("info", {})["disk_bytes"], 0);
  EXPECT_EQ(Answer("info", {"c"})["metric"], "l2");
  EXPECT_EQ(Answer("info", {"c"})["codes"], "auto");
  EXPECT_EQ(Answer("info", {"c"})["graph_codes"], "float32");
  Good(Ctl("create", {"coded", "--dim", "3", "--codes", "int8"}));
  EXPECT_EQ(Answer("info", {"coded"})["codes"], "int8");
  EXPECT_NE(Good(Ctl("info", {"coded"})).find("int8"), std::string::npos);
  Good(Ctl("drop", {"coded"}));
  EXPECT_EQ(Answer("verify", {}), Json::parse(R"({"verified": 1, "collections":
                                                  [{"name": "c", "good": true, "problem": ""}]})"));
  EXPECT_EQ(Answer("explain", {"c", "--id", "a"})["plan"], "P0 exact");
  EXPECT_EQ(Answer("repair", {Path("copy")}),
            Json::parse(R"({"collections": 1, "records": 3, "missing": 0, "dropped": 0})"));
  EXPECT_EQ(Answer("document", {"c"}), Json::object());
  EXPECT_EQ(Answer("document", {"c", "--set", R"({"by": "me"})"}), Json::parse(R"({"set": true})"));
  EXPECT_EQ(Answer("document", {"c"}), Json::parse(R"({"by": "me"})"));
  EXPECT_EQ(Answer("update", {"c", "--id", "a", "--payload", R"({"t": null, "u": 1})"}),
            Json::parse(R"({"updated": 1})"));
  EXPECT_EQ(Answer("get", {"c", "a"})["payload"], Json::parse(R"({"n": 1, "u": 1})"));
  EXPECT_EQ(Answer("update", {"c", "--filter", "u = 1", "--payload", R"({"n": 1, "t": "red"})", "--replace"}),
            Json::parse(R"({"updated": 1})"));
  EXPECT_EQ(Answer("get", {"c", "a"})["payload"], Json::parse(R"({"n": 1, "t": "red"})"));
  EXPECT_EQ(Answer("search", {"c", "--vector", "[0.9, 0]", "--radius", "0.5", "--timeout", "60000"})["hits"].size(),
            1U);
  EXPECT_TRUE(Answer("checkpoint", {Path("checkpoint")}).contains("checkpoint"));
  EXPECT_EQ(Answer("delete", {"c", "c", "none"}), Json::parse(R"({"deleted": 1})"));
  EXPECT_EQ(Answer("compact", {"c"}), Json::parse(R"({"slots_before": 5, "slots_after": 2})"));
  EXPECT_EQ(Answer("create", {"d", "--dim", "1"}), Json::parse(R"({"created": "d"})"));
  EXPECT_EQ(Answer("put", {"d", "--id", "x", "--vector", "[1]"}), Json::parse(R"({"written": 1})"));
  EXPECT_EQ(Answer("drop", {"d"}), Json::parse(R"({"dropped": "d"})"));
  EXPECT_EQ(Answer("repair", {"--accept-loss"}), Json::parse(R"({"accepted": true})"));
}

TEST_F(Vdbctl, SearchShowsHitsPlanAndChosenFields) {
  const Json found = Answer("search", {"c", "--vector", "[0.9, 0]", "-k", "2", "--fields", "t"});
  ASSERT_EQ(found["hits"].size(), 2U);
  EXPECT_EQ(found["hits"][0]["id"], "b");
  EXPECT_EQ(found["hits"][0]["payload"], Json::parse(R"({"t": "blue"})"));
  EXPECT_NEAR(found["hits"][1]["distance"].get<double>(), 0.81, 1e-6);
  EXPECT_EQ(found["complete"], true);
  EXPECT_EQ(
      Answer("search", {"c", "--id", "a", "--filter", "n = $1 OR t = $2", "--bind", "1", "\"blue\""})["hits"].size(),
      1U);
  const std::string text = Good(Ctl("search", {"c", "--id", "b", "--fields", "t", "n", "--exact"}));
  EXPECT_TRUE(
      text.starts_with("id  distance  t    n\n"
                       "a   1.0000    red  1\n"
                       "c   41.0000        \n"
                       "P0 exact, exact, complete; 3 of 3 records match; "))
      << text;
  EXPECT_TRUE(Good(Ctl("search", {"c", "--id", "b", "--filter", "n > 9"})).starts_with("no record matches\n"));
}

TEST_F(Vdbctl, FacetsCountTheValuesOfAPath) {
  Good(Ctl("put", {"c", "--id", "d", "--vector", "[1, 1]", "--payload", R"({"n": 2.5, "t": ["red", "r\"x", "red"]})"}));
  EXPECT_EQ(Answer("facets", {"c", "t", "--limit", "2"}), Json::parse(R"({"values": [{"value": "red", "count": 2},
      {"value": "blue", "count": 1}], "distinct": 3, "records": 4, "missing": 1, "min": "blue", "max": "red",
      "payloads_read": 0})"));
  EXPECT_EQ(Answer("facets", {"c", "n", "--filter", "n >= $1", "--bind", "2", "--limit", "0"}),
            Json::parse(R"({"values": [], "distinct": 2, "records": 2, "missing": 0, "min": 2, "max": 2.5,
      "payloads_read": 0})"));
  EXPECT_EQ(Good(Ctl("facets", {"c", "n"})),
            "value  records\n"
            "1      1\n"
            "2      1\n"
            "2.5    1\n"
            "3 distinct values, from 1 to 2.5; 4 records match, 1 of them without a value\n");
  EXPECT_EQ(Good(Ctl("facets", {"c", "none"})), "0 distinct values; 4 records match, 4 of them without a value\n");
  Bad(Ctl("facets", {"c", "n."}), 2,
      "vdbctl: InvalidArgument: path n.: filter, column 3: expected a name after the '.', found the end\n");
  EXPECT_EQ(Run(Ctl("facets", {"c", "n", "--filter", "n >"})).exit, 2);
}

TEST_F(Vdbctl, SearchVectorMayBeARowOfAFile) {
  const std::string path = Write("q.fvecs", Fvecs({{0, 0}, {5, 5}}));
  EXPECT_EQ(Answer("search", {"c", "--vector-file", path + ":1", "-k", "1"})["hits"][0]["id"], "c");
  Bad(Ctl("search", {"c", "--vector-file", path + ":2"}), 3,
      "vdbctl: NotFound: " + path + " has no row 2; rows count from 0\n");
  Bad(Ctl("search", {"c", "--vector-file", path}), 2,
      "vdbctl: InvalidArgument: --vector-file is '" + path + "'; wanted FILE:ROW, e.g. queries.npy:0\n");
}

TEST_F(Vdbctl, ScanPrintsOneLineForEachRecordWhateverItsPayloadLooksLike) {
  Good(Ctl("put",
           {"c", "--id", "p/1", "--vector", "[1, 1]", "--payload", "{\n  \"x y\": \"a  b\",\n  \"z\": [1,\n 2]}"}));
  EXPECT_EQ(Good(Ctl("scan", {"c", "--prefix", "p/"})),
            "{\"id\": \"p/1\", \"payload\": {\"x y\": \"a  b\", \"z\": [1, 2]}}\n");
  std::istringstream lines(Good(Ctl("scan", {"c", "--with-vector"})));
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_TRUE(Json::accept(line)) << line;
  EXPECT_EQ(count, 4U);
  EXPECT_EQ(Good(Ctl("scan", {"c", "--filter", "n >= 1", "--limit", "1"})),
            "{\"id\": \"a\", \"payload\": {\"n\": 1, \"t\": \"red\"}}\n");
}

TEST_F(Vdbctl, ScannedRecordsCanBePutAgainUnchanged) {
  const std::string records = Good(Ctl("scan", {"c", "--with-vector"}));
  Good(Ctl("create", {"copy", "--dim", "2", "--metric", "l2"}));
  EXPECT_EQ(Good(Ctl("put", {"copy"}), records), "3 written\n");
  EXPECT_EQ(Good(Ctl("scan", {"copy", "--with-vector"})), records);
}

TEST_F(Vdbctl, IdInBracketsIsOneId) {
  Good(Ctl("put", {"c", "--id", "[a,b]", "--vector", "[1, 1]"}));
  EXPECT_EQ(Answer("get", {"c", "[a,b]"})["id"], "[a,b]");
  EXPECT_EQ(Good(Ctl("delete", {"c", "[a,b]"})), "1 deleted\n");
  EXPECT_EQ(Good(Ctl("count", {"c"})), "3\n");  // a and b are still there
  EXPECT_EQ(Answer("get", {"c", "a", "b"}).size(), 2U);
}

TEST_F(Vdbctl, ControlCharactersDoNotReachTheTerminal) {
  Good(Ctl("put", {"c", "--id", "\x1b[31m", "--vector", "[9, 9]", "--payload", R"({"t": "\u001b[2J"})"}));
  const std::string text = Good(Ctl("search", {"c", "--vector", "[9, 9]", "-k", "1", "--fields", "t"}));
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
  EXPECT_NE(text.find("?[31m  0.0000    ?[2J"), std::string::npos) << text;
}

TEST_F(Vdbctl, UnknownCollectionListsThoseThatExist) {
  const std::string err = "vdbctl: NotFound: no collection 'nope' in " + db() + "; there are: c\n";
  for (const Words& rest : std::vector<Words>{{"count"}, {"info"}, {"verify"}, {"compact"}, {"drop"}, {"scan"}}) {
    Bad(Ctl(rest[0], {"nope"}), 3, err);
  }
  Bad(Ctl("put", {"nope", "--id", "a", "--vector", "[1]"}), 3, err);
  Bad(Ctl("search", {"nope", "--id", "a"}), 3, err);
}

TEST_F(Vdbctl, ErrorsHaveTheirOwnExitStatus) {
  EXPECT_EQ(Run({VDBCTL}).exit, 2);
  EXPECT_EQ(Run({VDBCTL, "nonsense"}).exit, 2);
  EXPECT_EQ(Run({VDBCTL, "--help"}).exit, 0);
  EXPECT_EQ(Run({VDBCTL, "count", Path("none"), "c"}).exit, 3);
  EXPECT_FALSE(std::filesystem::exists(Path("none")));
  EXPECT_EQ(Run(Ctl("create", {"c", "--dim", "2"})).exit, 6);
  EXPECT_EQ(Run(Ctl("search", {"c", "--id", "a", "--filter", "n >"})).exit, 2);
  EXPECT_EQ(Run(Ctl("search", {"c", "--id", "a", "-k", "0"})).exit, 2);
  Bad(Ctl("get", {"c", "none"}), 3, "vdbctl: NotFound: no record 'none' in collection 'c'\n");
  Bad(Ctl("search", {"c"}), 2, "vdbctl: InvalidArgument: wanted --vector, --vector-file or --id\n");
  Bad(Ctl("count", {"c", "--filter", "n = $1", "--bind", "[[1]]"}), 2,
      "vdbctl: InvalidArgument: cannot bind [[1]]; wanted a JSON null, boolean, number or string, or an array of "
      "those\n");
  Bad(Ctl("count", {"c", "--filter", "n = $1", "--bind", "[1]"}), 2,
      "vdbctl: InvalidArgument: $1 is bound to a list; wanted one value, or $1 without parentheses after IN, CONTAINS "
      "ANY or CONTAINS ALL\n");
  EXPECT_EQ(Good(Ctl("count", {"c", "--filter", "n IN $1 OR $id = $2", "--bind", "[1, 7]", "c"})), "2\n");
  Bad(Ctl("delete", {"c"}), 2, "vdbctl: InvalidArgument: wanted ids or --filter, and not both\n");
}

TEST_F(Vdbctl, PutFromLinesSaysWhatWasWrittenBeforeABadOne) {
  Bad(Ctl("put", {"c"}), 2,
      "vdbctl: InvalidArgument: standard input, line 2: record 'y': vector has 1 components; this collection stores 2; "
      "records written before it: 1\n",
      "{\"id\": \"x\", \"vector\": [1, 2]}\n{\"id\": \"y\", \"vector\": [1]}\n");
  EXPECT_EQ(Good(Ctl("count", {"c"})), "4\n");
}

TEST_F(Vdbctl, OutputThatCannotBeWrittenIsAnError) {
  Process scan(Ctl("scan", {"c"}), "/dev/null", "/dev/full");
  EXPECT_EQ(scan.Wait(), 7);
  EXPECT_EQ(scan.errors(), "vdbctl: ResourceExhausted: cannot write to the standard output: No space left on device\n");
}

}  // namespace
}  // namespace vdb::tools
