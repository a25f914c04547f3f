"""WordNet in a folder: 10,000 glosses with their embeddings, two questions. python examples/quickstart.py [FOLDER]"""
import json
import pathlib
import sys
import numpy as np
import vdbx

data = pathlib.Path(__file__).parent / "data"
with vdbx.open(sys.argv[1] if len(sys.argv) > 1 else "wordnet.vdb") as db:
    glosses = db.collection("wordnet", dim=384)
    rows = [json.loads(line) for line in (data / "wordnet.jsonl").read_text(encoding="utf-8").splitlines()]
    glosses.upsert([row["id"] for row in rows], np.load(data / "wordnet.npy"), rows)
    for question, vector in zip((data / "questions.txt").read_text().splitlines()[:2], np.load(data / "questions.npy")):
        for hit in glosses.search(vector, k=3, filter="pos = ?", params=["noun"]):
            print(question, f"{hit.distance:.3f}", hit["lemmas"][0], hit["gloss"], sep=" | ")
