#include "tools/vdbctl/output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "tools/lib/json_text.h"
#include "vdb/util/str_cat.h"

namespace vdb::tools {
namespace {

constexpr std::size_t kDefaultWidth = 100;
constexpr std::size_t kMinCellWidth = 12;
constexpr std::size_t kWholeColumns = 2;  // id and distance; name and value

std::size_t TerminalWidth() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) return size.ws_col;
  return kDefaultWidth;
}

bool BeginsCharacter(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

std::size_t Characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), BeginsCharacter));
}

std::string Format(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

std::string DetailsJson(const PlanDetails& d) {
  return StrCat("\"live_rows\": ", d.live_rows, ", \"matches\": ", d.matches, ", \"rechecked\": ", d.rechecked,
                ", \"tail_rows\": ", d.tail_rows, ", \"estimated_exact_ns\": ", Format("%.0f", d.estimated_exact_ns),
                ", \"estimated_sweep_ns\": ", Format("%.0f", d.estimated_sweep_ns),
                ", \"estimated_distances\": ", d.estimated_distances, ", \"distances\": ", d.distances,
                ", \"visited\": ", d.visited, ", \"fell_back\": ", d.fell_back ? "true" : "false",
                ", \"stop_factor\": ", Format("%.4f", d.stop_factor),
                ", \"expected_recall\": ", Format("%.4f", d.expected_recall),
                ", \"filter_us\": ", Format("%.1f", d.filter_us), ", \"search_us\": ", Format("%.1f", d.search_us),
                ", \"total_us\": ", Format("%.1f", d.total_us));
}

// The payload, or of it the members that are wanted.
std::string PayloadJson(const std::string& payload, const std::vector<std::string>& fields) {
  const Result<ObjectText> object = ObjectText::Parse(payload);
  if (fields.empty() || !object.ok()) return OneLine(payload);
  std::string json = "{";
  for (const std::string& field : fields) {
    const std::optional<std::string_view> value = object->Find(field);
    if (value) json += StrCat(json.size() > 1 ? ", " : "", Quote(field), ": ", OneLine(*value));
  }
  return json + "}";
}

std::string PlanJson(PlanKind plan, bool exact, bool complete, std::string_view why) {
  return StrCat("\"plan\": ", Quote(PlanName(plan)), ", \"exact\": ", exact ? "true" : "false",
                ", \"complete\": ", complete ? "true" : "false", ", \"why\": ", Quote(why));
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string printable;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F are control characters, too; in UTF-8 they are C2 80 to C2 9F.
    const bool is_c1 = c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    printable += c < 0x20 || c == 0x7F || is_c1 ? '?' : text[i];
    if (is_c1) ++i;
  }
  return printable;
}

std::string Cut(std::string_view text, std::size_t width) {
  if (Characters(text) <= width) return std::string(text);
  std::size_t characters = 0;
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    if (BeginsCharacter(text[end]) && ++characters > width - 1) break;
  }
  return StrCat(text.substr(0, end), "…");
}

void PrintTable(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> cells = {head};
  cells.insert(cells.end(), rows.begin(), rows.end());
  std::vector<std::size_t> widths(head.size());
  for (std::vector<std::string>& row : cells) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      row[c] = Printable(row[c]);
      widths[c] = std::max(widths[c], Characters(row[c]));
    }
  }
  // What is left is shared out from left to right: a narrow column leaves its share to those behind it.
  std::size_t left = TerminalWidth();
  for (std::size_t c = 0; c < widths.size(); ++c) {
    const std::size_t share = std::max(kMinCellWidth, left / (widths.size() - c) - std::min<std::size_t>(left, 2));
    if (c >= kWholeColumns || c + 1 == widths.size()) widths[c] = std::min(widths[c], share);
    left -= std::min(left, widths[c] + 2);
  }
  for (const std::vector<std::string>& row : cells) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string cell = Cut(row[c], widths[c]);
      line += cell;
      if (c + 1 < row.size()) line += std::string(widths[c] - Characters(cell) + 2, ' ');
    }
    std::printf("%s\n", line.c_str());
  }
}

