"""Other readers of the API: existing clients, and generic tools."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

LATEST = "/api/v2/p3.13/layers/latest/us-east-1"


def get(url: str) -> Any:
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


def test_cdk_klayers_finds_layers_and_synthesises_a_stack(anywhere: str, tmp_path: Path) -> None:
    if not shutil.which("node"):
        reason = "aws-cdk-lib needs Node.js, and there is none on PATH"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    (tmp_path / "handler.py").write_text("def handler(event, context): ...\n")
    script = f"""
import cdk_klayers
from aws_cdk import App, Environment, Stack, aws_lambda

cdk_klayers.Klayers.base_url = {anywhere + "/api/v2"!r}
app = App(outdir={str(tmp_path / "out")!r})
stack = Stack(app, "Sample", env=Environment(region="us-east-1"))
runtime = aws_lambda.Runtime.PYTHON_3_13
layers = cdk_klayers.Klayers(stack, python_version=runtime)
aws_lambda.Function(
    stack, "Handler", runtime=runtime, handler="handler.handler",
    code=aws_lambda.Code.from_asset({str(tmp_path)!r}, exclude=["out"]),
    layers=[layers.layer_version(stack, "requests"), layers.layer_version(stack, "Pillow")],
)
app.synth()
"""
    environment = {**os.environ, "NO_PROXY": "*", "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    template = json.loads((tmp_path / "out/Sample.template.json").read_text())
    functions = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function"
    ]
    arns = {row["package"]: row["arn"] for row in get(anywhere + LATEST)}
    assert functions[0]["Layers"] == [arns["requests"], arns["Pillow"]]


def test_terraform_provider_can_decode_the_rows(site: str) -> None:
    # The provider decodes the list into maps of strings.
    for row in get(site + LATEST):
        assert all(isinstance(value, str) for value in row.values()), row
    # It selects the latest one of the versions.
    rows = get(f"{site}/api/v2/p3.13/layers/us-east-1/requests")
    latest = [row for row in rows if row["deployStatus"] == "latest"]
    assert len(latest) == 1
    assert latest[0]["arn"].startswith("arn:aws:lambda:us-east-1:")
    assert all(isinstance(pin, str) for row in rows for pin in row["dependencies"])


def test_last_row_of_a_package_is_the_latest_version(anywhere: str) -> None:
    # Existing scripts use the last row without sorting.
    rows = get(f"{anywhere}/api/v2/p3.13/layers/us-east-1/requests")
    assert len(rows) > 1
    assert rows[-1]["deployStatus"] == "latest"
    numbers = [int(row["arn"].rsplit(":", 1)[1]) for row in rows]
    assert numbers == sorted(numbers)
    assert rows[-1]["arn"] in {row["arn"] for row in get(anywhere + LATEST)}


@pytest.mark.parametrize("end", ["", "/"])
def test_path_of_a_list_with_a_package_appended_gets_a_list(anywhere: str, end: str) -> None:
    # Some programs append the package to the path of the list, and search the list they receive.
    rows = get(f"{anywhere}{LATEST}/requests{end}")
    found = [row["arn"] for row in rows if row["package"] == "requests"]
    assert found == [row["arn"] for row in get(anywhere + LATEST) if row["package"] == "requests"]
    assert len(rows) == 1
    assert get(f"{anywhere}{LATEST}/no-such-package") == []


@pytest.mark.parametrize("end", ["", "/", "/json", "/json/"])
def test_doubled_slashes_are_ignored(anywhere: str, end: str) -> None:
    # The README of the public collection has links with //api/v2/.
    assert get(f"{anywhere}/{LATEST}{end}") == get(anywhere + LATEST)


def test_terraforms_http_data_source_can_read_the_lists(anywhere: str) -> None:
    # The data source accepts only status 200, and only JSON and text as media types. Modules decode it:
    # jsondecode(data.http.x.response_body), and then for … if layer.package == "requests".
    request = urllib.request.Request(
        f"{anywhere}{LATEST}/", headers={"User-Agent": "TerraformProviderHTTP/3.4"}
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
        assert answer.headers["content-type"].split(";")[0] == "application/json"
        rows = json.loads(answer.read().decode())
    arns = [layer["arn"] for layer in rows if layer["package"] == "requests"]
    assert len(arns) == 1


def test_page_of_another_origin_can_read_the_lists(
    anywhere: str, browser: Browser, tmp_path: Path
) -> None:
    page = browser.new_page()
    (tmp_path / "page.html").write_text("<!doctype html><title>Another origin</title>")
    page.goto((tmp_path / "page.html").as_uri())
    script = "(url) => fetch(url).then((answer) => answer.json())"
    try:
        for path in [LATEST, f"{LATEST}/requests", "/api/v2/p3.13/layers/us-east-1/requests"]:
            assert page.evaluate(script, anywhere + path) == get(anywhere + path)
        # Errors are readable from another origin as well.
        status = page.evaluate(
            "(url) => fetch(url).then(async (answer) => [answer.status, await answer.json()])",
            f"{anywhere}/api/v1/layers/latest/us-east-1",
        )
        assert status[0] == 410
        assert "/api/v2/p3.8/layers/latest/us-east-1" in status[1]["detail"]
    finally:
        page.close()


def test_description_is_valid_openapi(site: str) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator

    OpenAPIV31SpecValidator(get(site + "/openapi.json")).validate()


def test_answers_match_the_description(site: str, tmp_path: Path) -> None:
    schemathesis = Path(sys.executable).with_name("schemathesis")
    done = subprocess.run(
        [
            schemathesis, "run", site + "/openapi.json", "--checks", "all", "--max-examples", "40",
            "--seed", "7", "--generation-database", "none", "--phases", "examples,coverage,fuzzing",
        ],
        cwd=tmp_path, env={**os.environ, "NO_PROXY": "*"}, capture_output=True, text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    assert "11 / 11" in done.stdout or "Tested: 11" in done.stdout, done.stdout[-3000:]
