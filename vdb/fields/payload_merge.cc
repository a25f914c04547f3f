#include "vdb/fields/payload_merge.h"

#include <exception>
#include <new>
#include <nlohmann/json.hpp>

#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

using Json = nlohmann::ordered_json;

Result<Json> ParseObject(std::string_view text, std::string_view what) {
  if (text.empty()) return Json::object();
  try {
    Json json = Json::parse(text);
    if (json.is_object()) return json;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    return InvalidArgumentError(
        StrCat("the ", what, " is not valid JSON: ", std::string_view(error.what()).substr(0, 200)));
  }
  return InvalidArgumentError(StrCat("the ", what, " is not a JSON object"));
}

}  // namespace

Result<std::string> MergePayload(std::string_view payload, std::string_view patch) {
  VDB_ASSIGN_OR_RETURN(Json merged, ParseObject(payload, "stored payload"));
  VDB_ASSIGN_OR_RETURN(const Json changes, ParseObject(patch, "change"));
  merged.merge_patch(changes);
  return merged.dump();
}

}  // namespace vdb
