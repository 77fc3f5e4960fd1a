"""ARNs and regions are texts, and go wherever a text does."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import klayers
import pytest
from conftest import Server

ARN = "arn:aws-us-gov:lambda:us-gov-west-1:770693421928:layer:Klayers-p313-arm64-Pillow:4"

texts = pytest.mark.parametrize(
    ("kind", "text"), [(klayers.LayerVersionArn, ARN), (klayers.Region, "us-gov-west-1")]
)


@texts
def test_value_equals_its_text(kind: Any, text: str) -> None:
    value = kind(text)
    assert isinstance(value, str)
    assert value == text and text == value and not value != text
    assert hash(value) == hash(text)
    assert {text: "found"}[value] == {value: "found"}[text] == "found"
    assert type(str(value)) is str and str(value) == text
    assert repr(value) == f"{kind.__name__}('{text}')"
    assert "".join([value, value]) == value + value == text + text
    assert ",".join(["x", value]) == "x," + text
    assert value.split("-") == text.split("-") and value.upper() == text.upper()
    assert value.encode() == text.encode()
    assert value < text + "0" and text + "0" > value
    number: Any = 1
    with pytest.raises(TypeError):
        assert value < number


@texts
def test_value_is_dumped_as_json_text(kind: Any, text: str) -> None:
    value = kind(text)
    assert json.dumps(value) == json.dumps(text)
    assert json.dumps({"layers": [value], value: 1}) == json.dumps({"layers": [text], text: 1})


@texts
def test_partition_is_both_attribute_and_method(kind: Any, text: str) -> None:
    """Other libraries call `partition` on whatever is a text."""
    value = kind(text)
    assert value.partition("-") == text.partition("-")
    assert value.partition == "aws-us-gov"
    assert type(value.to_dict()["partition"]) is str
    assert json.dumps(value.partition) == '"aws-us-gov"'
    with pytest.raises(AttributeError):
        value.partition = "aws"


def test_types_of_arn_parts() -> None:
    arn = klayers.LayerVersionArn(ARN)
    assert type(arn.region) is klayers.Region
    assert {type(part) for part in [arn.layer_arn, arn.layer_name, arn.account]} == {str}
    assert {type(value) for value in arn.to_dict().values()} == {str, int}


def test_lookups_return_arn_and_region_classes(server: Server) -> None:
    place: Any = {"region": klayers.Region("us-east-1"), "python": "3.13"}
    with klayers.Client(server.url, assume_fresh=60) as client:
        first, kept = (client.latest_arn("requests", **place) for _ in range(2))
        [row] = client.versions("Pillow", **place)
    assert type(first) is type(kept) is type(row.arn) is klayers.LayerVersionArn
    assert first == kept == "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4"
    assert len(server.asked) == 2
    assert type(row.region) is klayers.Region
    assert type(row.to_dict()["arn"]) is type(row.to_dict()["region"]) is str


def test_botocore_accepts_arns_and_regions() -> None:
    """botocore checks the parameters and writes the requests; an answer stands in for AWS."""
    session = pytest.importorskip("botocore.session").get_session()
    response = pytest.importorskip("botocore.awsrequest").AWSResponse
    arn = klayers.LayerVersionArn(ARN)
    client = session.create_client(
        "lambda", region_name=arn.region, aws_access_key_id="x", aws_secret_access_key="x"
    )
    sent: list[Any] = []

    def answer(request: Any, **_: Any) -> Any:
        sent.append(request)
        return response(request.url, 200, {}, SimpleNamespace(stream=lambda: [b"{}"]))

    client.meta.events.register("before-send.lambda", answer)
    client.update_function_configuration(FunctionName="handler", Layers=[arn])
    client.get_layer_version_by_arn(Arn=arn)
    assert json.loads(sent[0].body) == {"Layers": [ARN]}
    assert unquote(sent[1].url).endswith(f"&Arn={ARN}")
    assert {urlsplit(str(request.url)).netloc for request in sent} == {
        "lambda.us-gov-west-1.amazonaws.com"
    }
