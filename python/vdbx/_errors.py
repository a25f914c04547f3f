"""The exceptions of vdbx. All are VdbError; each is also the builtin that a caller would catch anyway."""

from __future__ import annotations


class VdbError(Exception):
    """Anything that vdbx reports; itself raised for failures of the system, such as a disk error."""


class InvalidArgumentError(VdbError, ValueError):
    """A value, a size, a type or a filter that does not fit; nothing was changed."""


class NotFoundError(VdbError, LookupError):
    """No such database, collection or record."""


class LockedError(VdbError):
    """Another process has the database open, or this one with other options."""


class ClosedError(VdbError):
    """The database has been closed, or the collection dropped."""


class ForkError(VdbError):
    """This process is a fork of one that had a database open, and cannot use or write it; start it by spawn."""


class ReadOnlyError(VdbError):
    """The database was opened read-only, or became so by a failed write."""


class DataLossError(VdbError):
    """Bytes on disk are damaged, or acknowledged data is missing."""


class FormatError(VdbError):
    """The database was written by a newer version."""


class LimitError(VdbError):
    """Space, memory or a limit is reached; nothing was changed."""


class DeadlineError(VdbError, TimeoutError):
    """The time that the caller gave is over."""


class EmbeddingMismatchError(VdbError):
    """The embedding function does not fit the vectors of the collection."""


class EmbeddingError(VdbError):
    """An embedding endpoint refused, failed or answered with something else."""


class MissingPackageError(VdbError, ImportError):
    """A package that this function needs is not installed; the message has the line that installs it."""


_BY_CODE: dict[str, type[VdbError]] = {
    "InvalidArgument": InvalidArgumentError,
    "NotFound": NotFoundError,
    "AlreadyExists": InvalidArgumentError,
    "ResourceExhausted": LimitError,
    "DataLoss": DataLossError,
    "DeadlineExceeded": DeadlineError,
}

# Of FailedPrecondition, by what is wrong.
_BY_REASON: dict[str, type[VdbError]] = {
    "Closed": ClosedError,
    "Forked": ForkError,
    "InUse": LockedError,
    "ReadOnly": ReadOnlyError,
    "NewerFormat": FormatError,
}


def error_of(code: str, reason: str, message: str) -> VdbError:
    """The exception for a status of the core. Called by vdbx._core."""
    return (_BY_REASON.get(reason) or _BY_CODE.get(code, VdbError))(message)
