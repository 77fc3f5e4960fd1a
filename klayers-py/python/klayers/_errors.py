"""What can go wrong. The extension module raises these."""

from __future__ import annotations

from klayers._klayers import Target
from klayers._values import LayerVersionArn, Region

# Imported for a type alone, it would cost more than all the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import timedelta


class KlayersError(Exception):
    """Something went wrong. All exceptions of this package are of this class."""

    def __init__(self, message: str, **attributes: object) -> None:
        # Of an exception, pickle keeps the arguments and the instance's attributes.
        super().__init__(message)
        self.__dict__.update(attributes)


class InvalidValueError(KlayersError, ValueError):
    """A value is not what it was given as: a region, a package name, an address."""


class ClosedError(KlayersError):
    """The client was closed before."""


class NotFoundError(KlayersError, LookupError):
    """There is no such layer."""

    package: str
    """The package that was asked for."""
    region: Region
    """The region."""
    target: Target
    """The target."""


class UnknownPackageError(NotFoundError):
    """The collection has no layer of the package for the target in the region."""

    suggestions: list[str]
    """Packages with names near to it that there are layers of, the nearest first."""


class NoLatestError(NotFoundError):
    """All layer versions of the package are deprecated or withdrawn."""

    withdrawn: list[tuple[str, int, str]]
    """Those that were withdrawn: package version, layer version and reason, the newest first."""


class NoMatchError(NotFoundError):
    """There are layers of the package, and none of them is the one that was asked for."""

    layer: str
    """What was asked for, as in "requests==2.31.*"."""
    versions: list[tuple[str, int]]
    """The package versions and the layer versions that there are, the newest first."""
    withdrawn: list[tuple[str, int, str]]
    """Those that would be it, had they not been withdrawn: package version, layer version and reason."""


class TransportError(KlayersError):
    """No answer came, or not all of it."""

    url: str
    """The address that was asked."""
    timed_out: bool
    """Whether the time allowed ran out."""


class StatusError(KlayersError):
    """The server answered with a status other than 200."""

    url: str
    """The address that was asked."""
    status: int
    """The HTTP status code."""
    detail: str | None
    """What the server said of it."""
    retry_after: int | None
    """How many seconds the server asks to wait before it is asked again."""


class AnswerError(KlayersError):
    """The answer is not one to the question, or too long."""

    url: str
    """The address that was asked."""


class UnsupportedError(KlayersError):
    """The server has no such list, as the public one."""

    url: str
    """The address that was asked."""


class OfflineError(KlayersError):
    """The client is offline, and no earlier answer is kept."""

    url: str
    """The address that would have been asked."""


class StaleAnswerWarning(KlayersError, UserWarning):
    """The answer is an old one, since the server could not be asked: __cause__ says why."""

    age: timedelta
    """How long ago the server made it."""


class WithdrawnWarning(KlayersError, UserWarning):
    """The layer version that was asked for by its version or number was withdrawn."""

    arn: LayerVersionArn
    """The layer version."""
    reason: str
    """Why it was withdrawn."""
