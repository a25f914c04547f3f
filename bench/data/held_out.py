"""Turns one matrix of vectors into a data folder: some rows, drawn at random, become the queries.

    build/peers/bin/python bench/data/held_out.py VECTORS.npy FOLDER [--queries 2000] [--metric cosine] [--seed 1]

For the full WordNet: examples/data/make_wordnet.py --full DIR, then DIR/wordnet.npy.
"""

from __future__ import annotations

import argparse
import json
import pathlib

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vectors", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--queries", type=int, default=2_000)
    parser.add_argument("--metric", choices=("l2", "ip", "cosine"), default="cosine")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    vectors = np.load(options.vectors, mmap_mode="r")
    random = np.random.default_rng(options.seed)
    order = random.permutation(len(vectors))
    options.folder.mkdir(parents=True, exist_ok=True)
    np.save(options.folder / "base.npy", vectors[np.sort(order[options.queries :])])
    np.save(options.folder / "query.npy", vectors[order[: options.queries]])
    (options.folder / "dataset.json").write_text(json.dumps({"metric": options.metric}) + "\n")


if __name__ == "__main__":
    main()
