"""The example for CloudFront: its function, run with Node.js, and its template."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

EXAMPLE = Path(__file__).parents[3] / "examples/cloudfront"


def handled(uris: Iterable[str]) -> list[dict[str, Any]]:
    """The results of CloudFront's function for requests of these paths, in the same order."""
    node = shutil.which("node")
    if not node:
        if os.environ.get("CI"):
            pytest.fail("there is no Node.js on PATH")
        pytest.skip("there is no Node.js on PATH")
    script = (EXAMPLE / "normalise.js").read_text() + (
        "\nconst uris = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        "\nconsole.log(JSON.stringify(uris.map((uri) => handler({ request: { uri } }))));"
    )
    done = subprocess.run(
        [node, "-e", script], input=json.dumps(list(uris)), check=True, capture_output=True,
        text=True,
    )
    requests: list[dict[str, Any]] = json.loads(done.stdout)
    return requests


def test_every_spelling_maps_to_the_name_of_its_object() -> None:
    expected = {
        "/": "/index.html",
        "/openapi.json": "/openapi.json",
        "/api/v2/targets/": "/api/v2/targets",
        "/api/v2/p3.12/layers/latest/eu-west-1": "/api/v2/p3.12/layers/latest/eu-west-1/json",
        "/api/v2/p3.12/layers/latest/eu-west-1/": "/api/v2/p3.12/layers/latest/eu-west-1/json",
        "/api/v2/p3.12/layers/latest/eu-west-1/csv/": "/api/v2/p3.12/layers/latest/eu-west-1/csv",
        "//api/v2/p3.12//layers/latest/eu-west-1/json":
            "/api/v2/p3.12/layers/latest/eu-west-1/json",
        "/api/v2/p3.12/layers/latest/eu-west-1/Zope.Interface":
            "/api/v2/p3.12/layers/latest/eu-west-1/zope-interface",
        "/api/v2/p3.12/layers/eu-west-1/Zope.Interface":
            "/api/v2/p3.12/layers/eu-west-1/zope-interface",
        "/api/v2/p3.12/renovate/eu-west-1/zope_interface/":
            "/api/v2/p3.12/renovate/eu-west-1/zope-interface",
        "/api/v2/packages/%50illow": "/api/v2/packages/pillow",
        "/packages/PyYAML": "/packages/pyyaml",
        "/packages/..%2fsecret": "/packages/..%2Fsecret",
        "/packages/%zz": "/packages/%zz",
    }
    assert [request["uri"] for request in handled(expected)] == list(expected.values())


def test_paths_of_api_v1_name_their_successors() -> None:
    expected = {
        "/api/v1/layers/latest/us-east-1": "/api/v2/p3.8/layers/latest/us-east-1,",
        "//api/v1/layers/us-east-1/Pillow/": "/api/v2/p3.8/layers/us-east-1/Pillow,",
        "/api/v1/builds/latest": "/api/v2/p3.8/builds/latest,",
        "/api/v1/else": "see /api/v2/{target}/layers/latest/{region}",
    }
    for answer, told in zip(handled(expected), expected.values(), strict=True):
        assert answer["statusCode"] == 410
        assert answer["headers"]["content-type"]["value"] == "application/problem+json"
        problem = json.loads(answer["body"])
        assert problem["status"] == 410
        assert told in problem["detail"]


def test_template_contains_the_function() -> None:
    class Loader(yaml.SafeLoader):
        """Loads the short forms of CloudFormation's functions as their arguments."""

    Loader.add_multi_constructor("!", lambda loader, suffix, node: node.value)
    template = yaml.load((EXAMPLE / "template.yaml").read_text(), Loader)
    function = template["Resources"]["Normalise"]["Properties"]["FunctionCode"]
    assert function.strip() == (EXAMPLE / "normalise.js").read_text().strip()
