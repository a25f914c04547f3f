"""What bench_worker says to requests that cannot be answered. worker_test.py BENCH_WORKER"""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

WORKER = sys.argv.pop()
QUERIES = 5


def write_npy(path, rows):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(rows)}, 2), }}".ljust(117) + "\n"
    values = b"".join(struct.pack("<2f", *row) for row in rows)
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + values)


class BenchWorker(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name)
        write_npy(path / "base.npy", [(i, 1) for i in range(20)])
        write_npy(path / "query.npy", [(i, 0) for i in range(QUERIES)])
        write_npy(path / "none.npy", [])
        (path / "deleted.u32").touch()
        self.spec = {
            "engine": "vdb",
            "data": folder.name,
            "query_file": str(path / "query.npy"),
            "folder": str(path / "index"),
            "metric": "l2",
            "dim": 2,
            "k": 3,
            "m": 8,
            "ef_construction": 20,
            "threads": 1,
            "read_only": False,
        }
        subprocess.run([WORKER, "build", json.dumps(self.spec)], check=True, stdout=subprocess.DEVNULL)

    def serve(self, requests, **spec):
        lines = "".join(json.dumps(request) + "\n" for request in requests)
        command = [WORKER, "serve", json.dumps(self.spec | spec)]
        return subprocess.run(command, input=lines, capture_output=True, text=True, timeout=60)

    def unopened(self, *requests):
        return [json.loads(line) for line in self.serve(requests).stdout.splitlines()[1:]]

    def answers(self, *requests):
        served = self.serve([{"do": "open"}, *requests])
        self.assertEqual(0, served.returncode, served.stderr)
        return [json.loads(line) for line in served.stdout.splitlines()[2:]]

    def test_queries_that_are_not_there(self):
        time = {"do": "time", "parameter": 10, "warm": [0, 0], "threads": 2, "passes": 2, "seconds": 5}
        hits = {"do": "hits", "parameter": 10}
        for begin, end in ((0, 0), (3, 2), (0, QUERIES + 1), (QUERIES, QUERIES)):
            wanted = f"got queries [{begin}, {end}), wanted 1 or more of the {QUERIES}"
            said = self.answers(hits | {"begin": begin, "end": end}, time | {"begin": begin, "end": end})
            self.assertEqual([{"error": wanted}] * 2, said)
        ranges = {"begin": 0, "end": QUERIES}
        said = self.answers(time | ranges | {"warm": [0, QUERIES + 1]}, time | ranges, hits | ranges)
        self.assertEqual(f"got queries [0, {QUERIES + 1}), wanted 0 or more of the {QUERIES}", said[0]["error"])
        self.assertEqual(QUERIES, len(said[1]["micros"]))
        self.assertEqual(QUERIES, len(said[2]["hits"]))

    def test_settles_after_opening(self):
        (settled,) = self.answers({"do": "settle"})
        self.assertGreaterEqual(settled["seconds"], 0)
        self.assertEqual([{"error": "the index is not open"}], self.unopened({"do": "settle"}))

    def test_no_time_for_a_query(self):
        time = {"do": "time", "parameter": 10, "warm": [0, 1], "begin": 0, "end": QUERIES, "threads": 1, "passes": 1}
        self.assertEqual([{"error": "no query was answered in -1 s"}], self.answers(time | {"seconds": -1}))

    def test_a_file_without_queries(self):
        served = self.serve([], query_file=self.spec["data"] + "/none.npy")
        self.assertEqual(1, served.returncode)
        self.assertIn("none.npy", served.stderr)


unittest.main()
