#include "tools/lib/json_text.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "vdb/util/status_macros.h"
#include "vdb/util/str_cat.h"

namespace vdb::tools {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kBlanks = " \t\r\n";

Result<std::string> DecodeString(std::string_view json) {
  try {
    const Json parsed = Json::parse(json);
    if (parsed.is_string()) return parsed.get<std::string>();
    return InvalidArgumentError(StrCat("wanted a string, got ", std::string_view(parsed.type_name())));
  } catch (const std::exception& error) {
    return InvalidArgumentError(StrCat("not valid JSON: ", std::string_view(error.what())));
  }
}

// Walks over JSON text token by token; recursion-free, so that nesting costs nothing.
class TextCursor {
 public:
  explicit TextCursor(std::string_view text) : text_(text) {}

  void SkipBlanks() {
    while (at_ < text_.size() && kBlanks.find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool Take(char wanted) {
    SkipBlanks();
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  bool AtEnd() {
    SkipBlanks();
    return at_ == text_.size();
  }

  // A string with its quotes; empty if there is none.
  std::string_view String() {
    SkipBlanks();
    const std::size_t begin = at_;
    if (at_ == text_.size() || text_[at_] != '"' || !SkipString()) return {};
    return text_.substr(begin, at_ - begin);
  }

  // The extent of a value; empty if there is none or it does not end.
  std::string_view Value() {
    SkipBlanks();
    const std::size_t begin = at_;
    std::size_t depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        if (!SkipString()) return {};
      } else if (c == '{' || c == '[') {
        ++depth;
        ++at_;
      } else if (depth > 0) {
        if (c == '}' || c == ']') --depth;
        ++at_;
      } else {
        at_ = std::min(text_.find_first_of(",}] \t\r\n", at_), text_.size());
      }
      if (depth == 0) return text_.substr(begin, at_ - begin);
    }
    return {};
  }

  Status Wanted(std::string_view what) const {
    return InvalidArgumentError(StrCat("not valid JSON: wanted ", what, " at byte ", at_));
  }

 private:
  // From the opening quote past the closing one.
  bool SkipString() {
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '"') {
        ++at_;
        return true;
      }
    }
    at_ = text_.size();
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// Takes the numbers of one array; stops at anything else.
class VectorSax : public nlohmann::json_sax<Json> {
 public:
  explicit VectorSax(std::vector<float>* out) : out_(*out) {}

  bool null() override { return Refuse("null"); }
  bool boolean(bool) override { return Refuse("a boolean"); }
  bool number_integer(std::int64_t number) override { return Add(static_cast<float>(number)); }
  bool number_unsigned(std::uint64_t number) override { return Add(static_cast<float>(number)); }
  bool number_float(double number, const std::string&) override { return Add(static_cast<float>(number)); }
  bool string(std::string&) override { return Refuse("a string"); }
  bool binary(Json::binary_t&) override { return Refuse("binary"); }
  bool start_object(std::size_t) override { return Refuse("an object"); }
  bool key(std::string&) override { return false; }
  bool end_object() override { return false; }
  bool start_array(std::size_t) override {
    if (inside_) return Refuse("an array");
    inside_ = true;
    return true;
  }
  bool end_array() override { return true; }
  bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
    status_ = InvalidArgumentError(StrCat("not valid JSON: ", std::string_view(error.what())));
    return false;
  }

  const Status& status() const { return status_; }

 private:
  bool Add(float number) {
    if (!inside_) return Refuse("a number");
    out_.push_back(number);
    return true;
  }
  bool Refuse(std::string_view type) {
    status_ = inside_ ? InvalidArgumentError(StrCat("component ", out_.size(), " is ", type, "; wanted a number"))
                      : InvalidArgumentError(StrCat("wanted an array of numbers, got ", type));
    return false;
  }

  std::vector<float>& out_;
  bool inside_ = false;
  Status status_;
};

Value ScalarOf(const Json& json) {
  if (json.is_null()) return Value();
  if (json.is_boolean()) return Value(json.get<bool>());
  if (json.is_number_unsigned()) return Value(json.get<std::uint64_t>());
  if (json.is_number_integer()) return Value(json.get<std::int64_t>());
  if (json.is_number_float()) return Value(json.get<double>());
  return Value(json.get<std::string>());
}

Status CannotBind(std::string_view json) {
  return InvalidArgumentError(
      StrCat("cannot bind ", json, "; wanted a JSON null, boolean, number or string, or an array of those"));
}

}  // namespace

