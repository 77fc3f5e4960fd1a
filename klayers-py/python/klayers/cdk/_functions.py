"""Warns of functions that use a layer for another architecture or runtime.

CDK compares runtimes only if it knows those of the layer, and never compares architectures. So this
checks all functions of the app when it is synthesised, when they no longer change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import klayers
from klayers.cdk._aws import aws_cdk

if TYPE_CHECKING:
    # Private, since these names do not exist at runtime: stubtest requires that.
    from aws_cdk import aws_lambda as _lambda  # type: ignore[import-not-found,unused-ignore]


def compare(layer: _lambda.ILayerVersion, arn: str, target: klayers.Target) -> None:
    """Makes CDK warn of each function that uses the layer and is for another target."""
    import constructs  # type: ignore[import-not-found,unused-ignore]
    import jsii  # type: ignore[import-not-found,unused-ignore]

    # CDK calls an object only if its class declares the interface.
    kind = type("Validation", (_Validation,), {})
    layer.node.add_validation(jsii.implements(constructs.IValidation)(kind)(layer, arn, target))


class _Validation:
    """A validation, which CDK calls when it synthesises the app."""

    def __init__(self, layer: _lambda.ILayerVersion, arn: str, target: klayers.Target) -> None:
        self._layer, self._arn, self._target = layer, arn, target

    def validate(self) -> list[str]:
        for construct in self._layer.node.root.node.find_all():
            if isinstance(construct, aws_cdk().aws_lambda.CfnFunction):
                _compare(construct, self._arn, self._target)
        # No errors; problems are reported as warnings.
        return []


def _compare(function: Any, arn: str, target: klayers.Target) -> None:
    cdk = aws_cdk()
    known = cdk.Stack.of(function).resolve
    if arn not in (known(function.layers) or []):
        return
    # The default of Lambda is x86_64. A value that only the deployment knows is not a text here.
    [architecture] = known(function.architectures) or ["x86_64"]
    if isinstance(architecture, str) and architecture != target.arch:
        cdk.Annotations.of(function).add_warning_v2(
            "klayers:architecture",
            f"{arn} is for {target.arch}, and this function is for {architecture}, where compiled "
            "modules of the layer cannot be imported: use klayers.cdk.layer_version(…, "
            f'arch="{architecture}"), or give the function the architecture of the layer',
        )
    runtime = known(function.runtime)
    if isinstance(runtime, str) and runtime != f"python{target.python}":
        cdk.Annotations.of(function).add_warning_v2(
            "klayers:runtime",
            f"{arn} is for Python {target.python}, and this function has the runtime {runtime}: look "
            "up the layer with the runtime of the function",
        )
