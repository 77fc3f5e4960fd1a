from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import klayers
from klayers.cdk import _functions, _tokens
from klayers.cdk._aws import aws_cdk

if TYPE_CHECKING:
    # Private, since these names do not exist at runtime: stubtest requires that.
    import constructs as _constructs  # type: ignore[import-not-found,unused-ignore]
    from aws_cdk import aws_lambda as _lambda  # type: ignore[import-not-found,unused-ignore]


def layer_version(
    scope: _constructs.Construct,
    package: str,
    *,
    id: str | None = None,
    region: klayers.Region | str | None = None,
    runtime: _lambda.Runtime | None = None,
    python: str | None = None,
    arch: _lambda.Architecture | str | None = None,
    version: int | str = "latest",
    client: klayers.Client | None = None,
) -> _lambda.ILayerVersion:
    """The layer of a package, for functions in a scope, usually a stack.

    Either ``runtime`` or ``python`` gives the Python version, as ``aws_lambda.Runtime.PYTHON_3_13``
    or ``"3.13"``; ``arch`` gives the architecture, by default x86_64. When the app is synthesised, a
    function with another runtime refuses the layer, and CDK warns of a function with another
    architecture (``klayers:architecture``). The region is ``region``, or else that of the scope's
    stack, whose environment must then have one.

    ``version`` is ``"latest"``, the number of a layer version (``4``), or a version specifier for the
    package (``"==2.32.*"``), which selects the newest match. CDK warns of a deprecated layer version
    (``klayers:deprecated``), with the day of its deletion, and of a withdrawn one
    (``klayers:withdrawn``), with the reason.

    The id of the construct consists of the region, the name of the layer and ``version``. An equal
    call in the same scope returns the same construct. ``client`` selects another collection.

    Raises a :class:`klayers.KlayersError` if the layer cannot be found.
    """
    cdk = aws_cdk()
    where = str(region) if region is not None else cdk.Stack.of(scope).region
    architecture = arch if arch is None or isinstance(arch, str) else arch.name
    for what, value in [
        ("package", package),
        ("region", where),
        ("runtime", None if runtime is None else runtime.name),
        ("Python version", python),
        ("architecture", architecture),
        ("version", version),
    ]:
        _tokens.refuse(what, value, klayers.InvalidValueError)
    target = _target(runtime, python, architecture)
    spec = _spec(package, version)
    if client is None:
        found = klayers.layer(spec, region=where, target=target)
    else:
        found = client.layer(spec, region=where, target=target)

    if id is None:
        id = f"{where}-{found.arn.layer_name}-{version}"
        existing: Any = scope.node.try_find_child(id)
        if existing is not None:
            there: _lambda.ILayerVersion = existing
            return there
    if runtime is None:
        runtime = _runtime(cdk.aws_lambda.Runtime, target)
    layer: _lambda.ILayerVersion = cdk.aws_lambda.LayerVersion.from_layer_version_attributes(
        scope, id, layer_version_arn=str(found.arn), compatible_runtimes=[runtime]
    )
    if found.yanked is not None:
        cdk.Annotations.of(layer).add_warning_v2(
            "klayers:withdrawn", f"{found.arn} is withdrawn: {_one_line(found.yanked)}"
        )
    if found.status == "deprecated":
        cdk.Annotations.of(layer).add_warning_v2("klayers:deprecated", _deprecated(found))
    _functions.compare(layer, found.arn, target)
    return layer


def _spec(package: str, version: int | str) -> str:
    """The argument for the client: ``requests``, ``requests:4`` or ``requests==2.32.*``."""
    if version == "latest":
        return package
    if isinstance(version, int) and not isinstance(version, bool):
        return f"{package}:{version}"
    # Without this check, "4" would become a part of the name of the package.
    if isinstance(version, str) and version.lstrip()[:1] in ("=", "!", "~", "<", ">"):
        return package + version
    raise klayers.InvalidValueError(
        f"{version!r} is not a version of a layer: expected \"latest\", the number of a layer "
        'version such as 4, or a version specifier such as "==2.32.*"'
    )


def _target(
    runtime: _lambda.Runtime | None,
    python: str | None,
    arch: str | None,
) -> klayers.Target:
    if (runtime is None) == (python is None):
        raise klayers.InvalidValueError(
            'expected either a runtime, such as aws_lambda.Runtime.PYTHON_3_13, or python="3.13"'
        )
    if runtime is not None:
        family, _, python = runtime.name.partition("python")
        if family or not python:
            raise klayers.InvalidValueError(f"{runtime.name} is not a Python runtime")
    return klayers.Target(python=cast(str, python), arch=arch)


def _runtime(kind: type[_lambda.Runtime], target: klayers.Target) -> _lambda.Runtime:
    """CDK compares all properties of runtimes, so this returns CDK's own runtime if it has one."""
    family = aws_cdk().aws_lambda.RuntimeFamily.PYTHON
    known: _lambda.Runtime | None = getattr(kind, f"PYTHON_{target.python.replace('.', '_')}", None)
    return known or kind(f"python{target.python}", family, supports_inline_code=True)


def _one_line(text: str) -> str:
    """A text from a server, with control characters replaced by spaces."""
    return "".join(character if character.isprintable() else " " for character in text)


def _deprecated(found: klayers.LayerVersion) -> str:
    until = f" and will be deleted on {found.expires_at:%Y-%m-%d}" if found.expires_at else ""
    return (
        f"{found.arn} is deprecated{until}. Functions that use it then keep working, but it cannot be "
        "added to other functions."
    )
