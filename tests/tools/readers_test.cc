// Vector files: what is read, and what is refused with which words.

#include <gtest/gtest.h>

#include <array>
#include <utility>

#include "tests/tools/sample_files.h"
#include "tools/lib/line_reader.h"
#include "tools/lib/vector_reader.h"

namespace vdb::tools {
namespace {

using Rows = std::vector<std::vector<float>>;

constexpr std::string_view kFloats22 = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }";

class Readers : public SampleFiles {
 protected:
  // All rows, or the first error.
  static Result<Rows> ReadAll(const std::string& path) {
    Result<std::unique_ptr<VectorReader>> reader = VectorReader::Open(path, "vector");
    if (!reader.ok()) return reader.status();
    Rows rows;
    std::vector<float> row;
    for (;;) {
      const Result<bool> found = (*reader)->Next(&row);
      if (!found.ok()) return found.status();
      if (!*found) return rows;
      rows.push_back(row);
    }
  }
  // The whole message is the file's path and what follows it.
  void ExpectRefused(const std::string& name, const std::string& bytes, const std::string& message,
                     StatusCode code = StatusCode::kInvalidArgument) {
    const std::string path = Write(name, bytes);
    const Result<Rows> rows = ReadAll(path);
    ASSERT_FALSE(rows.ok()) << name;
    EXPECT_EQ(rows.status(), Status(code, path + message));
  }
};

TEST_F(Readers, NpyOfFloatsAndHalvesIsRead) {
  const Rows rows = {{1, 2}, {3, 4}};
  EXPECT_EQ(ReadAll(Write("a.npy", Npy(kFloats22, Bytes<float>({1, 2, 3, 4})))).value(), rows);
  // Halves: 1, 2, 3, 4, the smallest denormal, the largest value.
  EXPECT_EQ(ReadAll(Write("h.npy", Npy("{'descr': '<f2', 'fortran_order': False, 'shape': (3, 2), }",
                                       Bytes<std::uint16_t>({0x3C00, 0x4000, 0x4200, 0x4400, 0x0001, 0x7BFF}))))
                .value(),
            (Rows{{1, 2}, {3, 4}, {5.9604645e-08F, 65504}}));
  EXPECT_EQ(ReadAll(Write("0.npy", Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2), }", ""))).value(),
            Rows{});
}

TEST_F(Readers, NpyVersionTwoHasALongerLength) {
  std::string bytes("\x93NUMPY\x02\x00", 8);
  bytes += Bytes<std::uint32_t>({static_cast<std::uint32_t>(kFloats22.size())});
  bytes += std::string(kFloats22) + Bytes<float>({1, 2, 3, 4});
  EXPECT_EQ(ReadAll(Write("v2.npy", bytes)).value(), (Rows{{1, 2}, {3, 4}}));
}

TEST_F(Readers, VecsAndJsonlAreRead) {
  const Rows rows = {{1, 2}, {3, 255}};
  EXPECT_EQ(ReadAll(Write("a.fvecs", Fvecs(rows))).value(), rows);
  const std::string bvecs = Bytes<std::int32_t>({2}) + "\x01\x02" + Bytes<std::int32_t>({2}) + "\x03\xFF";
  EXPECT_EQ(ReadAll(Write("a.bvecs", bvecs)).value(), rows);
  EXPECT_EQ(ReadAll(Write("a.jsonl", "[1, 2]\n\n{\"vector\": [3, 2.55e2], \"x\": 1}\r\n")).value(), rows);
}

TEST_F(Readers, FilesLargerThanTheBufferAreRead) {
  Rows rows(3'000, std::vector<float>(500));  // 6 MB
  for (std::size_t r = 0; r < rows.size(); ++r) rows[r].assign(500, static_cast<float>(r));
  EXPECT_EQ(ReadAll(Write("large.fvecs", Fvecs(rows))).value(), rows);
  std::string npy;
  for (const std::vector<float>& row : rows) npy += Bytes(row);
  const std::string path =
      Write("large.npy", Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3000, 500), }", npy));
  EXPECT_EQ(ReadAll(path).value(), rows);
}

TEST_F(Readers, MalformedNpyIsRefused) {
  const std::string data = Bytes<float>({1, 2, 3, 4});
  const auto npy = [&](const std::string& type, const std::string& order, const std::string& shape) {
    return Npy("{'descr': " + type + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }", data);
  };
  const std::string types = "; wanted little-endian float32 '<f4' or float16 '<f2'";
  const std::string shapes = "; wanted (rows, dim)";
  ExpectRefused("type.npy", npy("'<f8'", "False", "(2, 2)"), ": the array is of '<f8'" + types);
  ExpectRefused("endian.npy", npy("'>f4'", "False", "(2, 2)"), ": the array is of '>f4'" + types);
  ExpectRefused("struct.npy", npy("[('a', '<f4')]", "False", "(2, 2)"), ": the array is of [('a'" + types);
  ExpectRefused("order.npy", npy("'<f4'", "True", "(2, 2)"), ": the array is in Fortran order; wanted C order");
  for (const char* shape : {"(4,)", "(2, 2, 1)", "()", "(-2, 2)", "(2 2)", "(2L, 2L)", "(99999999999999999999, 2)"}) {
    ExpectRefused("shape.npy", npy("'<f4'", "False", shape), std::string(": the array has shape ") + shape + shapes);
  }
  ExpectRefused("dim0.npy", npy("'<f4'", "False", "(2, 0)"), ": vectors have 0 components; wanted 1 to 65535");
  ExpectRefused("dim.npy", npy("'<f4'", "False", "(1, 65536)"), ": vectors have 65536 components; wanted 1 to 65535");
  ExpectRefused("keys.npy", Npy("{'fortran_order': False, 'shape': (2, 2), }", data),
                ": the npy header has no 'descr'");
}

TEST_F(Readers, NpyThatDoesNotFillItsFileIsRefused) {
  const auto says = [](const std::string& rows, const std::string& there) {
    return ": the npy header says " + rows + " rows of 8 bytes from byte 69; the file has " + there + " bytes there";
  };
  ASSERT_EQ(kFloats22.size(), 59U);
  ExpectRefused("short.npy", Npy(kFloats22, Bytes<float>({1, 2, 3})), says("2", "12"));
  ExpectRefused("long.npy", Npy(kFloats22, Bytes<float>({1, 2, 3, 4, 5, 6})), says("2", "24"));
  ExpectRefused("tail.npy", Npy(kFloats22, Bytes<float>({1, 2, 3, 4}) + "x"), says("2", "17"));
  // rows * dim * 4 would overflow 64 bits.
  ExpectRefused(
      "huge.npy", Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (72057594037927935, 65535), }", ""),
      ": the npy header says 72057594037927935 rows of 262140 bytes from byte 89; the file has 0 bytes there");
}