std::string VectorJson(const std::vector<float>& vector) {
  std::string json = "[";
  for (const float component : vector) {
    if (json.size() > 1) json += ", ";
    json += Format("%.9g", component);
  }
  return json + "]";
}

std::string RecordJson(const Record& record) {
  std::string json = StrCat("{\"id\": ", Quote(record.id));
  if (!record.payload.empty()) json += StrCat(", \"payload\": ", OneLine(record.payload));
  if (!record.vector.empty()) json += StrCat(", \"vector\": ", VectorJson(record.vector));
  return json + "}";
}

std::string SearchResultJson(const SearchResult& result, const std::vector<std::string>& fields) {
  std::string json = "{\"hits\": [";
  for (const Hit& hit : result.hits) {
    if (json.back() != '[') json += ", ";
    json += StrCat("{\"id\": ", Quote(hit.id), ", \"distance\": ", Format("%.9g", hit.distance));
    if (!hit.payload.empty()) json += StrCat(", \"payload\": ", PayloadJson(hit.payload, fields));
    if (!hit.vector.empty()) json += StrCat(", \"vector\": ", VectorJson(hit.vector));
    json += "}";
  }
  return StrCat(json, "], ", PlanJson(result.plan, result.exact, result.complete, result.why), ", ",
                DetailsJson(result.details), "}");
}

std::string ExplanationJson(const Explanation& explanation) {
  std::string json =
      StrCat("{", PlanJson(explanation.plan, explanation.exact, explanation.complete, explanation.why),
             ", \"filter\": ", Quote(explanation.filter), ", \"hits\": ", explanation.hits, ", \"notes\": [");
  for (const std::string& note : explanation.notes) json += StrCat(json.back() == '[' ? "" : ", ", Quote(note));
  return StrCat(json, "], ", DetailsJson(explanation.details), "}");
}

std::string FacetResultJson(const FacetResult& result) {
  std::string json = "{\"values\": [";
  for (const FacetValue& value : result.values) {
    if (json.back() != '[') json += ", ";
    json += StrCat("{\"value\": ", ValueJson(value.value), ", \"count\": ", value.count, "}");
  }
  return StrCat(json, "], \"distinct\": ", result.distinct, ", \"records\": ", result.records,
                ", \"missing\": ", result.missing, ", \"min\": ", ValueJson(result.min),
                ", \"max\": ", ValueJson(result.max), ", \"payloads_read\": ", result.payloads_read, "}");
}

std::string StatsJson(const CollectionStats& s) {
  return StrCat("{\"name\": ", Quote(s.name), ", \"dim\": ", s.options.dim,
                ", \"metric\": ", Quote(MetricName(s.options.metric)), ", \"m\": ", s.options.m,
                ", \"ef_construction\": ", s.options.ef_construction,
                ", \"codes\": ", Quote(CodeKindName(s.options.codes)),
                ", \"graph_codes\": ", Quote(CodeKindName(ResolveCodes(s.options.codes, s.options.dim))),
                ", \"records\": ", s.records, ", \"slots\": ", s.slots, ", \"linked\": ", s.linked,
                ", \"published\": ", s.published, ", \"generation\": ", s.generation,
                ", \"verifying\": ", s.verifying ? "true" : "false", ", \"damage\": ", Quote(s.damage),
                ", \"publish_error\": ", Quote(s.publish_error), ", \"publish_failures\": ", s.publish_failures,
                ", \"oldest_view_seconds\": ", s.oldest_view_seconds, ", \"anonymous_bytes\": ", s.anonymous_bytes,
                ", \"mapped_bytes\": ", s.mapped_bytes, ", \"paths\": ", s.paths,
                ", \"unindexed_rows\": ", s.unindexed_rows, "}");
}

std::string Bytes(std::uint64_t bytes) {
  if (bytes < 1'000'000) return Format("%.1f kB", static_cast<double>(bytes) / 1e3);
  if (bytes < 1'000'000'000) return Format("%.1f MB", static_cast<double>(bytes) / 1e6);
  return Format("%.2f GB", static_cast<double>(bytes) / 1e9);
}

std::string Micros(double us) {
  if (us < 1'000) return Format("%.0f us", us);
  return Format("%.1f ms", us / 1'000);
}

}  // namespace vdb::tools
