from __future__ import annotations

import copy
import pickle
from typing import Any

import klayers
import pytest
from conftest import Server

ARN = "arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p313-arm64-Pillow:4"


def test_a_region_knows_itself() -> None:
    region = klayers.Region("ap-southeast-3")
    assert region.code == str(region) == "ap-southeast-3"
    assert repr(region) == "Region('ap-southeast-3')"
    assert region.name == "Asia Pacific (Jakarta)"
    assert region.partition == "aws"
    assert region.opt_in is True
    later = klayers.Region("ap-southeast-42")
    assert later.name is None
    assert later.opt_in is None


def test_a_target_is_a_key_or_its_parts() -> None:
    target = klayers.Target("p3.13-arm64")
    assert (target.python, target.arch) == ("3.13", "arm64")
    assert str(target) == "p3.13-arm64"
    assert repr(target) == "Target('p3.13-arm64')"
    assert target == klayers.Target(python="3.13", arch="arm64") == klayers.Target(target)
    assert klayers.Target(python="3.12") == klayers.Target("p3.12")


def test_an_arn_knows_its_parts() -> None:
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
        (klayers.LayerVersionArn, [ARN, ARN.replace("eu-", "us-")]),
    ],
)
def test_values_compare_hash_order_and_stay_as_they_are(kind: Any, texts: list[str]) -> None:
    values = [kind(text) for text in texts]
    assert sorted(reversed(values)) == values
    assert len({*values, *map(kind, texts)}) == len(texts)
    for value, text in zip(values, texts):
        assert value == kind(text)
        assert value != text
        assert pickle.loads(pickle.dumps(value)) == value
        assert copy.deepcopy(value) == value
        with pytest.raises(AttributeError):
            value.code = "x"
    with pytest.raises(TypeError):
        values[0] < texts[0]


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
def test_what_is_not_a_value_is_refused(kind: Any, text: str) -> None:
    with pytest.raises(klayers.InvalidValueError, match="expected"):
        kind(text)
    with pytest.raises(TypeError):
        kind(3.13)
