"""`klayers.cdk.layer_version`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import klayers
import pytest
from aws_cdk import App, Aws, CfnParameter, Environment, Stack, aws_lambda
from aws_cdk.assertions import Annotations, Match, Template
from conftest import Server, arn
from klayers.cdk import layer_version

RUNTIME = aws_lambda.Runtime.PYTHON_3_13


@pytest.fixture
def stack() -> Stack:
    return Stack(App(), "Sample", env=Environment(region="us-east-1"))


def function(
    stack: Stack,
    *layers: aws_lambda.ILayerVersion,
    runtime: aws_lambda.Runtime = RUNTIME,
    architecture: aws_lambda.Architecture | None = None,
) -> None:
    aws_lambda.Function(
        stack,
        "Handler",
        runtime=runtime,
        architecture=architecture,
        handler="index.handler",
        code=aws_lambda.Code.from_inline("def handler(event, context): ..."),
        layers=list(layers),
    )


def test_function_gets_latest_layers_for_region_of_stack(
    server: Server, stack: Stack
) -> None:
    layers = [layer_version(stack, name, runtime=RUNTIME) for name in ("requests", "PILLOW")]
    function(stack, *layers)
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::Function", {"Layers": [arn("requests", 4), arn("Pillow", 2)]}
    )


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"python": "3.13"}, arn("requests", 4)),
        ({"python": "3.13", "region": "eu-west-1"}, arn("requests", 4, region="eu-west-1")),
        (
            {"runtime": RUNTIME, "region": klayers.Region("eu-west-1")},
            arn("requests", 4, region="eu-west-1"),
        ),
        ({"runtime": aws_lambda.Runtime.PYTHON_3_11}, arn("requests", 7, target="p3.11")),
        ({"runtime": RUNTIME, "arch": "arm64"}, arn("requests", 10, target="p3.13-arm64")),
        (
            {"python": "3.13", "arch": aws_lambda.Architecture.ARM_64},
            arn("requests", 10, target="p3.13-arm64"),
        ),
        ({"python": "3.13", "arch": aws_lambda.Architecture.X86_64}, arn("requests", 4)),
        ({"python": "3.13", "version": 3}, arn("requests", 3)),
        ({"python": "3.13", "version": "==2.31.*"}, arn("requests", 1)),
        ({"python": "3.13", "version": " >=2.31, <2.32.5"}, arn("requests", 3)),
    ],
)
def test_layer_is_chosen_by_arguments(
    server: Server, stack: Stack, asked: dict[str, Any], expected: str
) -> None:
    assert layer_version(stack, "requests", **asked).layer_version_arn == expected


def test_client_of_other_collection(stack: Stack, monkeypatch: Any) -> None:
    other = Server()
    monkeypatch.setenv("KLAYERS_API_URL", "http://127.0.0.1:9")
    client = klayers.Client(other.url)
    layer = layer_version(stack, "requests", python="3.13", client=client)
    assert layer.layer_version_arn == arn("requests", 4)
    assert other.asked
    other.close()


def test_cdk_accepts_arns_and_regions(server: Server) -> None:
    region = klayers.Region("us-east-1")
    stack = Stack(App(), "Sample", env=Environment(region=region))
    found = klayers.latest_arn("requests", region=region, python="3.13")
    layer = aws_lambda.LayerVersion.from_layer_version_arn(stack, "Layer", found)
    function(stack, layer)
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::Function", {"Layers": [arn("requests", 4)]}
    )


def test_stack_without_region_is_refused_with_advice(server: Server) -> None:
    stack = Stack(App(), "Anywhere")
    with pytest.raises(klayers.InvalidValueError, match="env=Environment"):
        layer_version(stack, "requests", runtime=RUNTIME)
    assert server.asked == []
    layer = layer_version(stack, "requests", runtime=RUNTIME, region="us-east-1")
    assert layer.layer_version_arn == arn("requests", 4)


def test_construct_ids_are_stable_and_unique_per_layer(server: Server, stack: Stack) -> None:
    def identity(**asked: Any) -> str:
        return layer_version(stack, "requests", python="3.13", **asked).node.id

    ids = [
        identity(),
        identity(version=3),
        identity(version="==2.32.3"),
        identity(arch="arm64"),
        identity(region="eu-west-1"),
        identity(id="Mine"),
    ]
    assert ids[0] == "us-east-1-Klayers-p313-requests-latest"
    assert ids[5] == "Mine"
    assert len(set(ids)) == len(ids)
    # What is asked for again is the same construct, in whatever spelling.
    assert [identity(), identity(version=3)] == ids[:2]
    assert layer_version(stack, "Requests", python="3.13").node.id == ids[0]
    # But of two with one id of their own only the first can be made.
    with pytest.raises(RuntimeError, match="already a Construct"):
        identity(id="Mine")


def test_function_with_other_runtime_refuses_layer(server: Server, stack: Stack) -> None:
    layer = layer_version(stack, "requests", python="3.13")
    with pytest.raises(RuntimeError, match="incompatible"):
        function(stack, layer, runtime=aws_lambda.Runtime.PYTHON_3_11)
    other = Stack(App(), "Other", env=Environment(region="us-east-1"))
    function(other, layer_version(other, "requests", python="3.13"))


def warnings_of(stack: Stack, path: str) -> list[str]:
    """What CDK says when it synthesises the stack, of one of its constructs."""
    found = Annotations.from_stack(stack).find_warning("*", Match.any_value())
    return [str(one.entry.data) for one in found if one.id == path]


X86_64, ARM_64 = aws_lambda.Architecture.X86_64, aws_lambda.Architecture.ARM_64


@pytest.mark.parametrize(
    ("asked", "architecture", "warned"),
    [
        ({}, None, None),
        ({"arch": "x86_64"}, X86_64, None),
        ({"arch": ARM_64}, ARM_64, None),
        ({}, ARM_64, "is for x86_64, and this function is for arm64"),
        ({"arch": "arm64"}, None, "is for arm64, and this function is for x86_64"),
    ],
)
def test_function_with_other_architecture_is_warning(
    server: Server,
    stack: Stack,
    asked: dict[str, Any],
    architecture: aws_lambda.Architecture | None,
    warned: str | None,
) -> None:
    layer = layer_version(stack, "Pillow", python="3.13", **asked)
    function(stack, layer, architecture=architecture)
    found = warnings_of(stack, "/Sample/Handler/Resource")
    assert len(found) == (0 if warned is None else 1)
    assert warned is None or f"{layer.layer_version_arn} {warned}" in found[0]
    assert warned is None or "klayers:architecture" in found[0] and "arch=" in found[0]


def test_level_one_function_is_compared_too(server: Server, stack: Stack) -> None:
    """CDK itself compares nothing there. What changes a function until it is synthesised counts."""
    layer = layer_version(stack, "Pillow", runtime=RUNTIME)
    other = Stack(stack, "Other", env=Environment(region="us-east-1"))
    handler = aws_lambda.CfnFunction(
        other,
        "Handler",
        role="arn:aws:iam::123456789012:role/handler",
        code=aws_lambda.CfnFunction.CodeProperty(zip_file="def handler(event, context): ..."),
        handler="index.handler",
        runtime="python3.12",
        layers=[layer.layer_version_arn],
    )
    unrelated = aws_lambda.CfnFunction(
        other,
        "Unrelated",
        role="arn:aws:iam::123456789012:role/handler",
        code=aws_lambda.CfnFunction.CodeProperty(zip_file="def handler(event, context): ..."),
        runtime="python3.12",
        architectures=["arm64"],
    )
    unrelated.layers = [arn("requests", 4)]
    handler.architectures = ["arm64"]
    found = warnings_of(other, "/Sample/Other/Handler")
    assert len(found) == 2
    assert f"{arn('Pillow', 2)} is for x86_64, and this function is for arm64" in found[0]
    assert f"{arn('Pillow', 2)} is for Python 3.13, and this function has the runtime python3.12" in found[1]
    assert warnings_of(other, "/Sample/Other/Unrelated") == []


def test_warning_can_be_acknowledged(server: Server, stack: Stack) -> None:
    from aws_cdk import Annotations as Messages

    other = Stack(stack, "Other", env=Environment(region="us-east-1"))
    for one in (stack, other):
        function(one, layer_version(one, "Pillow", runtime=RUNTIME), architecture=ARM_64)
    Messages.of(other).acknowledge_warning("klayers:architecture", "it has no compiled modules")
    assert len(warnings_of(stack, "/Sample/Handler/Resource")) == 1
    assert warnings_of(other, "/Sample/Other/Handler/Resource") == []


def test_tokens_are_refused_with_advice(server: Server, stack: Stack) -> None:
    """Layers are looked up while the app is synthesised, and tokens are known after that."""
    text = CfnParameter(stack, "Text").value_as_string
    number = CfnParameter(stack, "Number", type="Number").value_as_number
    asked: Any
    for package, asked, what in [
        (text, {"python": "3.13"}, "package"),
        (f"requests{text}", {"python": "3.13"}, "package"),
        ("requests", {"python": "3.13", "region": text}, "region"),
        ("requests", {"python": "3.13", "region": Aws.REGION}, "region"),
        ("requests", {"python": text}, "Python version"),
        ("requests", {"runtime": aws_lambda.Runtime(text)}, "runtime"),
        ("requests", {"python": "3.13", "arch": text}, "architecture"),
        ("requests", {"python": "3.13", "arch": aws_lambda.Architecture.custom(text)}, "architecture"),
        ("requests", {"python": "3.13", "version": text}, "version"),
        ("requests", {"python": "3.13", "version": f"=={text}"}, "version"),
        ("requests", {"python": "3.13", "version": number}, "version"),
    ]:
        with pytest.raises(klayers.InvalidValueError) as raised:
            layer_version(stack, package, **asked)
        assert str(raised.value).startswith(f"the {what} is a token"), asked
        assert ": give" in str(raised.value) or ": write" in str(raised.value)
    assert server.asked == []


def test_deprecated_layer_is_warning(server: Server, stack: Stack) -> None:
    layer_version(stack, "requests", python="3.13")
    layer_version(stack, "requests", python="3.13", version=3)
    warnings = Annotations.from_stack(stack).find_warning("*", Match.any_value())
    assert len(warnings) == 1
    assert warnings[0].id == "/Sample/us-east-1-Klayers-p313-requests-3"
    text = str(warnings[0].entry.data)
    assert f"{arn('requests', 3)} is deprecated and will be deleted on 2026-11-01" in text


def test_withdrawn_layer_is_warning_with_reason(server: Server, stack: Stack) -> None:
    row: dict[str, object] = {
        "arn": arn("requests", 4),
        "packageVersion": "2.32.5",
        "deployStatus": "latest",
        "dependencies": [],
        "yanked": "it leaks\x1b[2J",
    }
    server.body = json.dumps([row])
    with pytest.warns(klayers.WithdrawnWarning):
        layer_version(stack, "requests", python="3.13", version=4)
    warnings = Annotations.from_stack(stack).find_warning("*", Match.any_value())
    assert f"{arn('requests', 4)} is withdrawn: it leaks [2J" in str(warnings[0].entry.data)


@pytest.mark.parametrize(
    ("package", "asked", "message"),
    [
        ("requests", {}, "either a runtime"),
        ("requests", {"runtime": RUNTIME, "python": "3.13"}, "either a runtime"),
        ("requests", {"runtime": aws_lambda.Runtime.NODEJS_20_X}, "not a Python runtime"),
        ("requests", {"python": "2.7"}, "2.7"),
        ("requests", {"python": "3.13", "arch": "sparc"}, "sparc"),
        ("requests", {"python": "3.13", "region": "mars"}, "mars"),
        ("requests", {"python": "3.13", "version": "4"}, "not a version of a layer"),
        ("requests", {"python": "3.13", "version": True}, "not a version of a layer"),
        ("requests", {"python": "3.13", "version": 0}, "expected"),
        ("a b", {"python": "3.13"}, "a b"),
    ],
)
def test_invalid_values_are_refused_without_request(
    server: Server, stack: Stack, package: str, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(klayers.InvalidValueError, match=message):
        layer_version(stack, package, **asked)
    assert server.asked == []


def test_unknown_layer_raises_error_of_client(server: Server, stack: Stack) -> None:
    with pytest.raises(klayers.UnknownPackageError, match="did you mean requests?"):
        layer_version(stack, "reqeusts", python="3.13")
    for version in (2, ">=3"):
        with pytest.raises(klayers.NoMatchError, match="there are 4, 3, 1|there are 2.32.5"):
            layer_version(stack, "requests", python="3.13", version=version)


def test_module_imports_without_cdk_and_calls_say_what_to_install(tmp_path: Path) -> None:
    """As in an environment without it: a module of this name that cannot be found."""
    script = """
import sys
sys.modules["aws_cdk"] = None
import klayers.cdk
for call in (
    lambda: klayers.cdk.layer_version(None, "requests", python="3.13"),
    lambda: klayers.cdk.Klayers(None, None),
):
    try:
        call()
    except ImportError as error:
        print(error)
"""
    output = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert output.stdout == "klayers.cdk needs AWS CDK: pip install aws-cdk-lib\n" * 2
