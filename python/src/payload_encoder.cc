#include "python/src/payload_encoder.h"

#include <vdb/limits.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "python/src/status_error.h"
#include "python/src/values.h"
#include "vdb/util/str_cat.h"

namespace vdb::python {
namespace nb = nanobind;

void PayloadEncoder::Append(nb::handle payload, std::size_t row) {
  row_ = row;
  path_.clear();
  if (PyDict_Check(payload.ptr())) return AppendDict(payload, 1);
  if (PyUnicode_Check(payload.ptr())) {
    out_.append(TextOf(payload, "the JSON text"));
    return;
  }
  Fail(StrCat("the payload is of type ", TypeName(payload), "; wanted a dict"));
}

void PayloadEncoder::Fail(std::string_view problem) const {
  std::string path;
  for (const Step& step : path_) {
    if (step.key.data() == nullptr) {
      path.append(StrCat("[", step.index, "]"));
    } else {
      path.append(path.empty() ? "" : ".").append(step.key);
    }
  }
  ThrowInvalid(StrCat("row ", row_, ": ", path, path.empty() ? "" : ": ", problem));
}

std::string_view PayloadEncoder::TextOf(nb::handle value, std::string_view what) {
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(value.ptr(), &size);
  if (text == nullptr) {
    PyErr_Clear();
    Fail(StrCat(what, " holds a lone surrogate; wanted text that UTF-8 can express"));
  }
  return {text, static_cast<std::size_t>(size)};
}

void PayloadEncoder::AppendValue(nb::handle value, std::size_t depth) {
  PyObject* object = value.ptr();
  if (PyUnicode_Check(object)) return AppendString(TextOf(value, "the text"));
  if (object == Py_None) {
    out_.append("null");
  } else if (PyBool_Check(object)) {
    out_.append(object == Py_True ? "true" : "false");
  } else if (PyLong_Check(object)) {
    AppendInteger(value);
  } else if (PyFloat_Check(object)) {
    AppendFloat(PyFloat_AsDouble(object));
  } else if (PyDict_Check(object)) {
    AppendDict(value, depth + 1);
  } else if (PyList_Check(object)) {
    AppendSequence<nb::list>(value, depth + 1);
  } else if (PyTuple_Check(object)) {
    AppendSequence<nb::tuple>(value, depth + 1);
  } else {
    const nb::object converted = nb::module_::import_("vdbx._convert").attr("payload_value")(value);
    if (converted.is(value)) {
      Fail(StrCat("a value of type ", TypeName(value),
                  " has no place in JSON; wanted None, bool, int, float, str, datetime, UUID, Path, dict or list"));
    }
    AppendValue(converted, depth);
  }
}

void PayloadEncoder::AppendDict(nb::handle dict, std::size_t depth) {
  if (depth > kMaxPayloadDepth) Fail(StrCat("nested deeper than ", kMaxPayloadDepth, " levels"));
  out_.push_back('{');
  Py_ssize_t position = 0;
  PyObject* key_pointer = nullptr;
  PyObject* value_pointer = nullptr;
  bool is_first = true;
  while (PyDict_Next(dict.ptr(), &position, &key_pointer, &value_pointer) != 0) {
    // A conversion runs Python code, which might drop them from the dict.
    const nb::object key = nb::borrow(key_pointer);
    const nb::object value = nb::borrow(value_pointer);
    if (!PyUnicode_Check(key_pointer)) Fail(StrCat("a key is of type ", TypeName(key), "; wanted str"));
    const std::string_view name = TextOf(key, "a key");
    if (!is_first) out_.push_back(',');
    is_first = false;
    AppendString(name);
    out_.push_back(':');
    path_.push_back({.key = name});
    AppendValue(value, depth);
    path_.pop_back();
  }
  out_.push_back('}');
}

template <typename Sequence>
void PayloadEncoder::AppendSequence(nb::handle sequence, std::size_t depth) {
  if (depth > kMaxPayloadDepth) Fail(StrCat("nested deeper than ", kMaxPayloadDepth, " levels"));
  const auto items = nb::borrow<Sequence>(sequence);
  out_.push_back('[');
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i != 0) out_.push_back(',');
    const nb::object item = items[i];
    path_.push_back({.key = {}, .index = i});
    AppendValue(item, depth);
    path_.pop_back();
  }
  out_.push_back(']');
}

void PayloadEncoder::AppendInteger(nb::handle value) {
  std::array<char, 24> text;
  std::to_chars_result end{};
  int overflow = 0;
  const std::int64_t number = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
  if (overflow == 0) {
    end = std::to_chars(text.data(), text.data() + text.size(), number);
  } else {
    const std::uint64_t large = overflow > 0 ? PyLong_AsUnsignedLongLong(value.ptr()) : 0;
    if (overflow < 0 || PyErr_Occurred() != nullptr) {
      PyErr_Clear();
      Fail("an int past 64 bits");
    }
    end = std::to_chars(text.data(), text.data() + text.size(), large);
  }
  out_.append(text.data(), end.ptr);
}

void PayloadEncoder::AppendFloat(double value) {
  if (!std::isfinite(value)) Fail(std::isnan(value) ? "NaN has no place in JSON" : "infinity has no place in JSON");
  std::array<char, 32> text;
  const std::to_chars_result end = std::to_chars(text.data(), text.data() + text.size(), value);
  const std::string_view number(text.data(), static_cast<std::size_t>(end.ptr - text.data()));
  out_.append(number);
  // 2.0 stays a float when it is read again.
  if (number.find_first_of(".e") == std::string_view::npos) out_.append(".0");
}

void PayloadEncoder::AppendString(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  out_.push_back('"');
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out_.append(text.substr(begin, i - begin));
    begin = i + 1;
    if (byte >= 0x20) {
      out_.push_back('\\');
      out_.push_back(text[i]);
    } else {
      out_.append("\\u00");
      out_.push_back(kHex[byte >> 4]);
      out_.push_back(kHex[byte & 0xF]);
    }
  }
  out_.append(text.substr(begin));
  out_.push_back('"');
}

}  // namespace vdb::python
