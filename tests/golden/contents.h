// What the golden database of format 1 holds. Fixed for ever.
//
// "notes": small records with nested payloads; ids written twice, deleted, written after the publication.
// "wide":  enough components for a graph; published.
// "bulk":  loaded in one go, then compacted: generation 2.
// "gone":  created, written and dropped.
//
// And what format-1.0-bare holds: "bare", records without a vector before and after the one that fixes the dimension,
// some published; a document.
//
// And format-1.0-codes: "codes", int8 codes with a recall curve; "rotated", the same with one component that outweighs
// the others, so that its codes are rotated.
//
// And format-1.0-components: "components", whose codes leave out those in which all records are alike.
#ifndef VDB_TESTS_GOLDEN_CONTENTS_H_
#define VDB_TESTS_GOLDEN_CONTENTS_H_

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace vdb {

inline constexpr int kNotes = 20;
inline constexpr int kNotesPublished = 16;  // the others are written after the publication
inline constexpr int kWide = 20;
inline constexpr std::size_t kWideDim = 65'535;
inline constexpr int kBulk = 10;

inline std::string NoteId(int i) {
  return "note/" + std::to_string(i) + (i == 3 ? " \xC3\xBC" : "");
}

inline std::vector<float> NoteVector(int i) {
  const auto x = static_cast<float>(i);
  return {1.0F + x, 0.5F * x, -0.25F, 2.0F};
}

inline std::string NotePayload(int i) {
  const std::string n = std::to_string(i);
  return R"({"n": )" + n + R"(, "big": 9007199254740993, "half": )" + n + R"(.5, "even": )" +
         (i % 2 == 0 ? "true" : "false") + R"(, "lang": ")" + (i % 3 == 0 ? "de" : "en") + R"(", "at": "2024-01-)" +
         (i < 9 ? "0" : "") + std::to_string(i + 1) + R"(T12:00:00Z", "none": null, "tags": ["t)" + n +
         R"(", "all"], "deep": {"list": [{"x": )" + n + R"(}, {"x": -1}]}})";
}

// Written once more, with another payload.
inline bool IsNoteRewritten(int i) {
  return i == 4 || i == 17;
}
inline std::string RewrittenPayload(int i) {
  return R"({"rewritten": )" + std::to_string(i) + "}";
}

// Deleted: one before the publication, one after it that is in it, one never published.
inline bool IsNoteDeleted(int i) {
  return i == 2 || i == 9 || i == 18;
}

inline std::string WideId(int i) {
  return "wide-" + std::to_string(i);
}

inline std::vector<float> WideVector(int i) {
  std::vector<float> v(kWideDim, 0.0F);
  v[0] = static_cast<float>(i);
  v[static_cast<std::size_t>(i) * 1'000 + 1] = 0.25F;
  return v;
}

inline std::string BulkId(int i) {
  return std::string(static_cast<std::size_t>(1 + i * 10), static_cast<char>('a' + i));
}

inline std::vector<float> BulkVector(int i) {
  return {static_cast<float>(i), 1.0F, 0.0F};
}

inline constexpr int kBare = 12;
inline constexpr int kBarePublished = 9;
inline constexpr int kBareWithVector = 5;  // the first that has one; so has every later odd one
inline constexpr const char* kBareDocument = R"({"made": "by hand"})";

inline std::string BareId(int i) {
  return "bare-" + std::to_string(i);
}
inline std::string BarePayload(int i) {
  return R"({"n": )" + std::to_string(i) + "}";
}
inline bool BareHasVector(int i) {
  return i >= kBareWithVector && i % 2 == 1;
}
inline std::vector<float> BareVector(int i) {
  return {static_cast<float>(i), -1.0F};
}

inline constexpr int kCoded = 1'200;  // enough rows for a graph, and to measure recall on
inline constexpr std::size_t kCodedDim = 1'024;
inline constexpr std::size_t kCodedPattern = 16;  // components that are repeated: the archive stays small
inline constexpr float kCodedOutlier = 1'000;

inline std::string CodedId(int i) {
  return "coded-" + std::to_string(i);
}
inline std::string CodedPayload(int i) {
  return R"({"n": )" + std::to_string(i) + "}";
}
inline std::vector<float> CodedVector(int i, bool outlier) {
  std::uint32_t state = static_cast<std::uint32_t>(i) * 2'654'435'761U + 1;
  std::vector<float> v(kCodedDim);
  for (std::size_t j = 0; j < kCodedDim; ++j) {
    if (j >= kCodedPattern) {
      v[j] = v[j - kCodedPattern];
      continue;
    }
    state = state * 1'664'525U + 1'013'904'223U;
    v[j] = static_cast<float>(static_cast<int>(state >> 24) - 128) / 64;
  }
  if (outlier) v[7] = kCodedOutlier * (i % 2 == 0 ? 1.0F : -1.0F);
  return v;
}

inline constexpr int kQuiet = 4'200;  // enough rows to tell what may be left out
inline constexpr std::size_t kQuietDim = 256;
inline constexpr int kLoudComponents = 30;

inline std::string QuietId(int i) {
  return "q" + std::to_string(i);
}
inline std::vector<float> QuietVector(int i) {
  std::vector<float> v(kQuietDim, 2.0F);
  std::uint32_t state = 88'675'123U + static_cast<std::uint32_t>(i);
  for (int j = 0; j < kLoudComponents; ++j) {
    state = state * 1'664'525U + 1'013'904'223U;
    v[static_cast<std::size_t>(j) * 8] = static_cast<float>(state >> 30);
  }
  return v;
}

}  // namespace vdb

#endif  // VDB_TESTS_GOLDEN_CONTENTS_H_
