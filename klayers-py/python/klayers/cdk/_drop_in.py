from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

import klayers
from klayers.cdk import _functions, _tokens, exceptions
from klayers.cdk._aws import aws_cdk

if TYPE_CHECKING:
    # Not there at runtime, hence private, as the tool that compares the two asks for.
    import constructs as _constructs  # type: ignore[import-not-found,unused-ignore]
    from aws_cdk import aws_lambda as _lambda  # type: ignore[import-not-found,unused-ignore]

_PUBLIC = "https://api.klayers.cloud/api/v2"


class Klayers:
    """What the class of this name in ``cdk-klayers`` is, on the client of this package.

    Attributes, methods and the ids of constructs are the same. What differs: packages are found in
    any spelling, failures in passing are tried again, an answer that is none is a
    ``RequestException``, and ``KLAYERS_API_URL`` names another collection. What that package has no
    words for, another architecture or a version of the package, :func:`klayers.cdk.layer_version`
    has.
    """

    base_url: str = _PUBLIC
    """Where the API is; may be set on the class or in a subclass."""
    python_version: str
    """The runtime's name, as ``python3.13``."""
    region: str
    """The region's code."""
    latest_layer_arns: dict[str, dict[str, str]]
    """The latest layers by package, each with its ``arn`` and ``packageVersion``."""

    def __init__(
        self,
        scope: _constructs.Construct,
        python_version: _lambda.Runtime,
        region: str | bool | None = False,
    ) -> None:
        """Asks for the latest layers of a runtime; the region is that of the scope's stack if it is
        left out.
        """
        self.python_version = self.get_python_version(python_version)
        self.region = self.get_region(scope, region)
        self.latest_layer_arns = self.get_latest_layer_arns(self.region, python_version)

    def layer_version(
        self, scope: _constructs.Construct, package: str, layer_version: int | str = "latest"
    ) -> _lambda.ILayerVersion:
        """The package's latest layer, or the version of it with a number.

        Whether there is a version with that number, and has not been deleted, is not asked;
        :func:`klayers.cdk.layer_version` does.
        """
        _tokens.refuse("package", package, exceptions.LayerNameDoesNotExists)
        _tokens.refuse("version", layer_version, exceptions.LayerVersionNotInteger)
        arn = self._latest_arn(package)
        if layer_version != "latest":
            arn = f"{arn.rpartition(':')[0]}:{_number(layer_version)}"
        layer: _lambda.ILayerVersion = aws_cdk().aws_lambda.LayerVersion.from_layer_version_arn(
            scope, f"{self.region}-{self.python_version}-{package}-{layer_version}", arn
        )
        _functions.compare(layer, arn, _target(self.python_version))
        return layer

    def get_region(self, scope: _constructs.Construct, region: str | bool | None = False) -> str:
        """The region that is given, or else that of the scope's stack."""
        found = str(region) if region else str(aws_cdk().Stack.of(scope).region)
        _tokens.refuse("region", found, exceptions.NoRegionProvidedError)
        return found

    def get_python_version(self, python_version: _lambda.Runtime) -> str:
        """A runtime's name, as ``python3.13``."""
        if not isinstance(python_version, aws_cdk().aws_lambda.Runtime):
            raise exceptions.InvalidPythonVersion(
                "expected a runtime, as aws_lambda.Runtime.PYTHON_3_13, and not "
                f"{python_version!r}"
            )
        name: str = python_version.to_string()
        _tokens.refuse("runtime", name, exceptions.InvalidPythonVersion)
        return name

    def get_latest_layer_arns(
        self, region: str, python_version: _lambda.Runtime
    ) -> dict[str, dict[str, str]]:
        """The latest layers by package, each with its ``arn`` and ``packageVersion``."""
        _tokens.refuse("region", region, exceptions.NoRegionProvidedError)
        target = _target(self.get_python_version(python_version))
        try:
            if self.base_url == _PUBLIC:
                rows = klayers.latest(region=region, target=target)
            else:
                # The client puts the API's path to the address by itself.
                url = re.sub("/api/v2/?$", "", self.base_url)
                with klayers.Client(url) as client:
                    rows = client.latest(region=region, target=target)
        except (klayers.TransportError, klayers.StatusError, klayers.AnswerError) as error:
            raise exceptions.RequestException(str(error)) from error
        return {
            row.package: {"arn": str(row.arn), "packageVersion": row.package_version}
            for row in rows
        }

    def _latest_arn(self, package: str) -> str:
        layers = self.latest_layer_arns
        if package in layers:
            return layers[package]["arn"]
        by_name = {_normalized(name): row["arn"] for name, row in layers.items()}
        arn = by_name.get(_normalized(package))
        if arn is None:
            near = difflib.get_close_matches(_normalized(package), by_name)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise exceptions.LayerNameDoesNotExists(
                f"no layer of {package} for {self.python_version} in {self.region}{hint}"
            )
        return arn


def _target(runtime: str) -> klayers.Target:
    """The target of a runtime, for x86_64: the class knows no other architecture."""
    family, _, python = runtime.partition("python")
    try:
        return klayers.Target(python=python)
    except klayers.InvalidValueError as error:
        raise exceptions.InvalidPythonVersion(
            f"{family or runtime} is no runtime of Python"
        ) from error


def _normalized(package: str) -> str:
    return klayers.PackageName(package).normalized


def _number(text: int | str) -> int:
    try:
        number = int(text)
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise exceptions.LayerVersionNotInteger(
            f'expected "latest" or the number of a layer version, and not {text!r}'
        )
    return number
