"""What the benchmark's driver makes of what the workers say."""

import dataclasses
import mmap
import pathlib
import shutil
import unittest
import unittest.mock

import memory
import page_cache
import report
import sweep
from engines import Engine

K = 10
TRUTH = [set(range(K)) for _ in range(200)]


class FakeWorker:
    """Finds min(K, ef / 10) of the true neighbours; one fewer for the second half of the queries."""

    def ask(self, **request):
        found = min(K, request["parameter"] // 10)
        rows = range(request["begin"], request["end"])
        return {"hits": [list(range(found if row < 100 else max(0, found - 1))) for row in rows]}


class Driver(unittest.TestCase):
    def points_of(self, parameters):
        run = sweep.Run(Engine("x", "X", parameters=parameters), pathlib.Path("x"), "1")
        options = sweep.Options(rounds=1, threads=1, seconds=1, queries=200, k=K)
        sweep.find_points(run, FakeWorker(), TRUTH, options)
        return run.points

    def test_tunes_on_the_first_half_and_reports_the_second(self):
        points = {point.parameter: point for point in self.points_of((10, 60, 200))}
        low, high = (parameter for parameter in sorted(points) if 60 < parameter < 200)
        self.assertIn(low, (90, 91))  # the smallest ef of recall 0.9 is 90, of 0.95 and 0.99 it is 100, to 2 %
        self.assertIn(high, (100, 101, 102))
        self.assertEqual((0.9, 0.8), (points[low].tuning_recall, points[low].recall))
        self.assertEqual((0.1, 0.0), (points[10].tuning_recall, points[10].recall))

    def test_stops_at_full_recall(self):
        self.assertEqual([100], [point.parameter for point in self.points_of((100, 150, 300))])

    def test_a_slow_engine_is_asked_fewer_queries(self):
        run = sweep.Run(Engine("x", "X", parameters=(10,)), pathlib.Path("x"), "1")
        for seconds, queries in ((1, 1_000), (2, 500), (60, 100)):  # for 100 searches
            with unittest.mock.patch("sweep.time.perf_counter", side_effect=(100.0, 100.0 + seconds)):
                self.assertEqual(queries, sweep.affordable(run, FakeWorker(), 1_000))

    def test_reads_truth_with_ties(self):
        path = pathlib.Path(self.id() + ".u32")
        path.write_bytes(b"".join(n.to_bytes(4, "little") for n in (2, 5, 7, 3, 1, 2, 3)))
        self.addCleanup(path.unlink)
        self.assertEqual([{5, 7}, {1, 2, 3}], sweep.read_truth(path))

    def test_a_disturbed_block_counts_with_its_best_round(self):
        calm = [10.0] * 100
        rounds = [{"micros": [500.0] + calm[1:]}, {"micros": calm[:99] + [900.0]}, {"micros": [20.0] * 100}]
        self.assertEqual(calm, sweep.best_micros(rounds))
        self.assertEqual(10.2, sweep.steady_us(rounds))  # 20 is the median of the first query and of the last

    def test_ratios_are_those_of_each_target(self):
        def engine(name, *points):
            sweep_of = [{"parameter": p, "tuning_recall": r, "mean_us": us, "steady_us": us} for p, r, us in points]
            at = {target: sweep.at_recall(sweep_of, float(target)) for target in ("0.9", "0.95", "0.99")}
            return {"name": name, "sweep": sweep_of, "at_recall": at}

        engines = [engine("hnswlib", (10, 0.91, 30.0), (20, 0.96, 60.0)), engine("x", (16, 0.97, 20.0))]
        report.add_ratios(engines)
        self.assertEqual(1.5, engines[1]["at_recall"]["0.9"]["ratio"])
        self.assertEqual(3.0, engines[1]["at_recall"]["0.95"]["ratio"])
        self.assertIsNone(engines[1]["at_recall"]["0.99"])

    def test_memory_of_this_process(self):
        before = memory.memory_of(pathlib.Path("/proc/self").resolve().name, pathlib.Path("/nowhere"))
        held = bytearray(b"x" * (64 << 20))
        after = memory.memory_of(pathlib.Path("/proc/self").resolve().name, pathlib.Path("/nowhere"))
        self.assertGreaterEqual(after.anonymous - before.anonymous, len(held))
        self.assertGreater(after.libraries, 0)
        self.assertEqual({}, dataclasses.asdict(after)["files"])

    def test_evicts_what_nobody_has_mapped(self):
        folder = pathlib.Path(self.id())
        folder.mkdir(exist_ok=True)
        self.addCleanup(shutil.rmtree, folder)
        file = folder / "rows"
        file.write_bytes(b"x" * (10 * mmap.PAGESIZE + 1))
        self.assertEqual(11, page_cache.resident_pages(file))
        self.assertTrue(page_cache.evict(folder))
        self.assertEqual(0, page_cache.resident_pages(file))
        with open(file, "rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapping:
            self.assertEqual(ord("x"), mapping[0])
            self.assertFalse(page_cache.evict(folder))


if __name__ == "__main__":
    unittest.main()
