"""Makes a synthetic data folder: clusters of low intrinsic dimension on the unit sphere, as text embeddings have them.

    build/peers/bin/python bench/data/clustered.py FOLDER [--rows 1000000] [--dim 384] [--clusters 20000] [--seed 1]

A cluster has a centre, a subspace of 24 random directions whose spread falls off as 1 / sqrt(rank), and a little noise
in all dimensions. Centres are themselves drawn around 200 topics, so that clusters have neighbours, and clusters differ
in size (a Zipf law with exponent 0.7). Queries are further points of the same clusters; none is in base. Rows stand in
random order. The same seed and numpy give the same files.
"""

from __future__ import annotations

import argparse
import json
import pathlib
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = "np.ndarray[Any, np.dtype[np.float32]]"

TOPICS = 200
DIRECTIONS = 24
TOPIC_SPREAD = 0.7  # of a centre around its topic, which has length 1
CLUSTER_SPREAD = 0.55  # of a point around its centre, along the cluster's directions
NOISE = 0.25  # of a point around its centre, in all dimensions


def unit(vectors: Array) -> Array:
    lengths: Array = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / lengths


def sizes(rows: int, clusters: int, random: np.random.Generator) -> Any:
    weights = np.arange(1, clusters + 1) ** -0.7
    return random.multinomial(rows - clusters, weights / weights.sum()) + 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=2_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--clusters", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rows, queries, dim, clusters = options.rows, options.queries, options.dim, options.clusters
    random = np.random.default_rng(options.seed)

    def normal(*shape: int) -> Array:
        return random.standard_normal(shape, dtype=np.float32) / np.float32(np.sqrt(dim))

    topics = unit(normal(TOPICS, dim))
    centres = unit(topics[random.integers(TOPICS, size=clusters)] + TOPIC_SPREAD * normal(clusters, dim))
    falloff = np.arange(1, DIRECTIONS + 1, dtype=np.float32) ** -0.5
    falloff *= CLUSTER_SPREAD / np.linalg.norm(falloff)
    counts = sizes(rows + queries, clusters, random)
    points = np.empty((rows + queries, dim), dtype=np.float32)
    first = 0
    for cluster in range(clusters):
        count = int(counts[cluster])
        directions = unit(normal(DIRECTIONS, dim))
        along = random.standard_normal((count, DIRECTIONS), dtype=np.float32) * falloff
        points[first : first + count] = centres[cluster] + along @ directions + NOISE * normal(count, dim)
        first += count
    points = unit(points)
    order = random.permutation(rows + queries)
    options.folder.mkdir(parents=True, exist_ok=True)
    np.save(options.folder / "base.npy", points[order[:rows]])
    np.save(options.folder / "query.npy", points[order[rows:]])
    about = {"metric": "cosine", "synthetic": True, "seed": options.seed, "clusters": clusters}
    (options.folder / "dataset.json").write_text(json.dumps(about) + "\n")


if __name__ == "__main__":
    main()
