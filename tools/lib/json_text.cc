#include "tools/lib/json_text.h"

#include <nlohmann/json.hpp>

#include "vdb/util/str_cat.h"

namespace vdb::tools {
namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 128;

// Depth is checked while parsing: deeper text is discarded before anything recurses into it.
Result<Json> Parse(std::string_view text) {
  bool too_deep = false;
  const auto check = [&](int depth, Json::parse_event_t, Json&) {
    too_deep |= depth > kMaxDepth;
    return !too_deep;
  };
  try {
    Json json = Json::parse(text, check);
    if (too_deep) return InvalidArgumentError(StrCat("JSON is nested deeper than ", kMaxDepth));
    return json;
  } catch (const std::exception& error) {
    return InvalidArgumentError(StrCat("not valid JSON: ", std::string_view(error.what())));
  }
}

}  // namespace

std::string Quote(std::string_view text) {
  return Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

Status ParseVector(std::string_view json, const std::string& field, std::vector<float>* out) {
  out->clear();
  Result<Json> parsed = Parse(json);
  if (!parsed.ok()) return parsed.status();
  const Json* array = &*parsed;
  if (array->is_object()) {
    const auto member = array->find(field);
    if (member == array->end()) return InvalidArgumentError(StrCat("the object has no member '", field, "'"));
    array = &*member;
  }
  if (!array->is_array()) return InvalidArgumentError(StrCat("wanted an array of numbers, got ", array->type_name()));
  for (const Json& element : *array) {
    if (!element.is_number()) {
      return InvalidArgumentError(
          StrCat("component ", out->size(), " is a ", element.type_name(), "; wanted a number"));
    }
    out->push_back(element.get<float>());
  }
  return OkStatus();
}

Result<std::optional<std::string>> Member(std::string_view json, const std::string& field) {
  Result<Json> parsed = Parse(json);
  if (!parsed.ok()) return parsed.status();
  if (!parsed->is_object()) return InvalidArgumentError(StrCat("wanted an object, got ", parsed->type_name()));
  const auto member = parsed->find(field);
  if (member == parsed->end() || member->is_null()) return std::optional<std::string>();
  if (member->is_string()) return std::optional<std::string>(member->get<std::string>());
  if (member->is_number()) return std::optional<std::string>(member->dump());
  return InvalidArgumentError(StrCat("member '", field, "' is a ", member->type_name(), "; wanted a string or number"));
}

Result<std::optional<std::string>> MemberJson(std::string_view json, const std::string& field) {
  Result<Json> parsed = Parse(json);
  if (!parsed.ok()) return parsed.status();
  if (!parsed->is_object()) return InvalidArgumentError(StrCat("wanted an object, got ", parsed->type_name()));
  const auto member = parsed->find(field);
  if (member == parsed->end()) return std::optional<std::string>();
  return std::optional<std::string>(member->dump(-1, ' ', false, Json::error_handler_t::replace));
}

Value ParseValue(std::string_view json) {
  const Result<Json> parsed = Parse(json);
  if (!parsed.ok() || parsed->is_structured()) return Value(json);
  if (parsed->is_null()) return Value();
  if (parsed->is_boolean()) return Value(parsed->get<bool>());
  if (parsed->is_number_unsigned()) return Value(parsed->get<std::uint64_t>());
  if (parsed->is_number_integer()) return Value(parsed->get<std::int64_t>());
  if (parsed->is_number_float()) return Value(parsed->get<double>());
  return Value(parsed->get<std::string>());
}

}  // namespace vdb::tools
