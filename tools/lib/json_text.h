// The little JSON that the tools read and write: text stays as it was written; nlohmann's exceptions stop here.
//
// Thread safety: pure functions and values.
#ifndef VDB_TOOLS_LIB_JSON_TEXT_H_
#define VDB_TOOLS_LIB_JSON_TEXT_H_

#include <vdb/filter.h>
#include <vdb/status.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vdb::tools {

// text as a JSON string, with its quotes; bytes that are no UTF-8 become U+FFFD.
std::string Quote(std::string_view text);

// json on one line, of the blanks between its tokens one left behind each comma and colon. For valid JSON.
std::string OneLine(std::string_view json);

// The members of a JSON object, found without reading their values: those are checked by whoever uses them. Views stay
// valid as long as the parsed text.
class ObjectText {
 public:
  // InvalidArgument if the text is no object, or its members cannot be told apart.
  static Result<ObjectText> Parse(std::string_view json);

  // The text of a value, as written. Of duplicate keys the last counts.
  std::optional<std::string_view> Find(std::string_view key) const;
  // The object without one key.
  std::string Without(std::string_view key) const;

 private:
  struct Member {
    std::string key;            // without escapes
    std::string_view key_text;  // as written, with quotes
    std::string_view value;
  };
  std::vector<Member> members_;
};

// The value of a JSON string or number as plain text: strings without quotes and escapes, numbers as written. Nothing
// for null; InvalidArgument for anything else.
Result<std::optional<std::string>> PlainText(std::string_view json);

// A JSON array of numbers.
Status ParseVector(std::string_view json, std::vector<float>* out);

// A bind parameter: JSON null, boolean, number or string, or an array of those; what is not JSON is taken as a string.
// InvalidArgument for objects and for arrays of anything else.
Result<Value> ParseValue(std::string_view json);

// A value that is no list as JSON; a Timestamp as a string.
std::string ValueJson(const Value& value);

}  // namespace vdb::tools

#endif  // VDB_TOOLS_LIB_JSON_TEXT_H_
