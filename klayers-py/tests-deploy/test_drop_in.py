"""`klayers.cdk.Klayers`, and the class of cdk-klayers beside it: what holds of one holds of both,
but for what is said here to differ."""

from __future__ import annotations

import json
import pickle
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# It has no types.
import cdk_klayers  # type: ignore[import-untyped]
import cdk_klayers.exceptions  # type: ignore[import-untyped]
import klayers.cdk
import pytest
from aws_cdk import App, CfnParameter, Environment, Stack, Stage, aws_lambda
from aws_cdk.assertions import Annotations, Match, Template
from conftest import Server, arn, tool
from klayers.cdk import exceptions

RUNTIME = aws_lambda.Runtime.PYTHON_3_13
REFUSED = "http://127.0.0.1:9/api/v2"

#: The class, and where its exceptions are.
Package = Any


@pytest.fixture(params=[klayers.cdk, cdk_klayers], ids=["ours", "theirs"])
def package(
    request: pytest.FixtureRequest, server: Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Package]:
    monkeypatch.setattr(request.param.Klayers, "base_url", server.url + "/api/v2")
    yield request.param


@pytest.fixture
def ours(server: Server) -> Package:
    return klayers.cdk


def stack(region: str | None = "us-east-1") -> Stack:
    return Stack(App(), "Sample", env=Environment(region=region) if region else None)


@pytest.mark.parametrize(
    ("region", "name", "runtime", "expected"),
    [
        ("us-east-1", "aws-xray-sdk", RUNTIME, arn("aws-xray-sdk", 5)),
        ("eu-west-1", "requests", RUNTIME, arn("requests", 4, region="eu-west-1")),
        (
            "eu-west-1",
            "idna",
            aws_lambda.Runtime.PYTHON_3_11,
            arn("idna", 2, target="p3.11", region="eu-west-1"),
        ),
    ],
)
def test_layer_for_region_of_stack_and_runtime(
    package: Package, region: str, name: str, runtime: aws_lambda.Runtime, expected: str
) -> None:
    app = stack(region)
    layer = package.Klayers(app, runtime).layer_version(app, name)
    assert layer.layer_version_arn == expected
    assert layer.node.id == f"{region}-{runtime.to_string()}-{name}-latest"
    assert layer.node.scope.node.path == app.node.path


def test_explicit_region_and_function_with_layers(package: Package) -> None:
    app = stack(None)
    layers = package.Klayers(app, python_version=RUNTIME, region="eu-west-1")
    pinned = layers.layer_version(app, "requests", "3")
    function = aws_lambda.Function(
        app,
        "Handler",
        runtime=RUNTIME,
        code=aws_lambda.Code.from_inline("def handler(event, context): ..."),
        handler="index.handler",
        layers=[pinned],
    )
    function.add_layers(layers.layer_version(app, "Pillow"))
    Template.from_stack(app).has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Layers": [
                arn("requests", 3, region="eu-west-1"),
                arn("Pillow", 2, region="eu-west-1"),
            ]
        },
    )


def test_region_of_stage(package: Package) -> None:
    stage = Stage(App(), "Stage", env=Environment(region="eu-west-1", account="123456789012"))
    inner = Stack(stage, "Inner")
    assert package.Klayers(inner, RUNTIME).region == "eu-west-1"


@pytest.mark.parametrize("number", [3, "3"])
def test_layer_version_is_number_or_digits(package: Package, number: int | str) -> None:
    app = stack()
    layer = package.Klayers(app, RUNTIME).layer_version(app, "requests", layer_version=number)
    assert layer.layer_version_arn == arn("requests", 3)
    assert layer.node.id == "us-east-1-python3.13-requests-3"


def test_attributes_and_methods(package: Package) -> None:
    app = stack()
    layers = package.Klayers(app, RUNTIME)
    assert (layers.python_version, layers.region) == ("python3.13", "us-east-1")
    assert layers.latest_layer_arns == {
        "requests": {"arn": arn("requests", 4), "packageVersion": "2.32.5"},
        "Pillow": {"arn": arn("Pillow", 2), "packageVersion": "12.0.0"},
        "aws-xray-sdk": {"arn": arn("aws-xray-sdk", 5), "packageVersion": "2.14.0"},
    }
    assert layers.get_region(app) == "us-east-1"
    assert layers.get_region(app, "mars") == "mars"
    assert layers.get_python_version(aws_lambda.Runtime.PYTHON_3_11) == "python3.11"
    found = layers.get_latest_layer_arns(
        region="eu-west-1", python_version=aws_lambda.Runtime.PYTHON_3_11
    )
    assert found["idna"]["arn"] == arn("idna", 2, target="p3.11", region="eu-west-1")


