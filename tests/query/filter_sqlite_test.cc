// Random filters on random payloads with one type per path, against SQLite's JSON functions: the payload evaluator and
// the columns must both say what SQLite says, row by row; facets what its GROUP BY says.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/query/column_rows.h"
#include "vdb/query/facets.h"

namespace vdb {
namespace {

constexpr int kRows = 150;
constexpr int kFilters = 2'500;

using Random = std::mt19937_64;
using Words = std::vector<std::string>;

const std::string& Pick(Random* random, const Words& from) {
  return from[(*random)() % from.size()];
}

// A path with values of one type.
struct Field {
  std::string path;   // of the filter
  std::string json;   // of SQLite; empty: the id
  Words values;       // as JSON
  Words literals;     // as both languages write them
  bool text = false;  // LIKE may be asked
};

const Words kIntegers = {"-5",
                         "0",
                         "3",
                         "3",
                         "12",
                         "9007199254740991",
                         "9007199254740992",
                         "9007199254740993",
                         "-9007199254740993",
                         "9223372036854775807"};
const Words kDoubles = {"-2.5", "0.0", "0.5", "3.0", "12.25", "9007199254740992.0", "1e15"};
const Words kTexts = {"", "a", "ab", "abc", "B", "a%c", "a_c", "ä", "日本語", "it's", "x y", "2024-01-02"};

Words Quoted(const Words& texts, char quote) {
  Words out;
  for (const std::string& text : texts) {
    std::string quoted(1, quote);
    for (const char c : text) {
      if (c == '\'' && quote == '\'') quoted += '\'';
      quoted += c;
    }
    out.push_back(quoted + quote);
  }
  return out;
}

Words Join(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const std::vector<Field>& Fields() {
  static const std::vector<Field> fields = {
      {"n", "$.n", kIntegers, Join(kIntegers, kDoubles)},
      {"d", "$.d", kDoubles, Join(kIntegers, kDoubles)},
      {"num", "$.num", Join(kIntegers, kDoubles), Join(kIntegers, kDoubles)},
      {"s", "$.s", Quoted(kTexts, '"'), Quoted(kTexts, '\''), true},
      {"flag", "$.flag", {"true", "false"}, {"TRUE", "FALSE"}},
      {"author.name", "$.author.name", Quoted(kTexts, '"'), Quoted(kTexts, '\''), true},
      {"author.\"odd name\".age", "$.author.\"odd name\".age", kIntegers, Join(kIntegers, kDoubles)},
      {"$id", "", {}, Quoted(kTexts, '\''), true},
  };
  return fields;
}

// A list of values of one type.
struct ListField {
  std::string path;
  std::string condition;  // SQL: whether there is a list
  std::string elements;   // SQL: SELECT of its elements
  Words literals;
};

const std::vector<ListField>& ListFields() {
  const auto plain = [](const std::string& name, const Words& literals) {
    return ListField{name, "json_type(p, '$." + name + "') = 'array'",
                     "SELECT value FROM json_each(p, '$." + name + "')", literals};
  };
  const auto inner = [](const std::string& name, const Words& literals) {
    const std::string from = " FROM json_each(p, '$.items') i WHERE json_type(i.value, '$." + name + "') IS NOT NULL";
    return ListField{"items[]." + name, "EXISTS (SELECT 1" + from + ")",
                     "SELECT json_extract(i.value, '$." + name + "')" + from, literals};
  };
  static const std::vector<ListField> fields = {plain("tags", Quoted(kTexts, '\'')),
                                                plain("nums", Join(kIntegers, kDoubles)),
                                                inner("sku", Quoted(kTexts, '\'')), inner("qty", kIntegers)};
  return fields;
}

bool OneIn(Random* random, std::uint64_t n) {
  return (*random)() % n == 0;
}

// The value, null, or nothing.
void AddMember(Random* random, const std::string& name, const std::string& value, std::string* out) {
  if (OneIn(random, 6)) return;
  if (!out->empty()) *out += ", ";
  *out += "\"" + name + "\": " + (OneIn(random, 8) ? "null" : value);
}

std::string RandomArray(Random* random, const Words& values) {
  std::string out;
  for (std::uint64_t i = (*random)() % 4; i > 0; --i) {
    if (!out.empty()) out += ", ";
    out += OneIn(random, 8) ? "null" : Pick(random, values);
  }
  return "[" + out + "]";
}

std::string RandomItems(Random* random) {
  std::string out;
  for (std::uint64_t i = (*random)() % 4; i > 0; --i) {
    std::string item;
    AddMember(random, "sku", Pick(random, Quoted(kTexts, '"')), &item);
    AddMember(random, "qty", Pick(random, kIntegers), &item);
    out += (out.empty() ? "{" : ", {") + item + "}";
  }
  return "[" + out + "]";
}

std::string RandomPayload(Random* random) {
  const std::vector<Field>& fields = Fields();
  std::string out;
  for (std::size_t f = 0; f < 5; ++f) AddMember(random, fields[f].path, Pick(random, fields[f].values), &out);
  std::string odd;
  AddMember(random, "age", Pick(random, fields[6].values), &odd);
  std::string author;
  AddMember(random, "name", Pick(random, fields[5].values), &author);
  AddMember(random, "odd name", "{" + odd + "}", &author);
  AddMember(random, "author", "{" + author + "}", &out);
  AddMember(random, "tags", RandomArray(random, Quoted(kTexts, '"')), &out);
  AddMember(random, "nums", RandomArray(random, Join(kIntegers, kDoubles)), &out);
  AddMember(random, "items", RandomItems(random), &out);
  return "{" + out + "}";
}

// One condition in both languages.
struct Both {
  std::string filter;
  std::string sql;
};

std::string Literal(Random* random, const Words& literals) {
  return OneIn(random, 12) ? "NULL" : Pick(random, literals);
}

std::string LiteralList(Random* random, const Words& literals, const std::string& glue,
                        const std::function<std::string(const std::string&)>& each, std::string* plain) {
  std::string out;
  plain->clear();
  for (std::uint64_t i = 1 + (*random)() % 3; i > 0; --i) {
    const std::string literal = Literal(random, literals);
    if (!out.empty()) {
      out += glue;
      *plain += ", ";
    }
    out += each(literal);
    *plain += literal;
  }
  return out;
}

Both RandomListPredicate(Random* random) {
  const std::vector<ListField>& fields = ListFields();
  const ListField& field = fields[(*random)() % fields.size()];
  const auto contains = [&field](const std::string& literal) {
    return "(CASE WHEN " + field.condition + " THEN " + literal + " IN (" + field.elements + ") ELSE NULL END)";
  };
  std::string plain;
  switch ((*random)() % 3) {
    case 0: {
      const std::string literal = Literal(random, field.literals);
      return {field.path + " CONTAINS " + literal, contains(literal)};
    }
    case 1: {
      const std::string sql = LiteralList(random, field.literals, " OR ", contains, &plain);
      return {field.path + " CONTAINS ANY (" + plain + ")", "(" + sql + ")"};
    }
    default: {
      const std::string sql = LiteralList(random, field.literals, " AND ", contains, &plain);
      return {field.path + " CONTAINS ALL (" + plain + ")", "(" + sql + ")"};
    }
  }
}

Both RandomScalarPredicate(Random* random) {
  static const Words operators = {" = ", " != ", " <> ", " < ", " <= ", " > ", " >= "};
  static const Words patterns = {"'a%'",   "'ab'", "'_'", "'%'",   "'a_c'", "'%c'",  "'日%'",
                                 "'%本%'", "'A%'", "''",  "'%b%'", "'%ab'", "'%_c'", "'X%'"};
  static const Words escaped = {"'!_' ESCAPE '!'", "'%!%%' ESCAPE '!'", "'a!_c' ESCAPE '!'", "'!a%' ESCAPE '!'"};
  const Field& field = Fields()[(*random)() % Fields().size()];
  const std::string sql = field.json.empty() ? "id" : "json_extract(p, '" + field.json + "')";
  const std::string no = OneIn(random, 3) ? " NOT" : "";
  std::string rest;
  switch ((*random)() % (field.text ? 6 : 4)) {
    case 0:
      rest = Pick(random, operators) + Literal(random, field.literals);
      break;
    case 1: {
      std::string plain;
      (void)LiteralList(
          random, field.literals, "", [](const std::string& s) { return s; }, &plain);
      rest = no + " IN (" + plain + ")";
      break;
    }
    case 2:
      rest = no + " BETWEEN " + Literal(random, field.literals) + " AND " + Literal(random, field.literals);
      break;
    case 3:
      rest = " IS" + no + " NULL";
      break;
    case 4:
      rest = no + " LIKE " + Pick(random, OneIn(random, 3) ? escaped : patterns);
      break;
    default: {
      // SQLite's lower() folds ASCII; no text here has a capital beyond it.
      const std::string pattern = Pick(random, patterns);
      return {field.path + no + " ILIKE " + pattern, "(lower(" + sql + ")" + no + " LIKE lower(" + pattern + "))"};
    }
  }
  return {field.path + rest, "(" + sql + rest + ")"};
}

Both RandomFilter(Random* random, int depth) {
  const std::uint64_t kind = (*random)() % 9;
  if (depth == 0 || kind < 3) return OneIn(random, 4) ? RandomListPredicate(random) : RandomScalarPredicate(random);
  Both a = RandomFilter(random, depth - 1);
  if (kind == 3) return {"NOT (" + a.filter + ")", "(NOT " + a.sql + ")"};
  if (kind == 8) {
    const std::string is = OneIn(random, 2) ? " IS TRUE" : " IS NOT TRUE";
    return {"(" + a.filter + ")" + is, "(" + a.sql + is + ")"};
  }
  const Both b = RandomFilter(random, depth - 1);
  const std::string glue = kind < 6 ? " AND " : " OR ";
  return {"(" + a.filter + glue + b.filter + ")", "(" + a.sql + glue + b.sql + ")"};
}

class Sqlite {
 public:
  Sqlite() {
    EXPECT_EQ(sqlite3_open(":memory:", &db_), SQLITE_OK);
    Run("PRAGMA case_sensitive_like = ON");
    Run("CREATE TABLE t (id TEXT, p TEXT)");
  }
  ~Sqlite() { sqlite3_close(db_); }
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;

  void Run(const std::string& sql) {
    ASSERT_EQ(sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db_) << sql;
  }

  void Insert(const std::string& id, const std::string& payload) {
    sqlite3_stmt* statement = nullptr;
    ASSERT_EQ(sqlite3_prepare_v2(db_, "INSERT INTO t VALUES (?, ?)", -1, &statement, nullptr), SQLITE_OK);
    sqlite3_bind_text(statement, 1, id.data(), static_cast<int>(id.size()), SQLITE_TRANSIENT);
    sqlite3_bind_text(statement, 2, payload.data(), static_cast<int>(payload.size()), SQLITE_TRANSIENT);
    EXPECT_EQ(sqlite3_step(statement), SQLITE_DONE);
    sqlite3_finalize(statement);
  }

  // T, F or N per row.
  std::string Ask(const std::string& condition) {
    const std::string sql = "SELECT " + condition + " FROM t ORDER BY rowid";
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr), SQLITE_OK) << sqlite3_errmsg(db_) << sql;
    std::string out;
    int step = SQLITE_ROW;
    while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
      const bool null = sqlite3_column_type(statement, 0) == SQLITE_NULL;
      out += null ? 'N' : (sqlite3_column_int(statement, 0) != 0 ? 'T' : 'F');
    }
    EXPECT_EQ(step, SQLITE_DONE) << sqlite3_errmsg(db_);
    sqlite3_finalize(statement);
    return out;
  }