std::string Quote(std::string_view text) {
  return Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string OneLine(std::string_view json) {
  std::string line;
  line.reserve(json.size());
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (!in_string && (c == '\n' || c == '\r' || c == '\t' || c == ' ')) {
      // Of the blanks, one is kept behind ',' and ':' where there was one: the text looks as it did, on one line.
      if (!line.empty() && (line.back() == ',' || line.back() == ':')) line += ' ';
      continue;
    }
    line += c;
    if (c == '"') {
      in_string = !in_string;
    } else if (c == '\\' && in_string && i + 1 < json.size()) {
      line += json[++i];
    }
  }
  return line;
}

Result<ObjectText> ObjectText::Parse(std::string_view json) {
  TextCursor cursor(json);
  ObjectText object;
  if (!cursor.Take('{')) return InvalidArgumentError("wanted a JSON object");
  if (!cursor.Take('}')) {
    do {
      Member member;
      member.key_text = cursor.String();
      if (member.key_text.empty()) return cursor.Wanted("a key");
      if (member.key_text.find('\\') == std::string_view::npos) {
        member.key = member.key_text.substr(1, member.key_text.size() - 2);
      } else {
        VDB_ASSIGN_OR_RETURN(member.key, DecodeString(member.key_text));
      }
      if (!cursor.Take(':')) return cursor.Wanted("':'");
      member.value = cursor.Value();
      if (member.value.empty()) return cursor.Wanted("a value");
      object.members_.push_back(std::move(member));
    } while (cursor.Take(','));
    if (!cursor.Take('}')) return cursor.Wanted("',' or '}'");
  }
  if (!cursor.AtEnd()) return cursor.Wanted("the end of the object");
  return object;
}

std::optional<std::string_view> ObjectText::Find(std::string_view key) const {
  std::optional<std::string_view> found;
  for (const Member& member : members_) {
    if (member.key == key) found = member.value;
  }
  return found;
}

std::string ObjectText::Without(std::string_view key) const {
  std::string text = "{";
  for (const Member& member : members_) {
    if (member.key == key) continue;
    if (text.size() > 1) text += ", ";
    text += StrCat(member.key_text, ": ", member.value);
  }
  return text + "}";
}

Result<std::optional<std::string>> PlainText(std::string_view json) {
  const auto refuse = [](std::string_view got) {
    return InvalidArgumentError(StrCat("wanted a string or a number, got ", got));
  };
  if (json.starts_with('{')) return refuse("an object");
  if (json.starts_with('[')) return refuse("an array");
  if (json.starts_with('"')) {
    VDB_ASSIGN_OR_RETURN(std::string text, DecodeString(json));
    return std::optional<std::string>(std::move(text));
  }
  const Json parsed = Json::parse(json, nullptr, false);  // no exceptions
  if (parsed.is_null()) return std::optional<std::string>();
  if (parsed.is_number()) return std::optional<std::string>(json);
  return refuse(parsed.is_boolean() ? "a boolean" : "text that is not JSON");
}

Status ParseVector(std::string_view json, std::vector<float>* out) {
  out->clear();
  VectorSax sax(out);
  try {
    if (!Json::sax_parse(json, &sax)) {
      return sax.status().ok() ? InvalidArgumentError("wanted an array of numbers") : sax.status();
    }
  } catch (const std::exception& error) {
    return InvalidArgumentError(StrCat("not valid JSON: ", std::string_view(error.what())));
  }
  return OkStatus();
}

Result<Value> ParseValue(std::string_view json) {
  const std::size_t start = json.find_first_not_of(kBlanks);
  const char first = start == std::string_view::npos ? ' ' : json[start];
  const Json parsed = Json::parse(json, nullptr, false);  // no exceptions
  if (!parsed.is_structured()) {
    if (parsed.is_discarded() && (first == '[' || first == '{')) return CannotBind(json);
    return parsed.is_discarded() ? Value(json) : ScalarOf(parsed);  // e.g. --bind en
  }
  if (parsed.is_object()) return CannotBind(json);
  std::vector<Value> values;
  for (const Json& element : parsed) {
    if (element.is_structured()) return CannotBind(json);
    values.push_back(ScalarOf(element));
  }
  return Value::List(std::move(values));
}

std::string ValueJson(const Value& value) {
  switch (value.type()) {
    case Value::Type::kNull:
      return "null";
    case Value::Type::kBool:
      return value.bool_value() ? "true" : "false";
    case Value::Type::kString:
      return Quote(value.string_value());
    case Value::Type::kTimestamp:
      return Quote(value.timestamp_value().ToString());
    default:
      return value.ToString();
  }
}

}  // namespace vdb::tools
