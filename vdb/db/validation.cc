#include "vdb/db/validation.h"

#include <vdb/limits.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <cstdint>

#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

// Without a branch for each, so that many are looked at in one step.
bool AllFinite(std::span<const float> vector) {
  constexpr std::uint32_t kExponent = 0x7F80'0000;
  std::uint32_t others = 0;
  for (const float x : vector) others |= (std::bit_cast<std::uint32_t>(x) & kExponent) == kExponent ? 1U : 0U;
  return others == 0;
}

// The length of the UTF-8 sequence that text begins with, 0 if it is none (RFC 3629: no overlong forms, no surrogates).
std::size_t Utf8SequenceLength(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (!continues(1) || !continues(2)) return 0;
    if (lead == 0xE0 && byte(1) < 0xA0) return 0;
    return lead == 0xED && byte(1) > 0x9F ? 0 : 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (lead == 0xF0 && byte(1) < 0x90) return 0;
    return lead == 0xF4 && byte(1) > 0x8F ? 0 : 4;
  }
  return 0;
}

bool IsNameByte(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-';
}

double Norm(std::span<const float> vector) {
  double sum = 0;
  for (const float component : vector) sum += static_cast<double>(component) * component;
  return std::sqrt(sum);
}

}  // namespace

bool IsValidUtf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = Utf8SequenceLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

Status ValidateCollectionName(std::string_view name) {
  if (name.empty() || name.size() > kMaxCollectionNameBytes) {
    return InvalidArgumentError(
        StrCat("the collection's name has ", name.size(), " bytes; wanted 1 to ", kMaxCollectionNameBytes));
  }
  if (name.front() == '.' || !std::ranges::all_of(name, IsNameByte)) {
    return InvalidArgumentError(StrCat("collection name '", IsValidUtf8(name) ? name : "(not UTF-8)",
                                       "': wanted letters of ASCII, digits, '_', '-' and '.', not beginning with '.'"));
  }
  return OkStatus();
}

Status ValidateOptions(const CollectionOptions& options) {
  if (options.dim > kMaxDim) {
    return InvalidArgumentError(
        StrCat("dim is ", options.dim, "; wanted 1 to ", kMaxDim, ", or 0 for that of the first vector"));
  }
  if (options.metric > Metric::kCosine) return InvalidArgumentError("metric is none of l2, ip, cosine");
  if (options.m < kMinM || options.m > kMaxM) {
    return InvalidArgumentError(StrCat("m is ", options.m, "; wanted ", kMinM, " to ", kMaxM));
  }
  if (options.codes > CodeKind::kByDimension) return InvalidArgumentError("codes are none of float32, int8, auto");
  if (options.ef_construction < 1 || options.ef_construction > kMaxEfConstruction) {
    return InvalidArgumentError(
        StrCat("ef_construction is ", options.ef_construction, "; wanted 1 to ", kMaxEfConstruction));
  }
  return OkStatus();
}

Status ValidateId(std::string_view id) {
  if (id.empty() || id.size() > kMaxIdBytes) {
    return InvalidArgumentError(StrCat("an id has ", id.size(), " bytes; wanted 1 to ", kMaxIdBytes));
  }
  if (!IsValidUtf8(id)) return InvalidArgumentError("an id is not valid UTF-8");
  return OkStatus();
}

Status ValidateVector(std::span<const float> vector, const CollectionOptions& options) {
  if (options.dim == 0 && (vector.empty() || vector.size() > kMaxDim)) {
    return InvalidArgumentError(StrCat("vector has ", vector.size(), " components; wanted 1 to ", kMaxDim));
  }
  if (options.dim != 0 && vector.size() != options.dim) {
    return InvalidArgumentError(
        StrCat("vector has ", vector.size(), " components; this collection stores ", options.dim));
  }
  if (!AllFinite(vector)) {
    const auto first = std::ranges::find_if_not(vector, [](float x) { return std::isfinite(x); });
    return InvalidArgumentError(StrCat("vector component ", first - vector.begin(), " is ",
                                       std::isnan(*first) ? "NaN" : "infinite", "; wanted a finite number"));
  }
  if (options.metric == Metric::kCosine && Norm(vector) == 0) {
    return InvalidArgumentError("the vector is all zeros, which has no direction under cosine");
  }
  return OkStatus();
}

Status ValidateRequest(const SearchRequest& request) {
  if (request.k < 1 || request.k > kMaxK) {
    return InvalidArgumentError(StrCat("k is ", request.k, "; wanted 1 to ", kMaxK));
  }
  if (request.ef != 0 && (request.ef < request.k || request.ef > kMaxEf)) {
    return InvalidArgumentError(
        StrCat("ef is ", request.ef, "; wanted 0 (the default) or k = ", request.k, " to ", kMaxEf));
  }
  if (!(request.min_recall >= 0 && request.min_recall < 1)) {
    return InvalidArgumentError(
        StrCat("min_recall is ", std::to_string(request.min_recall), "; wanted above 0 and below 1, or exact"));
  }
  if (request.min_recall > 0 && request.ef != 0) {
    return InvalidArgumentError("a search has both ef and min_recall; wanted one of them");
  }
  if (request.radius && !std::isfinite(*request.radius)) {
    return InvalidArgumentError("radius is not a finite number");
  }
  if (request.timeout.count() < 0) {
    return InvalidArgumentError(StrCat("timeout is ", request.timeout.count(), " us; wanted 0 (none) or more"));
  }
  return OkStatus();
}

std::vector<float> Normalise(std::span<const float> vector) {
  const double norm = Norm(vector);
  std::vector<float> out(vector.size());
  for (std::size_t i = 0; i < vector.size(); ++i) out[i] = static_cast<float>(vector[i] / norm);
  return out;
}

}  // namespace vdb
