"""Copying ARNs and snippets; the syntax of the snippets."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import hcl2
import playwright
import pytest
import yaml
from playwright.sync_api import Page, expect

from conftest import HERE, Open

ARN = "arn:aws:lambda:us-east-1:000000000000:layer:Klayers-p313-requests:4"
ARM = "region=eu-west-1&python=3.12&arch=arm64"
ARM_ARN = "arn:aws:lambda:eu-west-1:000000000000:layer:Klayers-p312-arm64-requests:4"


def pasted(page: Page) -> str:
    """Pastes and returns the text of the clipboard."""
    page.evaluate("document.body.append(document.createElement('textarea'))")
    page.locator("textarea").focus()
    page.keyboard.press("ControlOrMeta+V")
    return page.locator("textarea").input_value()


@pytest.mark.parametrize("clipboard", ["granted", "refused", "missing"])
def test_arn_is_copied(open_page: Open, clipboard: str) -> None:
    def prepare(page: Page) -> None:
        if clipboard == "missing":
            page.add_init_script("delete Navigator.prototype.clipboard")
        elif clipboard == "refused":
            page.add_init_script(
                "Clipboard.prototype.writeText = () => Promise.reject(new DOMException('no'))"
            )

    permissions = ["clipboard-read", "clipboard-write"] if clipboard == "granted" else []
    page = open_page(f"/?{HERE}&package=requests", prepare, permissions=permissions)
    button = page.get_by_role("button", name="Copy ARN")
    button.click()
    expect(page.get_by_role("button", name="Copied")).to_be_focused()
    expect(page.locator("#announcer")).to_have_text("ARN copied")
    expect(button).to_be_visible()
    assert pasted(page) == ARN


def test_failed_copy_is_reported(open_page: Open) -> None:
    def prepare(page: Page) -> None:
        page.add_init_script(
            "delete Navigator.prototype.clipboard; Document.prototype.execCommand = () => false"
        )

    page = open_page(f"/?{HERE}&package=requests", prepare)
    page.get_by_role("button", name="Copy ARN").click()
    expect(page.locator("#announcer")).to_have_text(
        "ARN could not be copied; select and copy it by hand"
    )


def test_earlier_arn_and_link_are_copied(open_page: Open) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    page = open_page(f"/?{HERE}&package=requests", permissions=permissions)
    read = "navigator.clipboard.readText()"
    page.get_by_role("button", name="Copy the ARN of layer version 2").click()
    expect(page.locator("#announcer")).to_have_text("ARN of layer version 2 copied")
    assert page.evaluate(read) == ARN[:-1] + "2"
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#announcer")).to_have_text("Link copied")
    assert page.evaluate(read) == page.url


def snippet(open_page: Open, kind: str, choice: str) -> str:
    """The text that the button of a snippet copies."""
    page = open_page(
        f"/?{choice}&package=requests&snippet={kind}",
        permissions=["clipboard-read", "clipboard-write"],
    )
    page.get_by_role("button", name="Copy snippet").click()
    expect(page.locator("#announcer")).to_have_text("Snippet copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#snippet code").text_content()
    expect(page.get_by_role("tab", selected=True)).to_have_attribute("id", f"tab-{kind}")
    return copied


@pytest.fixture(
    params=[(HERE, "us-east-1", "3.13", "x86_64", ARN), (ARM, "eu-west-1", "3.12", "arm64", ARM_ARN)],
    ids=["x86_64", "arm64"],
)
def choice(request: pytest.FixtureRequest) -> tuple[str, str, str, str, str]:
    return request.param


Choice = tuple[str, str, str, str, str]


class Loader(yaml.SafeLoader):
    """YAML with the short forms of CloudFormation."""


Loader.add_constructor("!Ref", lambda loader, node: {"Ref": loader.construct_scalar(node)})


@pytest.mark.parametrize(
    ("kind", "resource"),
    [("sam", "AWS::Serverless::Function"), ("cloudformation", "AWS::Lambda::Function")],
)
def test_templates(open_page: Open, choice: Choice, kind: str, resource: str) -> None:
    address, _, python, arch, arn = choice
    template = yaml.load(snippet(open_page, kind, address), Loader)
    assert template["AWSTemplateFormatVersion"] == "2010-09-09"
    assert template.get("Transform") == ("AWS::Serverless-2016-10-31" if kind == "sam" else None)
    function = template["Resources"]["Function"]
    assert function["Type"] == resource
    properties = function["Properties"]
    assert properties["Runtime"] == f"python{python}"
    assert properties["Architectures"] == [arch]
    assert properties["Layers"] == [arn]
    if kind == "cloudformation":
        ast.parse(properties["Code"]["ZipFile"])
        assert properties["Role"]["Ref"] in template["Parameters"]


def test_serverless(open_page: Open, choice: Choice) -> None:
    address, region, python, arch, arn = choice
    service = yaml.safe_load(snippet(open_page, "serverless", address))
    assert service["provider"] == {
        "name": "aws",
        "region": region,
        "runtime": f"python{python}",
        "architecture": arch,
    }
    assert service["functions"]["example"]["layers"] == [arn]


def test_terraform(open_page: Open, choice: Choice) -> None:
    address, region, python, arch, arn = choice
    text = snippet(open_page, "terraform", address)
    assert hcl2.loads(text)["provider"]
    values = dict(re.findall(r"^ +(\w+) += (.*)$", text, re.MULTILINE))
    assert values["region"] == json.dumps(region)
    assert values["runtime"] == json.dumps(f"python{python}")
    assert json.loads(values["architectures"]) == [arch]
    assert re.findall(r'"(arn:[^"]+)"', text) == [arn]


def test_cdk_python(open_page: Open, choice: Choice) -> None:
    address, _, python, arch, arn = choice
    tree = ast.parse(snippet(open_page, "cdk-python", address))
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert arn in strings
    assert f"PYTHON_{python.replace('.', '_')}" in attributes
    assert {"x86_64": "X86_64", "arm64": "ARM_64"}[arch] in attributes


def test_cdk_typescript(open_page: Open, choice: Choice) -> None:
    address, _, python, arch, arn = choice
    text = snippet(open_page, "cdk-typescript", address)
    assert f'"{arn}"' in text
    assert f"lambda.Runtime.PYTHON_{python.replace('.', '_')}," in text
    assert f"lambda.Architecture.{'ARM_64' if arch == 'arm64' else 'X86_64'}," in text
    assert is_typescript(text)
    assert not is_typescript(text.replace("layers: [", "layers: [["))


def is_typescript(text: str) -> bool:
    """Whether the TypeScript parses, by the Node.js that Playwright includes."""
    node = Path(playwright.__file__).parent / "driver" / "node"
    script = (
        "import { stripTypeScriptTypes } from 'node:module';"
        "import { readFileSync } from 'node:fs';"
        "console.log(stripTypeScriptTypes(readFileSync(0, 'utf8')));"
    )
    command = [node, "--input-type=module", "--eval", script]
    return subprocess.run(command, input=text, text=True, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    "kind",
    ["sam", "serverless", "terraform", "cdk-typescript", "cdk-python", "cloudformation", "pulumi", "cli"],
)
def test_every_form_warns_that_it_replaces_other_layers(open_page: Open, kind: str) -> None:
    assert "hese replace the layers" in snippet(open_page, kind, HERE)


def test_pulumi(open_page: Open, choice: Choice) -> None:
    address, _, python, arch, arn = choice
    tree = ast.parse(snippet(open_page, "pulumi", address))
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert {arn, f"python{python}", arch} <= strings


def test_cli(open_page: Open, choice: Choice) -> None:
    address, region, _, _, arn = choice
    text = snippet(open_page, "cli", address)
    shown = subprocess.run(
        ["sh", "-e"], input=f"aws() {{ printf '%s\\n' \"$@\"; }}\n{text}", text=True, capture_output=True
    )
    assert shown.stdout.splitlines() == [
        *["lambda", "update-function-configuration", "--region", region],
        *["--function-name", "example", "--layers", arn],
    ]


def test_cdk_snippet_constructs_a_runtime_without_a_constant(open_page: Open) -> None:
    page = open_page(f"/?{HERE}")
    made = page.evaluate(
        """async () => {
          const { SNIPPETS } = await import("/assets/snippets.js");
          const choice = { arn: "arn", python: "3.15", arch: "arm64", region: "eu-west-1" };
          return SNIPPETS.filter(({ id }) => id.startsWith("cdk")).map(({ text }) => text(choice));
        }"""
    )
    assert 'runtime: new lambda.Runtime("python3.15", lambda.RuntimeFamily.PYTHON),' in made[0]
    assert 'runtime=lambda_.Runtime("python3.15", lambda_.RuntimeFamily.PYTHON),' in made[1]
