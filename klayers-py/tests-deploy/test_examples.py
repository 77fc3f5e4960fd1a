"""The deployment examples, each with its tool as far as that can be had without its vendor's hosts:
CDK and the Serverless Framework run, SAM's template is checked and its Makefile run, and of
Terraform the configuration is read and what it asks of the command is asked."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import hcl2
import pytest
from conftest import COMMANDS, Server, arn, tool

ROOT = Path(__file__).parents[2]
NODE_TOOLS = ROOT / "build" / "deploy" / "node_modules" / ".bin"
AWS_TOOLS = ROOT / "build" / "aws" / "bin"
ARM64 = "p3.13-arm64"


@pytest.fixture
def example(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of an example, in which nothing is left of other runs."""
    return Path(shutil.copytree(ROOT / "examples" / request.param, tmp_path / "example"))


def of(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("example", [name], indirect=True, ids=[name])


def environment(home: Path, *folders: Path) -> dict[str, str]:
    """As after `pip install klayers`, without an account of AWS, and with nobody called home."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **inherited,
        "AWS_CONFIG_FILE": str(home / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "none"),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "true",
        "HOME": str(home),
        "PATH": os.pathsep.join([*map(str, folders), str(COMMANDS), os.environ["PATH"]]),
        "SLS_NOTIFICATIONS_MODE": "off",
        "SLS_TELEMETRY_DISABLED": "1",
    }


def run(
    *command: str | Path, folder: Path, env: dict[str, str], stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=env, input=stdin, capture_output=True, text=True, timeout=600
    )


def output(*command: str | Path, folder: Path, env: dict[str, str]) -> str:
    done = run(*command, folder=folder, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@of("cdk")
def test_cdk_synthesises_a_stack(server: Server, example: Path) -> None:
    cdk = tool("cdk", NODE_TOOLS)
    arguments = ["synth", "--no-notices", "--no-version-reporting", "--output", "cdk.out"]
    # CDK's library is kept unpacked in the user's folder, which takes it half a minute.
    home = str(Path.home())
    env = {**environment(example.parent), "AWS_REGION": "us-east-1", "HOME": home}
    done = run(cdk, *arguments, folder=example, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    # What it says of a layer that is deprecated, the one of requests is.
    assert f"{arn('requests', 9, target=ARM64)} is deprecated" in done.stdout + done.stderr
    template = json.loads((example / "cdk.out" / "Sample.template.json").read_text())
    [function] = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function"
    ]
    assert function["Architectures"] == ["arm64"]
    assert function["Layers"] == [
        arn("Pillow", 3, target=ARM64),
        arn("requests", 9, target=ARM64),
    ]


@of("sam")
def test_sam_template_is_valid(server: Server, example: Path) -> None:
    linter = tool("cfn-lint", AWS_TOOLS)
    command = [linter, "--non-zero-exit-code", "warning", "template.yaml"]
    output(*command, folder=example, env=environment(example.parent))


@of("sam")
def test_sam_makefile_deploys_latest_layer(server: Server, example: Path) -> None:
    make = tool("make")
    env = environment(example.parent, example / "stand-in")
    found = output(make, "-s", "layer", folder=example, env=env).strip()
    assert found == arn("requests", 10, target=ARM64)

    # SAM itself cannot deploy here; what it would be told is what a stand-in is.
    told = example / "told"
    stand_in = example / "stand-in" / "sam"
    stand_in.parent.mkdir()
    stand_in.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> "{told}"\n')
    stand_in.chmod(0o755)
    output(make, "deploy", "REGION=eu-west-1", folder=example, env=env)
    build, deploy = told.read_text().splitlines()
    assert build == "build"
    [name, value] = deploy.rsplit(" ", 1)[1].split("=")
    assert value == arn("requests", 10, target=ARM64, region="eu-west-1")
    template = (example / "template.yaml").read_text()
    assert f"\n  {name}:\n    Type: String" in template
    assert f"Layers: [!Ref {name}]" in template
    [pattern] = re.findall("AllowedPattern: (.*)", template)
    assert re.fullmatch(pattern, value)

    # Without a layer nothing is deployed.
    told.unlink()
    server.body = "[]"
    assert run(make, "deploy", folder=example, env=env).returncode != 0
    assert told.read_text() == "build\n"


@of("serverless")
def test_serverless_framework_resolves_layers(server: Server, example: Path) -> None:
    serverless = tool("serverless", NODE_TOOLS)
    command = [serverless, "print", "--format", "json", "--region", "eu-west-1"]
    found = json.loads(output(*command, folder=example, env=environment(example.parent)))
    assert found["provider"]["region"] == "eu-west-1"
    assert found["functions"]["handler"]["layers"] == [
        arn("requests", 9, target=ARM64, region="eu-west-1"),
        arn("Pillow", 3, target=ARM64, region="eu-west-1"),
    ]

    (example / "serverless.yml").write_text(
        (example / "serverless.yml").read_text().replace("requests==2.32.*", "reqeusts")
    )
    done = run(*command, folder=example, env=environment(example.parent))
    assert done.returncode != 0
    assert "did you mean requests?" in done.stdout + done.stderr


@of("serverless")
@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("  runtime: python3.13\n", "", ["provider.runtime: ", "runtime: python3.13"]),
        ("runtime: python3.13", "runtime: nodejs20.x", ["nodejs20.x", "python3.13"]),
        ("klayers:", "others:", ["custom.klayers: ", "requests: requests==2.32.*"]),
        ("klayers:\n", "klayers: requests\n  others:\n", ["custom.klayers", "names of your own"]),
    ],
    ids=["no-runtime", "other-runtime", "no-layers", "no-names"],
)
def test_serverless_framework_reports_missing_setting(
    server: Server, example: Path, before: str, after: str, told: list[str]
) -> None:
    serverless = tool("serverless", NODE_TOOLS)
    settings = example / "serverless.yml"
    assert before in settings.read_text()
    settings.write_text(settings.read_text().replace(before, after, 1))
    done = run(serverless, "print", folder=example, env=environment(example.parent))
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert all(text in said for text in ["serverless.yml", *told]), said
    assert "TypeError" not in said and "Cannot read" not in said
    assert server.asked == []


def test_serverless_framework_reports_all_missing_settings_at_once(tmp_path: Path) -> None:
    """As it has a region of its own, it is not asked itself."""
    script = (
        f"require({json.dumps(str(ROOT / 'examples' / 'serverless' / 'klayers.js'))})"
        "({ resolveConfigurationProperty: async () => undefined })"
        ".catch((error) => console.log(error.message))"
    )
    said = output(tool("node"), "-e", script, folder=tmp_path, env=environment(tmp_path))
    assert re.findall("^  (.*?): ", said, re.MULTILINE) == [
        "custom.klayers",
        "provider.region",
        "provider.runtime",
    ]


def plain(value: Any) -> Any:
    """What python-hcl2 reads, without the quotes that it keeps."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        return {plain(key): plain(item) for key, item in items.items()}
    if isinstance(value, list):
        return [plain(item) for item in cast("list[Any]", value)]
    return value.strip('"') if isinstance(value, str) else value


@of("terraform")
def test_terraform_data_source_is_answered(server: Server, example: Path) -> None:
    loads = cast("Callable[[str], Any]", hcl2.loads)  # pyright: ignore[reportUnknownMemberType]
    read = plain(loads((example / "main.tf").read_text()))
    [source] = [block["external"]["requests"] for block in read["data"] if "external" in block]
    [region] = [block["region"]["default"] for block in read["variable"] if "region" in block]
    query = {
        key: region if value in ("var.region", "${var.region}") else value
        for key, value in source["query"].items()
    }
    assert set(query) == {"package", "region", "python", "arch"}

    command, *arguments = source["program"]
    assert command == "klayers"
    program = tool(command, COMMANDS)
    env = environment(example.parent)
    done = run(program, *arguments, folder=example, env=env, stdin=json.dumps(query))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert all(isinstance(value, str) for value in result.values())
    assert result["arn"] == arn("requests", 9, target=ARM64)
    assert result["package_version"] == "2.32.5"
    # What the configuration takes of the result is in it.
    text = (example / "main.tf").read_text()
    assert set(re.findall(r"external\.requests\.result\.(\w+)", text)) <= set(result)

    query["package"] = "reqeusts"
    done = run(program, *arguments, folder=example, env=env, stdin=json.dumps(query))
    assert (done.returncode, done.stdout) == (1, "")
    assert "did you mean requests?" in done.stderr


@of("terraform")
def test_terraform_configuration_is_valid(example: Path) -> None:
    if not shutil.which("terraform"):
        # It is in no package registry, so that not even CI has it.
        pytest.skip("terraform is not on PATH")
    env = {**environment(example.parent), "TF_CLI_CONFIG_FILE": "", "CHECKPOINT_DISABLE": "1"}
    output("terraform", "fmt", "-check", "-diff", folder=example, env=env)
