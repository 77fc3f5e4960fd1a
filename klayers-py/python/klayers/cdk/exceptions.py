"""The exceptions of ``cdk-klayers``, by their names there. All are ``klayers.KlayersError``."""

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
    """Neither the stack's environment nor an argument says the region."""


class InvalidPythonVersion(_CdkError):
    """The runtime is none of ``aws_lambda.Runtime``, or not one of Python."""


class LayerNameDoesNotExists(_CdkError):
    """The collection has no layer of the package for the runtime in the region."""


class LayerVersionNotInteger(_CdkError):
    """The number of a layer version is none."""


class RequestException(_CdkError):
    """The collection could not be asked; the cause says why."""


LayerVersionError = LayerVersionNotInteger
"""The name by which ``cdk-klayers`` means to raise it."""
