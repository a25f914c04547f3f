"""Documents of a folder as passages in a collection, kept up to date, and answers from them.

Markdown, text, HTML, PDF and source code. A passage's payload: text, source (path in the folder), place (line or page),
folder, type, date (of the last change), hash (of the file). Nothing leaves the machine unless OPENAI_BASE_URL is set:
then question and passages go to that endpoint.
"""

from __future__ import annotations

import datetime
import hashlib
import html.parser
import http.client
import json
import os
import re
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import vdbx

TYPES = {
    "markdown": ".md .markdown .rst .txt",
    "html": ".html .htm",
    "pdf": ".pdf",
    "code": ".py .c .cc .cpp .h .hpp .rs .go .java .js .ts .sh .sql .toml .yaml .yml .json .css .rb .lua .cmake",
}
TYPE_OF = {ending: kind for kind, endings in TYPES.items() for ending in endings.split()}
PASSAGE_CHARS = 900  # about 200 tokens: the local model reads 256
MAX_FILE_BYTES = 20 << 20


@dataclass
class Report:
    """What an update did."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)  # path, reason

    def __str__(self) -> str:
        counts = (f"{getattr(self, name)} {name}" for name in ("added", "changed", "removed", "unchanged"))
        return f"Files: {', '.join(counts)}, {len(self.skipped)} skipped."


def database_path(folder: Path) -> Path:
    """Where the passages of a folder are kept: in the user's cache, not in the folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vdbx-chat"
    cache.mkdir(parents=True, exist_ok=True)
    return cache / f"{folder.name}-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]}.vdb"


def update(notes: vdbx.Collection, root: Path) -> Report:
    """Makes the collection say what the folder says: reads new and changed files, drops those that are gone."""
    report = Report()
    known: dict[str, str] = {}
    passages: dict[str, list[str]] = {}
    for record in notes.scan():
        known[record["source"]] = record["hash"]
        passages.setdefault(record["source"], []).append(record.id)
    seen = set()
    for path in files(root):
        source = str(path.relative_to(root))
        seen.add(source)
        try:
            source.encode()  # a name that is no UTF-8 could not be stored
            data = path.read_bytes() if path.stat().st_size <= MAX_FILE_BYTES else None
            if data is None:
                raise ValueError(f"larger than {MAX_FILE_BYTES >> 20} MB")
            digest = hashlib.sha256(data).hexdigest()
            if known.get(source) == digest:
                report.unchanged += 1
                continue
            found = list(passages_of(path, data))
            if not found:
                raise ValueError("no text in it")
        except Exception as error:  # readers of foreign formats raise what they like; one bad file is no reason to stop
            report.skipped.append((source.encode("utf-8", "replace").decode(), str(error) or type(error).__name__))
            seen.discard(source)
            continue
        replace_file(notes, root, path, digest, found, passages.get(source, []))
        if source in known:
            report.changed += 1
        else:
            report.added += 1
    for source in known.keys() - seen:
        notes.delete(passages[source])
        report.removed += 1
    return report


def replace_file(
    notes: vdbx.Collection, root: Path, path: Path, digest: str, found: list[tuple[str, str]], old_ids: list[str]
) -> None:
    """Writes a file's passages and removes its old ones, in one step: a crash leaves the one or the other."""
    source = str(path.relative_to(root))
    changed = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.timezone.utc)
    name = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:24]
    payload = {
        "source": source,
        "folder": str(Path(source).parent),
        "type": TYPE_OF[path.suffix.lower()],
        "date": changed.date(),
        "hash": digest,
    }
    ids = [f"{name}-{digest[:8]}-{i}" for i in range(len(found))]
    vectors = vdbx.embed.Local()([f"{path.stem}\n{text}" for text, _ in found])
    with notes.database.write() as batch:
        batch.delete(notes, old_ids)
        batch.upsert(notes, ids, vectors, [{**payload, "text": text, "place": place} for text, place in found])


def files(root: Path) -> Iterator[Path]:
    """Files of known types, sorted; hidden folders and those of tools are left out."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in SKIPPED_FOLDERS)
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix.lower() in TYPE_OF and not name.startswith(".") and path.is_file():
                yield path


SKIPPED_FOLDERS = {"node_modules", "__pycache__", "build", "dist", "venv", "target"}


def passages_of(path: Path, data: bytes) -> Iterator[tuple[str, str]]:
    """Pieces of a file's text, each with its place."""
    kind = TYPE_OF[path.suffix.lower()]
    if kind == "pdf":
        import io

        import pypdf

        for number, page in enumerate(pypdf.PdfReader(io.BytesIO(data)).pages, 1):
            for text, _ in pieces(page.extract_text() or ""):
                yield text, f"page {number}"
        return
    if b"\0" in data[:8192]:
        raise ValueError("a binary file")
    text = data.decode("utf-8")
    if kind == "html":
        parser = HtmlText()
        parser.feed(text)
        text = parser.text()
    for piece, line in pieces(text):
        yield piece, f"line {line}"