  // The rows of a query: a value and an integer, as ValueText writes the value.
  std::map<std::string, std::uint64_t> Counts(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr), SQLITE_OK) << sqlite3_errmsg(db_) << sql;
    std::map<std::string, std::uint64_t> out;
    while (sqlite3_step(statement) == SQLITE_ROW) {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
      const int type = sqlite3_column_type(statement, 0);
      Value value = text;
      if (type == SQLITE_INTEGER) value = sqlite3_column_int64(statement, 0);
      if (type == SQLITE_FLOAT) value = sqlite3_column_double(statement, 0);
      out[ValueText(value)] = static_cast<std::uint64_t>(sqlite3_column_int64(statement, 1));
    }
    sqlite3_finalize(statement);
    return out;
  }

  // Numbers that are equal have one text; a bool is SQLite's integer.
  static std::string ValueText(const Value& value) {
    if (value.type() == Value::Type::kBool) return value.bool_value() ? "1" : "0";
    if (value.type() == Value::Type::kDouble && value.double_value() == std::floor(value.double_value())) {
      return std::to_string(static_cast<long long>(value.double_value()));
    }
    return value.ToString();
  }

 private:
  sqlite3* db_ = nullptr;
};

void Fill(Random* random, ColumnRows* rows, Sqlite* sqlite) {
  for (int i = 0; i < kRows; ++i) {
    // Ids are unique in a collection; here some are not, so that equality has matches.
    const std::string& id = kTexts[1 + static_cast<std::size_t>(i) % (kTexts.size() - 1)];
    rows->Add(RandomPayload(random), i % 3 == 0 ? id : id + std::to_string(i));
    sqlite->Insert(rows->ids().back(), rows->payloads().back());
  }
}

