// Explanation as text for people.

#include <vdb/search.h>

#include <cstdio>
#include <string>

#include "vdb/util/str_cat.h"

namespace vdb {
namespace {

std::string Micros(double us) {
  char text[32];
  std::snprintf(text, sizeof(text), us < 1000 ? "%.1f us" : "%.0f us", us);
  return text;
}

std::string Line(std::string_view label, std::string_view value) {
  std::string line = StrCat("  ", label);
  line.resize(std::max<std::size_t>(line.size(), 14), ' ');
  return StrCat(line, " ", value, "\n");
}

std::string Decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3f", value);
  return text;
}

}  // namespace

std::string Explanation::ToText() const {
  const PlanDetails& d = details;
  std::string text = StrCat(PlanName(plan), exact ? ", exact" : ", approximate",
                            complete ? ", complete" : ", incomplete", ": ", why, "\n");
  text += Line("filter", filter.empty() ? "none" : filter);
  text += Line("records", StrCat(d.matches, " of ", d.live_rows, " match; ", d.tail_rows, " not in the graph yet"));
  std::string costs = StrCat("exact ", Micros(d.estimated_exact_ns / 1000));
  costs += d.estimated_sweep_ns > 0 ? StrCat(", sweep ", Micros(d.estimated_sweep_ns / 1000)) : ", no graph to sweep";
  text += Line("estimated", StrCat(costs, "; ", d.estimated_distances, " distances"));
  text += Line("actual", StrCat(Micros(d.search_us), "; ", d.distances, " distances, ", d.visited, " nodes expanded",
                                d.fell_back ? "; the walk was given up for a scan" : ""));
  if (d.stop_factor > 0) {
    const std::string expected = d.expected_recall > 0 ? Decimal(d.expected_recall) : "not measured for this";
    text += Line("recall", StrCat("expected ", expected, "; walked to ", Decimal(d.stop_factor),
                                  " times the k-th nearest distance"));
  }
  text += Line("filtering", StrCat(Micros(d.filter_us), "; ", d.rechecked, " payloads read"));
  text += Line("total", StrCat(Micros(d.total_us), ", ", hits, " hits"));
  for (const std::string& note : notes) text += Line("note", note);
  return text;
}

}  // namespace vdb
