"""`docs/deploying.md` says what the examples do."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Server, arn

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deploying.md").read_text()
PRINT = """
import json
from aws_cdk.assertions import Template

[function] = Template.from_stack(stack).find_resources("AWS::Lambda::Function").values()
print(json.dumps(function["Properties"]["Layers"]))
"""


def blocks(language: str) -> list[str]:
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found


def test_cdk_app_in_documentation_runs(server: Server, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text("def handler(event, context): ...\n")
    [block] = blocks("python")
    # CDK resolves paths where its process was started.
    (tmp_path / "app.py").write_text(f"{block}\n{PRINT}")
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    layers = [
        arn("Pillow", 3, target="p3.13-arm64", region="eu-west-1"),
        arn("requests", 9, target="p3.13-arm64", region="eu-west-1"),
    ]
    assert json.loads(done.stdout) == layers


@pytest.mark.parametrize(
    ("language", "example"),
    [
        ("make", "sam/Makefile"),
        ("yaml", "serverless/serverless.yml"),
        ("hcl", "terraform/main.tf"),
    ],
)
def test_documentation_quotes_the_examples(language: str, example: str) -> None:
    """Line by line, whatever is aligned or left out there."""
    place = "--region $(REGION) --python 3.13 --arch arm64"
    text = (ROOT / "examples" / example).read_text().replace("$(PLACE)", place)
    whole = " ".join(text.replace("\\\n", " ").split())
    for line in "".join(blocks(language)).splitlines():
        words = " ".join(line.split()).replace("# …", "").rstrip(" \\")
        if "sam deploy" in words:
            parts = [part.strip() for part in words.split("--")]
            assert all(part in whole for part in parts), line
        else:
            assert words in whole, line
