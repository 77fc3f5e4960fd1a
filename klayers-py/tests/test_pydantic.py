"""Values are fields of pydantic's models as they are."""

from __future__ import annotations

import json
from typing import Any, Optional

import klayers
import pytest
from conftest import Server

pydantic: Any = pytest.importorskip("pydantic")

FIELDS: dict[str, tuple[Any, str, str]] = {
    "arn": (
        klayers.LayerVersionArn,
        "arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p313-requests:4",
        "arn:aws:s3:::bucket",
    ),
    "region": (klayers.Region, "eu-west-1", "mars"),
    "target": (klayers.Target, "p3.13-arm64", "3.13"),
    "package": (klayers.PackageName, "Pillow", "a b"),
    "version": (klayers.PackageVersion, "2.32.5", "1..0"),
    "wanted": (klayers.Requirement, "psycopg[binary]>=3.2", "requests==2.*.1"),
}
TEXTS = {name: text for name, (_, text, _) in FIELDS.items()}
MODEL: Any = pydantic.create_model("Layer", **{name: (kind, ...) for name, (kind, _, _) in FIELDS.items()})


def test_model_reads_texts_values_and_json() -> None:
    from_texts = MODEL(**TEXTS)
    from_values = MODEL(**{name: kind(text) for name, (kind, text, _) in FIELDS.items()})
    from_json = MODEL.model_validate_json(json.dumps(TEXTS))
    assert from_texts == from_values == from_json
    for name, (kind, text, _) in FIELDS.items():
        value = getattr(from_texts, name)
        assert type(value) is kind and value == kind(text)


def test_model_writes_values_and_texts() -> None:
    model = MODEL(**TEXTS)
    assert json.loads(model.model_dump_json()) == TEXTS == model.model_dump(mode="json")
    assert model.model_dump() == {name: kind(text) for name, (kind, text, _) in FIELDS.items()}
    for mode in ["validation", "serialization"]:
        properties = MODEL.model_json_schema(mode=mode)["properties"]
        assert {properties[name]["type"] for name in FIELDS} == {"string"}


@pytest.mark.parametrize("name", FIELDS)
def test_invalid_field_is_one_validation_error(name: str) -> None:
    for bad, message in [(FIELDS[name][2], "Value error, .*is not "), (3.13, "valid string")]:
        with pytest.raises(pydantic.ValidationError, match=message) as raised:
            MODEL(**{**TEXTS, name: bad})
        [error] = raised.value.errors()
        assert error["loc"] == (name,)


def test_optional_fields_and_dict_keys() -> None:
    model: Any = pydantic.create_model(
        "Places",
        region=(Optional[klayers.Region], None),
        arns=(dict[klayers.Region, list[klayers.LayerVersionArn]], ...),
    )
    arn = TEXTS["arn"]
    read = model(region="eu-west-1", arns={"eu-west-1": [arn]})
    assert type(read.region) is klayers.Region and model(arns={}).region is None
    assert {type(key) for key in read.arns} == {klayers.Region}
    assert json.loads(read.model_dump_json())["arns"] == {"eu-west-1": [arn]}


def test_rows_as_fields(server: Server) -> None:
    place: Any = {"region": "us-east-1", "target": "p3.13-arm64"}
    rows = klayers.versions("requests", **place)
    latest = klayers.latest(region="us-east-1", python="3.13")
    model: Any = pydantic.create_model(
        "Answer", rows=(list[klayers.LayerVersion], ...), latest=(list[klayers.LatestLayer], ...)
    )
    answer = model(rows=rows, latest=latest)
    assert answer.rows == rows and answer.latest == latest
    text = answer.model_dump_json()
    assert json.loads(text)["rows"] == [json.loads(row.to_json()) for row in rows]
    assert model.model_validate_json(text) == model.model_validate(json.loads(text)) == answer
    properties = model.model_json_schema(mode="serialization")["properties"]
    assert properties["rows"]["items"]["type"] == "object"
    for bad in [{}, {"arn": "x"}, "requests"]:
        with pytest.raises(pydantic.ValidationError, match="row of the API|valid dictionary"):
            model(rows=[bad], latest=[])
