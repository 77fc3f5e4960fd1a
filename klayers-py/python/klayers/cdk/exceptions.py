"""The exceptions of ``cdk-klayers``, under the same names. All derive from ``klayers.KlayersError``."""

from __future__ import annotations

from klayers import KlayersError

__all__ = [
    "InvalidPythonVersion",
    "KlayersError",
    "LayerNameDoesNotExists",
    "LayerVersionError",
    "LayerVersionNotInteger",
    "NoRegionProvidedError",
    "RequestException",
]


class _CdkError(KlayersError):
    message: str
    """What happened."""
    Code: str
    """The name of the exception."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.Code = type(self).__name__


class NoRegionProvidedError(_CdkError):
    """Neither the environment of the stack nor an argument gives the region."""


class InvalidPythonVersion(_CdkError):
    """The value is not an ``aws_lambda.Runtime``, or not a Python runtime."""


class LayerNameDoesNotExists(_CdkError):
    """The collection has no layer of the package for the runtime in the region."""


class LayerVersionNotInteger(_CdkError):
    """The number of a layer version is not a positive integer."""


class RequestException(_CdkError):
    """The request to the collection failed; the cause says why."""


LayerVersionError = LayerVersionNotInteger
"""The name under which ``cdk-klayers`` tries to raise this exception."""
