// A first database: open, write, search under a filter. Run: quickstart FOLDER

#include <vdb/vdb.h>

#include <cstdlib>
#include <iostream>
#include <vector>

int main(int argc, char** argv) {
  try {
    vdb::Database db = vdb::Database::Open(argc > 1 ? argv[1] : "quickstart.vdb").value();
    auto opened = db.OpenCollection("notes");
    vdb::Collection notes = opened.ok() ? *opened : db.CreateCollection("notes", {.dim = 3}).value();

    const std::vector<float> hnsw = {0.9F, 0.1F, 0.2F};
    const std::vector<float> rocks = {0.1F, 0.9F, 0.3F};
    const std::vector<float> lsm = {0.2F, 0.8F, 0.4F};
    notes.Upsert({.id = "a/1", .vector = hnsw, .payload = R"({"text": "HNSW is a graph", "year": 2016})"}).value();
    notes.Upsert({.id = "a/2", .vector = rocks, .payload = R"({"text": "RocksDB is a log", "year": 2012})"}).value();
    notes.Upsert({.id = "a/3", .vector = lsm, .payload = R"({"text": "LSM trees merge", "year": 1996})"}).value();

    const std::vector<float> query = {0.15F, 0.85F, 0.35F};
    const vdb::SearchResult result =
        notes.Search({.vector = query, .k = 2, .filter = "year >= $1", .bind = {2000}}).value();
    for (const vdb::Hit& hit : result.hits) std::cout << hit.id << "  " << hit.distance << "  " << hit.payload << '\n';
    std::cout << result.plan << (result.exact ? ", exact" : "") << (result.complete ? ", complete" : "") << '\n';
    return EXIT_SUCCESS;
  } catch (const vdb::BadStatus& error) {
    std::cerr << "quickstart: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
