"""vdbx: an embedded vector database. A folder, collections in it, search by meaning under a filter.

    db = vdbx.open("notes.vdb")
    notes = db.collection("notes", dim=3)
    notes.upsert(["a", "b"], [[0.9, 0.1, 0.2], [0.1, 0.9, 0.3]], [{"year": 2016}, {"year": 2012}])
    for hit in notes.search([0.1, 0.8, 0.3], k=3, filter="year > ?", params=[2010]):
        print(hit.id, hit.distance, hit["year"])
"""

from vdbx import embed
from vdbx._collection import Collection, Id
from vdbx._core import VERSION as __version__
from vdbx._database import Batch, Database, Event, open
from vdbx._errors import (
    ClosedError,
    DataLossError,
    DeadlineError,
    EmbeddingError,
    EmbeddingMismatchError,
    ForkError,
    FormatError,
    InvalidArgumentError,
    LimitError,
    LockedError,
    MissingPackageError,
    NotFoundError,
    ReadOnlyError,
    VdbError,
)
from vdbx._filter import Condition, F
from vdbx._records import Facet, Facets, Hit, Record, SearchResult

__all__ = [
    "Batch",
    "ClosedError",
    "Collection",
    "Condition",
    "DataLossError",
    "Database",
    "DeadlineError",
    "EmbeddingError",
    "EmbeddingMismatchError",
    "Event",
    "F",
    "Facet",
    "Facets",
    "ForkError",
    "FormatError",
    "Hit",
    "Id",
    "InvalidArgumentError",
    "LimitError",
    "LockedError",
    "MissingPackageError",
    "NotFoundError",
    "ReadOnlyError",
    "Record",
    "SearchResult",
    "VdbError",
    "__version__",
    "embed",
    "open",
]
