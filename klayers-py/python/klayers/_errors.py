"""Exceptions and warnings. The extension module raises them."""

from __future__ import annotations

from klayers._klayers import Target
from klayers._values import LayerVersionArn, Region

# Importing typing or datetime for a type would take longer than importing the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import timedelta


class KlayersError(Exception):
    """The base class of all exceptions and warnings of this package."""

    def __init__(self, message: str, **attributes: object) -> None:
        # Pickle keeps the arguments of an exception and the attributes of the instance.
        super().__init__(message)
        self.__dict__.update(attributes)


class InvalidValueError(KlayersError, ValueError):
    """A value is invalid, such as a region, a package name or a base URL."""


class ClosedError(KlayersError):
    """The client is closed."""


class NotFoundError(KlayersError, LookupError):
    """The collection has no such layer."""

    package: str
    """The requested package."""
    region: Region
    """The region."""
    target: Target
    """The target."""


class UnknownPackageError(NotFoundError):
    """The collection has no layer of the package for the target in the region."""

    suggestions: list[str]
    """Packages of the collection with similar names, the most similar first."""


class NoLatestError(NotFoundError):
    """The package has no latest layer version: all are deprecated or withdrawn."""

    withdrawn: list[tuple[str, int, str]]
    """The withdrawn layer versions, the newest first: package version, layer version, reason."""


class NoMatchError(NotFoundError):
    """The package has layer versions, but none that was requested."""

    layer: str
    """The requested layer version, as in "requests==2.31.*"."""
    versions: list[tuple[str, int]]
    """The layer versions that exist, the newest first: package version, layer version."""
    withdrawn: list[tuple[str, int, str]]
    """The layer versions that match but were withdrawn: package version, layer version, reason."""


class TransportError(KlayersError):
    """No answer arrived, or only a part of it."""

    url: str
    """The address that was asked."""
    timed_out: bool
    """Whether the request timed out."""


class StatusError(KlayersError):
    """The server answered with a status other than 200."""

    url: str
    """The address that was asked."""
    status: int
    """The HTTP status code."""
    detail: str | None
    """The explanation that the server sent."""
    retry_after: int | None
    """How many seconds the server asks to wait before the next request."""


class AnswerError(KlayersError):
    """The answer does not fit the request, or is too long."""

    url: str
    """The address that was asked."""


class UnsupportedError(KlayersError):
    """The server has no such list; the public server lacks some."""

    url: str
    """The address that was asked."""


class OfflineError(KlayersError):
    """The client is offline, and no answer is cached."""

    url: str
    """The URL that would have been requested."""


class StaleAnswerWarning(KlayersError, UserWarning):
    """The answer comes from an expired cache entry, since the server could not be reached; __cause__
    has the reason."""

    age: timedelta
    """The time since the server made the answer."""


class WithdrawnWarning(KlayersError, UserWarning):
    """A layer version that was requested by version or number was withdrawn."""

    arn: LayerVersionArn
    """The layer version."""
    reason: str
    """Why it was withdrawn."""
