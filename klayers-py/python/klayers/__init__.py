"""The ARNs of AWS Lambda layers that hold Python packages.

    >>> import klayers
    >>> print(klayers.latest_arn("requests", region="us-east-1", python="3.13", arch="x86_64"))
    arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4

The functions of this module ask the public collection, or the one whose address is in the
environment variable ``KLAYERS_API_URL``; a :class:`Client` asks another. Whatever goes wrong is a
:class:`KlayersError`.
"""

from klayers._errors import (
    AnswerError,
    InvalidValueError,
    KlayersError,
    NoLatestError,
    NotFoundError,
    StatusError,
    TransportError,
    UnknownPackageError,
)
from klayers._klayers import (
    Client,
    LatestLayer,
    LayerVersion,
    LayerVersionArn,
    Region,
    Target,
    __version__,
    latest,
    latest_arn,
    versions,
)

__all__ = [
    "AnswerError",
    "Client",
    "InvalidValueError",
    "KlayersError",
    "LatestLayer",
    "LayerVersion",
    "LayerVersionArn",
    "NoLatestError",
    "NotFoundError",
    "Region",
    "StatusError",
    "Target",
    "TransportError",
    "UnknownPackageError",
    "__version__",
    "latest",
    "latest_arn",
    "versions",
]
