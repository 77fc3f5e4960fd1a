"""Functions that are given a layer of another architecture or runtime.

CDK itself compares runtimes where it knows those of the layer, and never compares architectures. So
all functions of the app are looked at when it is synthesised, after all other changes to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import klayers
from klayers.cdk._aws import aws_cdk

if TYPE_CHECKING:
    # Not there at runtime, hence private, as the tool that compares the two asks for.
    from aws_cdk import aws_lambda as _lambda  # type: ignore[import-not-found,unused-ignore]


def compare(layer: _lambda.ILayerVersion, arn: str, target: klayers.Target) -> None:
    """Has CDK warn of each function that is given the layer and is not for its target."""
    import constructs  # type: ignore[import-not-found,unused-ignore]
    import jsii  # type: ignore[import-not-found,unused-ignore]

    # CDK calls an object only if the class of the object names the interface.
    kind = type("Validation", (_Validation,), {})
    layer.node.add_validation(jsii.implements(constructs.IValidation)(kind)(layer, arn, target))


class _Validation:
    """What CDK calls when it synthesises the app."""

    def __init__(self, layer: _lambda.ILayerVersion, arn: str, target: klayers.Target) -> None:
        self._layer, self._arn, self._target = layer, arn, target

    def validate(self) -> list[str]:
        for construct in self._layer.node.root.node.find_all():
            if isinstance(construct, aws_cdk().aws_lambda.CfnFunction):
                _compare(construct, self._arn, self._target)
        # There are warnings and no errors.
        return []


def _compare(function: Any, arn: str, target: klayers.Target) -> None:
    cdk = aws_cdk()
    known = cdk.Stack.of(function).resolve
    if arn not in (known(function.layers) or []):
        return
    # Without any, Lambda takes x86_64. What is known to the deployment alone is no text here.
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
