// What callers hand in, checked: messages say what was got and what was wanted.
//
// Thread safety: pure functions.
#ifndef VDB_DB_VALIDATION_H_
#define VDB_DB_VALIDATION_H_

#include <vdb/collection.h>
#include <vdb/search.h>
#include <vdb/status.h>

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace vdb {

Status ValidateCollectionName(std::string_view name);
Status ValidateOptions(const CollectionOptions& options);
// 1..kMaxIdBytes bytes of UTF-8.
Status ValidateId(std::string_view id);
// Dimension, finite, and under cosine not zero.
Status ValidateVector(std::span<const float> vector, const CollectionOptions& options);
// k, ef, min_recall, radius and timeout.
Status ValidateRequest(const SearchRequest& request);

bool IsValidUtf8(std::string_view text);

// vector / |vector|, in double on the way: a norm beyond float32 is no reason to fail.
std::vector<float> Normalise(std::span<const float> vector);

}  // namespace vdb

#endif  // VDB_DB_VALIDATION_H_
