// PayloadEncoder: Python dicts as JSON text, strictly: what JSON or the core cannot hold is an error with its path.
//
// None, bool, int, float, str, dict, list and tuple are written here; any other value goes through the Python function
// vdbx._convert.payload_value first, which turns NumPy scalars, dates, UUIDs and paths into those.
// Thread safety: needs the GIL.
#ifndef VDB_PYTHON_SRC_PAYLOAD_ENCODER_H_
#define VDB_PYTHON_SRC_PAYLOAD_ENCODER_H_

#include <nanobind/nanobind.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace vdb::python {

class PayloadEncoder {
 public:
  // Text goes to the end of *out, which must outlive this.
  explicit PayloadEncoder(std::string* out) : out_(*out) {}

  // Appends a payload: a dict, or a str that is taken for JSON text as it is. Throws StatusError, its message beginning
  // with "row N: " and the path of the value; *out then ends with a piece of the text.
  void Append(nanobind::handle payload, std::size_t row);

 private:
  void AppendValue(nanobind::handle value, std::size_t depth);
  void AppendDict(nanobind::handle dict, std::size_t depth);
  template <typename Sequence>
  void AppendSequence(nanobind::handle sequence, std::size_t depth);
  void AppendInteger(nanobind::handle value);
  void AppendFloat(double value);
  void AppendString(std::string_view text);
  std::string_view TextOf(nanobind::handle value, std::string_view what);
  [[noreturn]] void Fail(std::string_view problem) const;

  // A key, or the index of an element where there is none.
  struct Step {
    std::string_view key;
    std::size_t index = 0;
  };

  std::string& out_;
  std::size_t row_ = 0;
  std::vector<Step> path_;  // of the value at hand; written out (author.names[2]) only for an error
};

}  // namespace vdb::python

#endif  // VDB_PYTHON_SRC_PAYLOAD_ENCODER_H_