def test_one_request_per_stack(package: Package, server: Server) -> None:
    app = stack()
    layers = package.Klayers(app, RUNTIME)
    for name in ("requests", "Pillow"):
        layers.layer_version(app, name)
    layers.layer_version(app, "requests", 1)
    assert [path.rstrip("/") for path in server.asked] == ["/api/v2/p3.13/layers/latest/us-east-1"]


def test_cdk_refuses_same_layer_twice_in_scope(package: Package) -> None:
    app = stack()
    layers = package.Klayers(app, RUNTIME)
    layers.layer_version(app, "requests")
    with pytest.raises(RuntimeError, match="already a Construct"):
        layers.layer_version(app, "requests")


def fails(package: Package, name: str, act: Any) -> Any:
    """The exception of a name, with what all of them have."""
    with pytest.raises(package.exceptions.KlayersError) as raised:
        act()
    error: Any = raised.value
    assert type(error) is getattr(package.exceptions, name)
    assert error.Code == name
    assert error.message == str(error)
    return error


def test_unknown_package(package: Package) -> None:
    app = stack()
    layers = package.Klayers(app, RUNTIME)
    error = fails(package, "LayerNameDoesNotExists", lambda: layers.layer_version(app, "reqeusts"))
    assert "requests" in error.message


def test_runtime_as_text_is_refused(package: Package) -> None:
    make: Any = package.Klayers
    fails(package, "InvalidPythonVersion", lambda: make(stack(), python_version="python3.13"))


def test_missing_region(package: Package) -> None:
    fails(package, "NoRegionProvidedError", lambda: package.Klayers(stack(None), RUNTIME))


def test_unreachable_server(package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package.Klayers, "base_url", REFUSED)
    error = fails(package, "RequestException", lambda: package.Klayers(stack(), RUNTIME))
    assert "127.0.0.1:9" in error.message


def certified(folder: Path) -> tuple[Path, Path, Path]:
    """The certificate of an authority, and a certificate and a key of a server on loopback."""
    new = [tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
           "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    authority, server = (
        (folder / f"{name}.pem", folder / f"{name}-key.pem") for name in ("authority", "server")
    )
    for command in [
        [*new, "-subj", "/CN=Company", "-out", authority[0], "-keyout", authority[1]],
        [*new, "-subj", "/CN=127.0.0.1", "-out", server[0], "-keyout", server[1],
         "-CA", authority[0], "-CAkey", authority[1], "-addext", "subjectAltName=IP:127.0.0.1",
         "-addext", "basicConstraints=critical,CA:FALSE"],
    ]:
        subprocess.run(command, check=True, capture_output=True)
    return authority[0], *server


def test_certificates_from_requests_ca_bundle(
    package: Package, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind the proxy of a company, whose authority the machine's settings name alone."""
    authority, certificate, key = certified(tmp_path)
    url = server.behind_tls(certificate, key)
    monkeypatch.setattr(package.Klayers, "base_url", url + "/api/v2")
    for name in ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "SSL_CERT_FILE"]:
        monkeypatch.delenv(name, raising=False)
    fails(package, "RequestException", lambda: package.Klayers(stack(), RUNTIME))
    assert server.asked == []
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    app = stack()
    layer = package.Klayers(app, RUNTIME).layer_version(app, "requests")
    assert layer.layer_version_arn == arn("requests", 4)


# From here on, what differs.


def test_tokens_are_refused_with_advice(ours: Package, server: Server) -> None:
    """There a token becomes a part of the address, and the answer is that there is no layer."""
    app = stack()
    text = CfnParameter(app, "Text").value_as_string
    number = CfnParameter(app, "Number", type="Number").value_as_number
    messages = [
        fails(ours, name, act).message
        for name, act in [
            ("NoRegionProvidedError", lambda: ours.Klayers(app, RUNTIME, region=text)),
            ("NoRegionProvidedError", lambda: ours.Klayers(stack(None), RUNTIME)),
            ("InvalidPythonVersion", lambda: ours.Klayers(app, aws_lambda.Runtime(text))),
        ]
    ]
    assert server.asked == []
    layers = ours.Klayers(app, RUNTIME)
    messages += [
        fails(ours, name, act).message
        for name, act in [
            ("NoRegionProvidedError", lambda: layers.get_latest_layer_arns(text, RUNTIME)),
            ("LayerNameDoesNotExists", lambda: layers.layer_version(app, text)),
            ("LayerVersionNotInteger", lambda: layers.layer_version(app, "requests", text)),
            ("LayerVersionNotInteger", lambda: layers.layer_version(app, "requests", number)),
        ]
    ]
    expected = ["region", "region", "runtime", "region", "package", "version", "version"]
    for what, message in zip(expected, messages):
        assert message.startswith(f"the {what} is a token"), message
    assert len(messages) == len(expected)