def pieces(text: str) -> Iterator[tuple[str, int]]:
    """Paragraphs gathered up to PASSAGE_CHARS, with the line that each piece begins on; a heading begins a new one."""
    gathered: list[str] = []
    first = size = 0
    for number, line in enumerate([*text.splitlines(), ""], 1):
        is_heading = line.startswith("#") and line.lstrip("#").startswith(" ")
        is_break = not line.strip() and size > PASSAGE_CHARS // 2
        if gathered and (is_heading and size > 40 or is_break or size + len(line) > PASSAGE_CHARS):
            if "".join(gathered).strip():
                yield "\n".join(gathered).strip(), first
            gathered, size = [], 0
        for begin in range(0, max(len(line), 1), PASSAGE_CHARS):  # a line may be longer than a piece
            part = line[begin : begin + PASSAGE_CHARS]
            if size + len(part) > PASSAGE_CHARS and gathered:
                yield "\n".join(gathered).strip(), first
                gathered, size = [], 0
            if not gathered:
                if not part.strip():
                    continue
                first = number
            gathered.append(part)
            size += len(part) + 1
    if "".join(gathered).strip():
        yield "\n".join(gathered).strip(), first


class HtmlText(html.parser.HTMLParser):
    """The text of a page, its lines where they are in the source."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: dict[int, list[str]] = {}
        self._hidden = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style") and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        for offset, line in enumerate(data.split("\n")):
            self._lines.setdefault(self.getpos()[0] + offset, []).append(line.strip())

    def text(self) -> str:
        return "\n".join(" ".join(self._lines.get(line, [])).strip() for line in range(1, max(self._lines, default=0) + 1))


def sentences_of(text: str, kind: str) -> list[str]:
    """Its sentences, headings and items of lists, each on one line; of code its lines."""
    if kind == "code":
        return [line.strip() for line in text.splitlines()]
    text = re.sub(r"(?m)^#.*$", r"\g<0>\n", text)
    parts = re.split(r"(?<=[.!?])\s+|\n\s*\n|\n(?=\s*(?:[-*+>|#]|\d+[.)])\s)", text)
    return [" ".join(part.split()) for part in parts]


def best_sentences(question: str, hits: Sequence[vdbx.Hit], count: int = 3) -> str:
    """The sentences of the passages that are nearest to the question, with the numbers of their passages."""
    sentences = [
        (sentence, number)
        for number, hit in enumerate(hits, 1)
        for sentence in sentences_of(hit["text"], hit["type"])
        if len(sentence) > 20
    ][:200]
    if not sentences:
        return "Nothing in the documents fits."
    vectors = vdbx.embed.Local()([question, *(sentence for sentence, _ in sentences)])
    likeness = vectors[1:] @ vectors[0]
    nearest = [i for i in np.argsort(-likeness, kind="stable")[:count] if likeness[i] >= 0.7 * likeness.max()]
    return "\n\n".join(f"> {sentences[i][0].lstrip('#> ')} [{sentences[i][1]}]" for i in nearest)


def who_answers() -> str:
    base = os.environ.get("OPENAI_BASE_URL")
    if not base:
        return "Answers are sentences of the documents. Nothing leaves this machine."
    return f"Answers are written by {base}, which is sent your question and the passages that fit it."


def answer(question: str, hits: Sequence[vdbx.Hit], quotes: str) -> Iterator[str]:
    """The answer of the endpoint in OPENAI_BASE_URL, piece by piece; the quotes where there is none, or it fails."""
    base = os.environ.get("OPENAI_BASE_URL")
    if not base or not hits:
        yield quotes
        return
    try:
        yield from streamed(base, question, hits)
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        yield f"\n\n*{base} does not answer ({error}). From the documents:*\n\n{quotes}"


def streamed(base: str, question: str, hits: Sequence[vdbx.Hit]) -> Iterator[str]:
    passages = "\n\n".join(f"[{number}] {hit['source']}:\n{hit['text']}" for number, hit in enumerate(hits, 1))
    task = "Answer from the passages alone, shortly, and cite them by number like [1]. Say so if they do not answer."
    body = {
        "model": os.environ.get("OPENAI_MODEL", "default"),
        "stream": True,
        "messages": [
            {"role": "system", "content": task},
            {"role": "user", "content": f"{passages}\n\nQuestion: {question}"},
        ],
    }
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', 'none')}"}
    request = urllib.request.Request(base.rstrip("/") + "/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=120) as response:
        for line in response:
            if not line.startswith(b"data:"):
                continue
            if line[5:].strip() == b"[DONE]":
                return
            piece = json.loads(line[5:])["choices"][0].get("delta", {}).get("content")
            if piece:
                yield piece
    raise ValueError("the answer was cut off")
