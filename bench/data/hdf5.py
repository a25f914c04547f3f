"""Turns a file of ann-benchmarks (train, test, attribute distance) into a data folder.

    build/peers/bin/python bench/data/hdf5.py FILE.hdf5 FOLDER
"""

from __future__ import annotations

import json
import pathlib
import sys

import h5py
import numpy as np

METRICS = {"euclidean": "l2", "angular": "cosine", "dot": "ip"}


def main() -> None:
    source, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(source) as file:
        distance = str(file.attrs["distance"])
        if distance not in METRICS:
            sys.exit(f"{source}: distance '{distance}'; wanted one of {', '.join(METRICS)}")
        np.save(folder / "base.npy", np.asarray(file["train"], dtype=np.float32))
        np.save(folder / "query.npy", np.asarray(file["test"], dtype=np.float32))
    (folder / "dataset.json").write_text(json.dumps({"metric": METRICS[distance]}) + "\n")


if __name__ == "__main__":
    main()
