// The little JSON that the tools read and write; nlohmann's exceptions stop here.
//
// Thread safety: pure functions.
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

// A JSON array of numbers, or of an object its member `field`.
Status ParseVector(std::string_view json, const std::string& field, std::vector<float>* out);

// The text of a top-level member of an object: strings as they are, numbers as written. Nothing if it is missing or
// null.
Result<std::optional<std::string>> Member(std::string_view json, const std::string& field);

// A bind parameter: JSON null, boolean, number or string; what is not JSON is taken as a string.
Value ParseValue(std::string_view json);

// A member of a record line as JSON text (objects and arrays too); nothing if missing.
Result<std::optional<std::string>> MemberJson(std::string_view json, const std::string& field);

}  // namespace vdb::tools

#endif  // VDB_TOOLS_LIB_JSON_TEXT_H_