def test_function_with_other_runtime_or_architecture_is_warning(ours: Package) -> None:
    """There nothing is said, and the function fails when it imports the package."""
    app = stack()
    layers = ours.Klayers(app, RUNTIME)
    for name, runtime, architecture in [
        ("Right", RUNTIME, aws_lambda.Architecture.X86_64),
        ("Wrong", aws_lambda.Runtime.PYTHON_3_11, aws_lambda.Architecture.ARM_64),
    ]:
        aws_lambda.Function(
            app,
            name,
            runtime=runtime,
            architecture=architecture,
            code=aws_lambda.Code.from_inline("def handler(event, context): ..."),
            handler="index.handler",
            layers=[layers.layer_version(app, "requests" if name == "Right" else "Pillow")],
        )
    found = Annotations.from_stack(app).find_warning("*", Match.any_value())
    assert {one.id for one in found} == {"/Sample/Wrong/Resource"}
    texts = [str(one.entry.data) for one in found]
    assert len(texts) == 2
    assert f"{arn('Pillow', 2)} is for x86_64, and this function is for arm64" in texts[0]
    assert f"{arn('Pillow', 2)} is for Python 3.13" in texts[1] and "python3.11" in texts[1]


@pytest.mark.parametrize("number", ["newest", None, "", "0", -1])
def test_invalid_layer_version_raises_its_exception(
    ours: Package, number: Any
) -> None:
    """There it is an AttributeError, as `LayerVersionError` does not exist, or an ARN with -1."""
    app = stack()
    layers = ours.Klayers(app, RUNTIME)
    fails(ours, "LayerVersionNotInteger", lambda: layers.layer_version(app, "requests", number))
    assert exceptions.LayerVersionError is exceptions.LayerVersionNotInteger


def test_package_is_found_in_any_spelling(ours: Package) -> None:
    app = stack()
    layers = ours.Klayers(app, RUNTIME)
    layer = layers.layer_version(app, "AWS_xray.SDK")
    assert layer.layer_version_arn == arn("aws-xray-sdk", 5)
    assert layer.node.id == "us-east-1-python3.13-AWS_xray.SDK-latest"


def test_scope_may_be_construct_below_stack(ours: Package) -> None:
    """There it must be a stack: nothing else has an attribute `environment`."""
    from constructs import Construct

    app = stack()
    part = Construct(app, "Part")
    layer = ours.Klayers(part, RUNTIME).layer_version(part, "requests")
    assert layer.node.path == "Sample/Part/us-east-1-python3.13-requests-latest"


def test_invalid_answer_raises_exception(ours: Package, server: Server) -> None:
    """There it is a JSONDecodeError or a KeyError, or the ARN of somebody else."""
    row = {"package": "requests", "packageVersion": "1"}
    elsewhere = {**row, "arn": arn("requests", 4, region="eu-west-1")}
    for body in ["<title>Log in</title>", json.dumps([row]), json.dumps([elsewhere])]:
        server.body = body
        error = fails(ours, "RequestException", lambda: ours.Klayers(stack(), RUNTIME))
        assert isinstance(error.__cause__, klayers.AnswerError)


def test_runtime_of_other_language_is_refused(ours: Package, server: Server) -> None:
    """There the server is asked for layers of `nodejs20.x`."""
    runtime = aws_lambda.Runtime.NODEJS_20_X
    fails(ours, "InvalidPythonVersion", lambda: ours.Klayers(stack(), runtime))
    assert server.asked == []


def test_subclass_may_set_base_url(
    ours: Package, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KLAYERS_API_URL", "http://127.0.0.1:9")

    class Own(klayers.cdk.Klayers):
        base_url = server.url + "/api/v2/"

    app = stack()
    assert Own(app, RUNTIME).layer_version(app, "requests").layer_version_arn == arn("requests", 4)


def test_exceptions_have_names_of_cdk_klayers_and_derive_from_klayers_error() -> None:
    theirs = {
        name
        for name, kind in vars(cdk_klayers.exceptions).items()
        if isinstance(kind, type) and issubclass(kind, Exception)
    }
    assert len(theirs) >= 6
    assert theirs <= set(exceptions.__all__)
    for name in exceptions.__all__:
        kind = getattr(exceptions, name)
        assert issubclass(kind, klayers.KlayersError)
        again = pickle.loads(pickle.dumps(kind("why")))
        assert (type(again), str(again)) == (kind, "why")
