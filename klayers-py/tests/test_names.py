"""Names and versions of packages, which are those of the packaging library."""

from __future__ import annotations

import itertools
import pickle
from typing import Any

import klayers
import pytest

packaging_utils = pytest.importorskip("packaging.utils")
packaging_version = pytest.importorskip("packaging.version")
packaging_requirements = pytest.importorskip("packaging.requirements")
packaging_specifiers = pytest.importorskip("packaging.specifiers")

NAMES = ["requests", "Zope.Interface", "zope_interface", "zope--.__interface", "A", "ruamel.yaml.clib"]
VERSIONS = """
    0.1.dev1 0.1a1 0.1b2.post345.dev456 0.1rc1 0.1 0.1+local.1 0.1.post1 1.0.dev0 1.0a1 1.0 1.0.0 1
    1.0.post1 1.1 1.10 1.9 2.31.0 2.32.0rc1 2.32.3 2.32.5 2.32.5.post1 3.0a2 3 1!0.5 2024.8.30 v1.2
    1.0-RC-1
""".split()
SPECIFIERS = """
    ==2.32.* ~=2.31 ~=2.31.0 >=2.31,<3 !=2.32.3 ==1.0 ===1.0 <=1.10 >1.0 <2 ==1!0.5 >=0.1a1 ==0.1+local.1
    !=1.*
""".split()


def test_names_are_normalised_like_packaging() -> None:
    for name in NAMES:
        ours = klayers.PackageName(name)
        assert ours.normalized == packaging_utils.canonicalize_name(name)
        assert (str(ours), repr(ours)) == (name, f"PackageName('{name}')")
        assert ours == klayers.PackageName(ours.normalized.upper())
        assert hash(ours) == hash(klayers.PackageName(ours.normalized))
        assert str(pickle.loads(pickle.dumps(ours))) == name


def test_versions_order_like_packaging() -> None:
    for pair in itertools.combinations(VERSIONS, 2):
        ours, theirs = map(klayers.PackageVersion, pair), map(packaging_version.Version, pair)
        (one, other), (their_one, their_other) = ours, theirs
        assert (one < other) == (their_one < their_other), pair
        assert (one == other) == (their_one == their_other), pair
        assert (hash(one) == hash(other)) == (their_one == their_other), pair


def test_versions_are_normalised_like_packaging() -> None:
    for version in VERSIONS:
        ours, theirs = klayers.PackageVersion(version), packaging_version.Version(version)
        assert ours.normalized == str(theirs)
        assert ours.is_prerelease == theirs.is_prerelease
        assert pickle.loads(pickle.dumps(ours)) == ours


def test_specifiers_accept_the_same_versions_as_packaging() -> None:
    for specifier, version in itertools.product(SPECIFIERS, VERSIONS):
        requirement = klayers.Requirement(f"x{specifier}")
        theirs = packaging_specifiers.SpecifierSet(specifier).contains(version, prereleases=True)
        assert requirement.accepts(version) == theirs, (specifier, version)
        assert (klayers.PackageVersion(version) in requirement) == theirs, (specifier, version)


def test_parts_of_requirement() -> None:
    requirement = klayers.Requirement("psycopg[pool, binary] >= 3.2")
    assert requirement.name == klayers.PackageName("psycopg")
    assert requirement.extras == ("binary", "pool")
    assert str(requirement) == "psycopg[binary,pool]>=3.2"
    assert requirement == klayers.Requirement(requirement)
    assert pickle.loads(pickle.dumps(requirement)) == requirement


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (klayers.PackageName, "a b"),
        (klayers.PackageName, ""),
        (klayers.PackageName, "-a"),
        (klayers.PackageVersion, "1..0"),
        (klayers.PackageVersion, ""),
        (klayers.Requirement, "requests==2.*.1"),
        (klayers.Requirement, "requests; python_version > '3'"),
        (klayers.Requirement, "requests @ https://index.example/requests.whl"),
    ],
)
def test_invalid_names_versions_and_requirements_are_refused(kind: Any, text: str) -> None:
    with pytest.raises(klayers.InvalidValueError, match="is not a"):
        kind(text)
    with pytest.raises(TypeError):
        kind(None)
