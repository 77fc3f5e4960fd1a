"""The ARNs of AWS Lambda layers that hold Python packages.

    >>> import klayers
    >>> print(klayers.latest_arn("requests", region="us-east-1", python="3.13", arch="x86_64"))
    arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4

The functions of this module use the public collection, or the collection at the URL in the
environment variable KLAYERS_API_URL. A Client uses any collection; an AsyncClient does so in asyncio.
A text is accepted wherever a Region, a Target, a PackageName or a Requirement is expected. All
exceptions are KlayersErrors.

klayers.pipeline has functions for pipelines that build layers, klayers.cdk has constructs for the AWS
CDK.
"""

from klayers._async import AsyncClient
from klayers._errors import (
    AnswerError,
    ClosedError,
    InvalidValueError,
    KlayersError,
    NoLatestError,
    NoMatchError,
    NotFoundError,
    OfflineError,
    StaleAnswerWarning,
    StatusError,
    TransportError,
    UnknownPackageError,
    UnsupportedError,
    WithdrawnWarning,
)
from klayers._klayers import (
    Build,
    Client,
    LatestLayer,
    LayerVersion,
    PackageLayer,
    PackageName,
    PackageVersion,
    Requirement,
    Target,
    __version__,
    latest,
    latest_arn,
    layer,
    package,
    packages,
    regions,
    targets,
    versions,
)
from klayers._values import LayerVersionArn, Region

__all__ = [
    "AnswerError",
    "AsyncClient",
    "Build",
    "Client",
    "ClosedError",
    "InvalidValueError",
    "KlayersError",
    "LatestLayer",
    "LayerVersion",
    "LayerVersionArn",
    "NoLatestError",
    "NoMatchError",
    "NotFoundError",
    "OfflineError",
    "PackageLayer",
    "PackageName",
    "PackageVersion",
    "Region",
    "Requirement",
    "StaleAnswerWarning",
    "StatusError",
    "Target",
    "TransportError",
    "UnknownPackageError",
    "UnsupportedError",
    "WithdrawnWarning",
    "__version__",
    "latest",
    "latest_arn",
    "layer",
    "package",
    "packages",
    "regions",
    "targets",
    "versions",
]
