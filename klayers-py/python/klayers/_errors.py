"""What can go wrong. The extension module raises these."""

from __future__ import annotations

from klayers._klayers import Region, Target


class KlayersError(Exception):
    """A layer could not be looked up. All exceptions of this package are of this class."""

    def __init__(self, message: str, **attributes: object) -> None:
        # Of an exception, pickle keeps the arguments and the instance's attributes.
        super().__init__(message)
        self.__dict__.update(attributes)


class InvalidValueError(KlayersError, ValueError):
    """A text is not what it was given as: a region, a package name, an address."""


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
    """All layer versions of the package are deprecated."""


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


class AnswerError(KlayersError):
    """The answer is not one to the question, or too long."""

    url: str
    """The address that was asked."""