TEST_F(Readers, DamagedNpyStartIsRefused) {
  ExpectRefused("empty.npy", "", ": too short for an npy file: 0 bytes");
  ExpectRefused("text.npy", std::string(64, 'x'), ": not an npy file: it does not begin with \\x93NUMPY");
  std::string version = Npy(kFloats22, "");
  version[6] = 9;
  ExpectRefused("version.npy", version, ": npy version 9; wanted 1, 2 or 3");
  ExpectRefused("cut.npy", Npy(kFloats22, "").substr(0, 30),
                ": the npy header says it has 59 bytes; at most 65536, and the file has 30");
  std::string v2("\x93NUMPY\x02\x00\xFF\xFF\xFF\xFF", 12);
  ExpectRefused("length.npy", v2 + std::string(100, ' '),
                ": the npy header says it has 4294967295 bytes; at most 65536, and the file has 112");
  ExpectRefused("v2.npy", v2.substr(0, 10), ": too short for an npy file: 10 bytes");
}

TEST_F(Readers, MalformedVecsAreRefused) {
  ExpectRefused("tiny.fvecs", "ab", ": 2 bytes: no row fits");
  ExpectRefused("minus.fvecs", Bytes<std::int32_t>({-1, 0, 0}), ", row 0, byte 0: dimension -1; wanted 1 to 65535");
  ExpectRefused("large.fvecs", Bytes<std::int32_t>({65'536, 0}), ", row 0, byte 0: dimension 65536; wanted 1 to 65535");
  ExpectRefused("cut.fvecs", Bytes<std::int32_t>({2, 0, 0, 2, 0}),
                ", row 1, byte 12: the file is cut: 8 bytes are left of 12");
  ExpectRefused("prefix.bvecs", Bytes<std::int32_t>({4, 0}) + "ab",
                ", row 1, byte 8: the file is cut: 2 bytes are left of 4");
  ExpectRefused("dim.fvecs", Bytes<std::int32_t>({2, 0, 0, 3, 0, 0, 0}),
                ", row 1, byte 12: dimension 3; the first row has 2");
  ExpectRefused("lost.bvecs", Bytes<std::int32_t>({4, 0, 0, 0}),
                ", row 1, byte 8: dimension 0; wanted 4 as the first row; the rows behind it cannot be found",
                StatusCode::kDataLoss);
  ExpectRefused("name.txt", "x", ": wanted a file that ends in .npy, .fvecs, .bvecs or .jsonl");
}

TEST_F(Readers, RowOfAnotherDimensionIsPassedOver) {
  const std::string path = Write("mixed.fvecs", Fvecs({{1, 2}, {3, 4, 5}, {6, 7}}));
  const std::unique_ptr<VectorReader> reader = VectorReader::Open(path, "").value();
  std::vector<float> row;
  EXPECT_TRUE(reader->Next(&row).value());
  EXPECT_EQ(reader->Next(&row).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(reader->Next(&row).value());
  EXPECT_EQ(row, (std::vector<float>{6, 7}));
  EXPECT_EQ(reader->Place(), path + ", row 2, byte 28");
  EXPECT_FALSE(reader->Next(&row).value());
}

TEST_F(Readers, MalformedJsonlIsRefused) {
  ExpectRefused("string.jsonl", "[1, 2]\n[1, \"x\"]\n", ", line 2: component 1 is a string; wanted a number");
  ExpectRefused("null.jsonl", "[null]", ", line 1: component 0 is null; wanted a number");
  ExpectRefused("field.jsonl", "{\"v\": [1]}\n", ", line 1: the object has no member 'vector'");
  ExpectRefused("number.jsonl", "\n7\n", ", line 2: wanted an array of numbers, got a number");
  ExpectRefused("deep.jsonl", std::string(1'000'000, '['), ", line 1: component 0 is an array; wanted a number");
  ExpectRefused("open.jsonl", "{\"vector\": [1, 2]", ", line 1: not valid JSON: wanted ',' or '}' at byte 17");
}

TEST_F(Readers, LineThatIsTooLongIsNamedAndPassedOver) {
  const std::string path =
      Write("long.jsonl", "a\n" + std::string(LineReader::kMaxLineBytes + 1, 'x') + "\nb" /* no line break */);
  LineReader lines = LineReader::Open(path).value();
  std::string line;
  EXPECT_TRUE(lines.Next(&line).value());
  EXPECT_EQ(lines.Next(&line).status(),
            InvalidArgumentError(path + ", line 2: the line has 67108865 bytes; at most 67108864"));
  EXPECT_TRUE(lines.Next(&line).value());
  EXPECT_EQ(line, "b");
  EXPECT_EQ(lines.Place(), path + ", line 3");
  EXPECT_FALSE(lines.Next(&line).value());
}

}  // namespace
}  // namespace vdb::tools
