// Opens a database in the folder given, writes, and searches under a filter; prints the nearest id.

#include <vdb/vdb.h>

#include <iostream>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    vdb::Database db = vdb::Database::Open(argv[1]).value();
    vdb::Collection points = db.CreateCollection("points", {.dim = 2, .metric = vdb::Metric::kL2Squared}).value();
    const std::vector<float> a = {0, 1};
    const std::vector<float> b = {0, 2};
    points.Upsert({.id = "a", .vector = a, .payload = R"({"even": false})"}).value();
    points.Upsert({.id = "b", .vector = b, .payload = R"({"even": true})"}).value();
    const vdb::SearchResult result = points.Search({.vector = a, .k = 2, .filter = "even = TRUE"}).value();
    for (const vdb::Hit& hit : result.hits) std::cout << hit.id << ' ' << hit.distance << '\n';
    db.Close().value();
  } catch (const vdb::BadStatus& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
