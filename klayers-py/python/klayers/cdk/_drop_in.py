from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

import klayers
from klayers.cdk import _functions, _tokens, exceptions
from klayers.cdk._aws import aws_cdk

if TYPE_CHECKING:
    # Private, since these names do not exist at runtime: stubtest requires that.
    import constructs as _constructs  # type: ignore[import-not-found,unused-ignore]
    from aws_cdk import aws_lambda as _lambda  # type: ignore[import-not-found,unused-ignore]

_PUBLIC = "https://api.klayers.cloud/api/v2"


class Klayers:
    """Replaces the class of this name in ``cdk-klayers``, and uses the client of this package.

    Attributes, methods and construct ids are the same. The differences: packages are found in any
    spelling, temporary failures are retried, an invalid answer raises ``RequestException``, and
    ``KLAYERS_API_URL`` selects another collection. For other architectures or a version of the
    package, which ``cdk-klayers`` does not support, use :func:`klayers.cdk.layer_version`.
    """

    base_url: str = _PUBLIC
    """The URL of the API; may be set on the class or in a subclass."""
    python_version: str
    """The name of the runtime, such as ``python3.13``."""
    region: str
    """The code of the region."""
    latest_layer_arns: dict[str, dict[str, str]]
    """The latest layers by package, each with its ``arn`` and ``packageVersion``."""

    def __init__(
        self,
        scope: _constructs.Construct,
        python_version: _lambda.Runtime,
        region: str | bool | None = False,
    ) -> None:
        """Looks up the latest layers of a runtime. The default region is that of the scope's stack."""
        self.python_version = self.get_python_version(python_version)
        self.region = self.get_region(scope, region)
        self.latest_layer_arns = self.get_latest_layer_arns(self.region, python_version)

    def layer_version(
        self, scope: _constructs.Construct, package: str, layer_version: int | str = "latest"
    ) -> _lambda.ILayerVersion:
        """The latest layer version of the package, or the layer version with a number.

        Does not check that the layer version with that number exists;
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
        """The given region, or else that of the scope's stack."""
        found = str(region) if region else str(aws_cdk().Stack.of(scope).region)
        _tokens.refuse("region", found, exceptions.NoRegionProvidedError)
        return found

    def get_python_version(self, python_version: _lambda.Runtime) -> str:
        """The name of a runtime, such as ``python3.13``."""
        if not isinstance(python_version, aws_cdk().aws_lambda.Runtime):
            raise exceptions.InvalidPythonVersion(
                "expected a runtime, such as aws_lambda.Runtime.PYTHON_3_13, but got "
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
                # The client appends the path of the API itself.
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
    """The target of a runtime on x86_64, the only architecture of this class."""
    family, _, python = runtime.partition("python")
    try:
        return klayers.Target(python=python)
    except klayers.InvalidValueError as error:
        raise exceptions.InvalidPythonVersion(
            f"{family or runtime} is not a Python runtime"
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
            f'expected "latest" or the number of a layer version, but got {text!r}'
        )
    return number