TEST(FilterAgainstSqlite, FacetsCountWhatGroupByCounts) {
  Random random(12);
  Sqlite sqlite;
  ColumnRows rows;
  Fill(&random, &rows, &sqlite);
  Deaths deaths;
  deaths.Reserve(rows.size());
  std::vector<std::pair<std::string, std::string>> paths;  // and what SQLite selects values from
  for (const Field& field : Fields()) {
    const std::string value = field.json.empty() ? "id" : "json_extract(p, '" + field.json + "')";
    paths.emplace_back(field.path, "(SELECT rowid AS r, id, p, " + value + " AS v FROM t)");
  }
  for (const std::string name : {"tags", "nums"}) {
    paths.emplace_back(name, "(SELECT t.rowid AS r, t.id, p, e.value AS v FROM t, json_each(p, '$." + name + "') e)");
  }
  for (int i = 0; i < 60; ++i) {
    const Both both = RandomFilter(&random, 2);
    const FilterProgram program = FilterProgram::Compile(both.filter, {}, rows.index()).value();
    const MatchSet matches = ComputeMatches(program, deaths, {rows.size(), 1}, rows).value();
    const FacetScope scope{rows.index(), deaths, {rows.size(), 1}, &matches};
    for (const auto& [path, from] : paths) {
      const std::string where = " FROM " + from + " WHERE v IS NOT NULL AND " + both.sql;
      const FacetResult result = ComputeFacets(FieldPath::Parse(path).value(), scope, 1'000, rows).value();
      std::map<std::string, std::uint64_t> counts;
      for (const FacetValue& value : result.values) counts[Sqlite::ValueText(value.value)] = value.count;
      const auto expected = sqlite.Counts("SELECT v, COUNT(DISTINCT r)" + where + " GROUP BY v");
      ASSERT_EQ(counts, expected) << path << " where " << both.filter;
      ASSERT_EQ(result.distinct, expected.size()) << path;
      if (expected.empty()) continue;
      EXPECT_EQ(sqlite.Counts("SELECT min(v), 0" + where).count(Sqlite::ValueText(result.min)), 1U) << path;
      EXPECT_EQ(sqlite.Counts("SELECT max(v), 0" + where).count(Sqlite::ValueText(result.max)), 1U) << path;
      const auto values = sqlite.Counts("SELECT 'any', COUNT(DISTINCT r)" + where);
      EXPECT_EQ(result.records - result.missing, values.at("'any'")) << path;
    }
  }
}

TEST(FilterAgainstSqlite, SaysTheSameInEveryRow) {
  Random random(11);
  Sqlite sqlite;
  ColumnRows rows;
  Fill(&random, &rows, &sqlite);
  std::array<std::uint64_t, 256> answers{};
  for (int i = 0; i < kFilters; ++i) {
    const Both both = RandomFilter(&random, 3);
    const Result<FilterNodePtr> filter = BindFilter(both.filter, {});
    ASSERT_TRUE(filter.ok()) << both.filter << ": " << filter.status();
    const std::string expected = sqlite.Ask(both.sql);
    ASSERT_EQ(rows.FromPayloads(**filter), expected) << both.filter << "\n" << both.sql;
    ASSERT_EQ(rows.FromColumns(*filter), expected) << both.filter << "\n" << both.sql;
    const Result<FilterNodePtr> again = BindFilter(FilterText(**filter), {});
    ASSERT_TRUE(again.ok()) << FilterText(**filter) << ": " << again.status();
    ASSERT_EQ(FilterText(**again), FilterText(**filter));
    ASSERT_EQ(rows.FromPayloads(**again), expected) << FilterText(**filter);
    for (const char answer : expected) ++answers[static_cast<unsigned char>(answer)];
  }
  // The test is worth something only if all three answers are common.
  for (const char answer : {'T', 'F', 'N'})
    EXPECT_GT(answers[static_cast<unsigned char>(answer)], kRows * kFilters / 10U);
}

}  // namespace
}  // namespace vdb
