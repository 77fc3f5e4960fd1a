from __future__ import annotations

import copy
import pickle
from typing import Any

import klayers
import pytest
from conftest import Server

ARN = "arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p313-arm64-Pillow:4"


def test_attributes_of_region() -> None:
    region = klayers.Region("ap-southeast-3")
    assert region.code == str(region) == "ap-southeast-3"
    assert repr(region) == "Region('ap-southeast-3')"
    assert region.name == "Asia Pacific (Jakarta)"
    assert region.partition == "aws"
    assert region.opt_in is True
    later = klayers.Region("ap-southeast-42")
    assert later.name is None
    assert later.opt_in is None


def test_target_from_key_or_parts() -> None:
    target = klayers.Target("p3.13-arm64")
    assert (target.python, target.arch) == ("3.13", "arm64")
    assert str(target) == "p3.13-arm64"
    assert repr(target) == "Target('p3.13-arm64')"
    assert target == klayers.Target(python="3.13", arch="arm64") == klayers.Target(target)
    assert klayers.Target(python="3.12") == klayers.Target("p3.12")


def test_attributes_of_arn() -> None:
    arn = klayers.LayerVersionArn(ARN)
    assert str(arn) == f"{arn}" == ARN
    assert repr(arn) == f"LayerVersionArn('{ARN}')"
    assert arn.layer_arn == ARN.rpartition(":")[0]
    assert arn.layer_name == "Klayers-p313-arm64-Pillow"
    assert arn.version == 4
    assert arn.region == klayers.Region("eu-west-1")
    assert (arn.account, arn.partition) == ("770693421928", "aws")


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (klayers.Region, ["eu-west-1", "us-east-1"]),
        (klayers.Target, ["p3.9", "p3.10", "p3.10-arm64", "p3.13"]),
        (klayers.LayerVersionArn, [ARN, f"{ARN}0", ARN.replace("eu-", "us-")]),
    ],
)
def test_values_compare_hash_order_and_are_frozen(kind: Any, texts: list[str]) -> None:
    values = [kind(text) for text in texts]
    assert sorted(reversed(values)) == values
    for one, other in zip(values, values[1:]):
        assert one < other and one <= other and other > one and other >= one
    assert len({*values, *map(kind, texts)}) == len(texts)
    for value, text in zip(values, texts):
        assert value == kind(text)
        for name in ["code", "version", "new"]:
            with pytest.raises(AttributeError):
                setattr(value, name, "x")
        for same in [copy.copy(value), copy.deepcopy(value), kind(value)]:
            assert same == value and type(same) is kind
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            again = pickle.loads(pickle.dumps(value, protocol))
            assert again == value and type(again) is kind


def test_target_does_not_compare_with_texts() -> None:
    target: Any = klayers.Target("p3.13")
    assert target != "p3.13"
    with pytest.raises(TypeError):
        _ = target < "p3.13"


@pytest.mark.parametrize(
    "value",
    [
        klayers.Region("eu-west-1"),
        klayers.Target("p3.13-arm64"),
        klayers.LayerVersionArn(ARN),
        klayers.PackageName("Zope.Interface"),
        klayers.PackageVersion("1.0rc1"),
        klayers.Requirement("psycopg[binary]>=3.2"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_format_like_texts(value: Any) -> None:
    text = str(value)
    assert f"{value}" == f"{value:}" == text
    assert f"{value:>120}" == text.rjust(120)
    assert f"{value:<12.7}|" == text[:7].ljust(12) + "|"
    with pytest.raises(ValueError, match="format"):
        _ = f"{value:d}"


def test_values_to_dict() -> None:
    assert klayers.Region("eu-west-1").to_dict() == {
        "code": "eu-west-1",
        "name": "EU (Ireland)",
        "partition": "aws",
        "opt_in": False,
    }
    target = klayers.Target("p3.13-arm64")
    assert target.to_dict() == {"python": "3.13", "arch": "arm64"}
    parts = target.to_dict()
    assert klayers.Target(python=parts["python"], arch=parts["arch"]) == target
    assert klayers.LayerVersionArn(ARN).to_dict() == {
        "layer_arn": ARN.rpartition(":")[0],
        "layer_name": "Klayers-p313-arm64-Pillow",
        "version": 4,
        "region": "eu-west-1",
        "account": "770693421928",
        "partition": "aws",
    }


def test_region_and_target_from_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV"]:
        monkeypatch.delenv(name, raising=False)
    assert klayers.Region.from_environment() is None
    assert klayers.Target.from_environment() is None
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13")
    assert klayers.Region.from_environment() == klayers.Region("eu-west-1")
    target = klayers.Target.from_environment()
    assert target is not None and target.python == "3.13"
    monkeypatch.setenv("AWS_REGION", "mars")
    with pytest.raises(klayers.InvalidValueError, match="mars"):
        klayers.Region.from_environment()


def test_rows_to_dict_and_order(server: Server) -> None:
    [row] = klayers.versions("requests", region="us-east-1", target="p3.13-arm64")
    fields = row.to_dict()
    assert fields["arn"] == str(row.arn) and fields["region"] == "us-east-1"
    assert fields["dependencies"] == ["idna==3.11", "requests==2.32.5"]
    assert fields["created_at"] == row.created_at and fields["expires_at"] is None
    assert fields["imports"] == "passed" and fields["warnings"] == ["py.typed is missing"]
    assert all(getattr(row, name) == value for name, value in fields.items()
               if name not in {"arn", "region", "dependencies", "warnings"})
    names = {name for name in dir(row) if not name.startswith("_")}
    assert names - set(fields) == {"to_dict", "to_json", "from_json"}
    rows = klayers.versions("requests", region="us-east-1", python="3.13")
    assert sorted(rows) == rows[::-1]
    latest = klayers.latest(region="us-east-1", python="3.13")
    assert sorted(latest)[0].arn == min(row.arn for row in latest)
    assert latest[0].to_dict()["arn"] == str(latest[0].arn)


def test_from_json_refuses_invalid_rows() -> None:
    for kind in (klayers.LatestLayer, klayers.LayerVersion, klayers.PackageLayer, klayers.Build):
        for text in ["", "[]", "{}", '{"arn": 1}']:
            with pytest.raises(klayers.InvalidValueError, match="row of the API"):
                kind.from_json(text)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_rows_compare_hash_and_pickle(server: Server, protocol: int) -> None:
    rows: list[Any] = [
        *klayers.latest(region="us-east-1", python="3.13"),
        *klayers.versions("requests", region="us-east-1", python="3.13"),
        *klayers.versions("requests", region="us-east-1", target="p3.13-arm64"),
    ]
    again = pickle.loads(pickle.dumps(rows, protocol))
    assert again == rows
    assert len({*again, *rows}) == len(rows)
    assert rows[0] != rows[1]
    assert repr(rows[2]) == (
        "<LatestLayer package='requests' package_version='2.32.5' "
        "arn='arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4'>"
    )
    assert repr(rows[3]) == (
        "<LayerVersion "
        "arn='arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4' "
        "package_version='2.32.5' status='latest'>"
    )


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (klayers.Region, "mars"),
        (klayers.Target, "3.13"),
        (klayers.LayerVersionArn, "arn:aws:s3:::bucket"),
    ],
)
def test_invalid_values_are_refused(kind: Any, text: str) -> None:
    with pytest.raises(klayers.InvalidValueError, match="expected"):
        kind(text)
    with pytest.raises(TypeError):
        kind(3.13)
