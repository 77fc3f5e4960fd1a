"""What a pipeline in Python shares with that of Klayers."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone
from typing import Any

import klayers
import pytest
from conftest import Server
from klayers import pipeline

UTC = timezone.utc


def test_builds_start_on_first_sunday_at_two() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(36):
        start = pipeline.next_build(now)
        assert start is not None
        assert (start.hour, start.minute, start.tzinfo) == (2, 0, UTC)
        assert start.weekday() == 6 and start.day <= 7
        assert pipeline.last_build(start) == start
        assert pipeline.next_build(start - timedelta(seconds=1)) == start
        now = start
    assert pipeline.EVENTBRIDGE_CRON == "cron(0 2 ? * SUN#1 *)"


def test_time_zones_are_converted() -> None:
    there = timezone(timedelta(hours=-9))
    assert pipeline.next_build(datetime(2026, 12, 5, 17, tzinfo=there)) == datetime(
        2027, 1, 3, 2, tzinfo=UTC
    )


def test_naive_datetime_is_refused() -> None:
    with pytest.raises(klayers.InvalidValueError, match="aware"):
        pipeline.next_build(datetime(2026, 1, 1))
    with pytest.raises(TypeError):
        pipeline.next_build("2026-01-01")  # type: ignore[arg-type]


def test_expiry_depends_on_package() -> None:
    policy = pipeline.ExpiryPolicy(packages={"Boto3": 30}, keep=2)
    assert (policy.days, policy.packages, policy.keep) == (365, {"Boto3": 30}, 2)
    assert policy == pipeline.ExpiryPolicy(365, packages={"boto3": 30}, keep=2)
    assert repr(policy) == "ExpiryPolicy(365, packages={'Boto3': 30}, keep=2)"
    at = datetime(2026, 11, 1, 2, tzinfo=UTC)
    assert policy.expires_at("boto3", at) == at + timedelta(days=30)
    assert policy.expires_at(klayers.PackageName("requests"), at) == at + timedelta(days=365)
    with pytest.raises(klayers.InvalidValueError):
        pipeline.ExpiryPolicy(packages={"a b": 1})


def test_files_of_collection_are_parsed() -> None:
    config = '{"python_versions": ["p3.12"], "p3.12": {"packages_file": "all.csv"}}'
    assert pipeline.parse_config(config) == {klayers.Target("p3.12"): "all.csv"}
    packages = 'Package_Name,License\n"psycopg[binary,pool]", LGPL\nrequests\n'
    assert list(map(str, pipeline.parse_packages(packages))) == ["psycopg[binary,pool]", "requests"]
    regions = pipeline.parse_regions("Code,Name\neu-west-1,EU (Ireland)\n")
    assert regions == [(klayers.Region("eu-west-1"), "EU (Ireland)")]
    for read, text, said in [
        (pipeline.parse_config, "{", "config.json"),
        (pipeline.parse_packages, "Package_Name\na b\n", "line 2"),
        (pipeline.parse_regions, "Code,Name\nmars,Mars\n", "line 2"),
    ]:
        with pytest.raises(klayers.InvalidValueError, match=said):
            read(text)


def test_layer_names_and_requirements_txt() -> None:
    assert pipeline.layer_name("fake-useragent", "p3.12-arm64", prefix="Own") == (
        "Own-p312-arm64-fake-useragent"
    )
    with pytest.raises(klayers.InvalidValueError):
        pipeline.layer_name("a" * 140, "p3.12")
    text = pipeline.requirements_txt(["requests==2.32.5", "idna==3.11", "idna==3.11"])
    assert text == "idna==3.11\nrequests==2.32.5\n"
    assert len(pipeline.requirements_hash(["idna==3.11"])) == len(hashlib.sha256().hexdigest())
    assert pipeline.requirements_hash(["b==1", "a==1"]) == pipeline.requirements_hash(["a==1", "b==1"])


def test_lists_are_written_in_the_formats_of_the_api(server: Server) -> None:
    rows = klayers.latest(region="us-east-1", python="3.13")
    lines = pipeline.latest_csv(rows).split("\r\n")
    assert lines[0] == "Package,Package Version,arn"
    assert lines[3] == f"requests,2.32.5,{rows[2].arn}"
    page = pipeline.latest_html(rows, region="us-east-1", target="p3.13")
    assert page.startswith("<!doctype html>") and f"<td>{rows[2].arn}</td>" in page
    again = [klayers.LatestLayer.from_json(row.to_json()) for row in rows]
    assert again == rows


def test_expiry_policy_refuses_negative_numbers() -> None:
    arguments: Any
    for arguments in [{"days": -1}, {"packages": {"boto3": -1}}, {"keep": -1}]:
        with pytest.raises(klayers.InvalidValueError, match="-1 is not a count"):
            pipeline.ExpiryPolicy(**arguments)
