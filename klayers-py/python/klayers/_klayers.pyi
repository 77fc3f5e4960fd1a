import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Literal, final, overload

from klayers._values import LayerVersionArn, Region

__all__ = [
    "Build",
    "Client",
    "EVENTBRIDGE_CRON",
    "ExpiryPolicy",
    "LatestLayer",
    "LayerVersion",
    "PackageLayer",
    "PackageName",
    "PackageVersion",
    "Requirement",
    "Target",
    "_Pending",
    "_Lookup",
    "__version__",
    "_arn",
    "_region",
    "_region_facts",
    "_region_of_environment",
    "_run_command",
    "last_build",
    "latest",
    "latest_arn",
    "latest_csv",
    "latest_html",
    "layer",
    "layer_name",
    "next_build",
    "package",
    "packages",
    "parse_config",
    "parse_packages",
    "parse_regions",
    "regions",
    "requirements_hash",
    "requirements_txt",
    "targets",
    "versions",
]

__version__: str
EVENTBRIDGE_CRON: str

def _region(code: str) -> str: ...
def _region_facts(code: str) -> tuple[str | None, str, bool | None]: ...
def _region_of_environment() -> Region | None: ...
def _arn(arn: str) -> str: ...

@final
class Target:
    """A Python version and an architecture that layers are built for."""

    @overload
    def __new__(
        cls, key: Target | str, *, python: None = None, arch: None = None
    ) -> Target: ...
    @overload
    def __new__(cls, key: None = None, *, python: str, arch: str | None = None) -> Target: ...
    @classmethod
    def from_environment(cls) -> Target | None: ...
    @property
    def python(self) -> str: ...
    @property
    def arch(self) -> Literal["x86_64", "arm64"]: ...
    def to_dict(self) -> dict[str, str]: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __ge__(self, value: Target, /) -> bool: ...
    def __gt__(self, value: Target, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __le__(self, value: Target, /) -> bool: ...
    def __lt__(self, value: Target, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __format__(self, spec: str, /) -> str: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object, /) -> Any: ...
    def __reduce__(self) -> tuple[type[Target], tuple[str]]: ...

@final
class PackageName:
    """The name of a package. Equal names may differ in spelling."""

    def __new__(cls, name: PackageName | str) -> PackageName: ...
    @property
    def normalized(self) -> str: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __ge__(self, value: PackageName, /) -> bool: ...
    def __gt__(self, value: PackageName, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __le__(self, value: PackageName, /) -> bool: ...
    def __lt__(self, value: PackageName, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __format__(self, spec: str, /) -> str: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object, /) -> Any: ...
    def __reduce__(self) -> tuple[type[PackageName], tuple[str]]: ...

@final
class PackageVersion:
    """The version of a package."""

    def __new__(cls, version: PackageVersion | str) -> PackageVersion: ...
    @property
    def normalized(self) -> str: ...
    @property
    def is_prerelease(self) -> bool: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __ge__(self, value: PackageVersion, /) -> bool: ...
    def __gt__(self, value: PackageVersion, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __le__(self, value: PackageVersion, /) -> bool: ...
    def __lt__(self, value: PackageVersion, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __format__(self, spec: str, /) -> str: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object, /) -> Any: ...
    def __reduce__(self) -> tuple[type[PackageVersion], tuple[str]]: ...

@final
class Requirement:
    """A requirement of a package: its name, extras, and accepted versions."""

    def __new__(cls, requirement: Requirement | str) -> Requirement: ...
    @property
    def name(self) -> PackageName: ...
    @property
    def extras(self) -> tuple[str, ...]: ...
    def accepts(self, version: PackageVersion | str, /) -> bool: ...
    def __contains__(self, version: PackageVersion | str, /) -> bool: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __format__(self, spec: str, /) -> str: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object, /) -> Any: ...
    def __reduce__(self) -> tuple[type[Requirement], tuple[str]]: ...

@final
class LatestLayer:
    """The latest layer version of a package, as listed by latest()."""

    @property
    def package(self) -> str: ...
    @property
    def package_version(self) -> str: ...
    @property
    def arn(self) -> LayerVersionArn: ...
    @property
    def code_sha256(self) -> str | None: ...
    @property
    def created_at(self) -> datetime | None: ...
    @property
    def license(self) -> str | None: ...
    def to_dict(self) -> dict[str, Any]: ...
    def to_json(self) -> str: ...
    @classmethod
    def from_json(cls, json: str) -> LatestLayer: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __ge__(self, value: LatestLayer, /) -> bool: ...
    def __gt__(self, value: LatestLayer, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __le__(self, value: LatestLayer, /) -> bool: ...
    def __lt__(self, value: LatestLayer, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object, /) -> Any: ...
    def __reduce__(self) -> tuple[Callable[[str], LatestLayer], tuple[str]]: ...

@final
class LayerVersion:
    """One version of the layer of a package, as listed by versions()."""

    @property
    def arn(self) -> LayerVersionArn: ...
    @property
    def package_version(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def region(self) -> Region: ...
    @property
    def status(self) -> Literal["latest", "deprecated"]: ...
    @property
    def dependencies(self) -> tuple[str, ...]: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def yanked(self) -> str | None: ...
    @property
    def requirements_hash(self) -> str | None: ...
    @property
    def code_sha256(self) -> str | None: ...
    @property
    def code_size(self) -> int | None: ...
    @property
    def unzipped_size(self) -> int | None: ...
    @property
    def created_at(self) -> datetime | None: ...
    @property
    def license(self) -> str | None: ...
    @property
    def imports(self) -> Literal["passed", "failed", "not run"] | None: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...
    def to_dict(self) -> dict[str, Any]: ...
    def to_json(self) -> str: ...
    @classmethod
    def from_json(cls, json: str) -> LayerVersion: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __ge__(self, value: LayerVersion, /) -> bool: ...
    def __gt__(self, value: LayerVersion, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __le__(self, value: LayerVersion, /) -> bool: ...
    def __lt__(self, value: LayerVersion, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object, /) -> Any: ...
    def __reduce__(self) -> tuple[Callable[[str], LayerVersion], tuple[str]]: ...

@final
class PackageLayer:
    """A layer version with its package and target, as listed by package()."""

    @property
    def package(self) -> str: ...
    @property
    def target(self) -> Target: ...
    @property
    def layer(self) -> LayerVersion: ...
    def to_dict(self) -> dict[str, Any]: ...
    def to_json(self) -> str: ...
    @classmethod
    def from_json(cls, json: str) -> PackageLayer: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __ge__(self, value: PackageLayer, /) -> bool: ...
    def __gt__(self, value: PackageLayer, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __le__(self, value: PackageLayer, /) -> bool: ...
    def __lt__(self, value: PackageLayer, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object, /) -> Any: ...
    def __reduce__(self) -> tuple[Callable[[str], PackageLayer], tuple[str]]: ...

@final
class Build:
    """The latest build of a package, as listed by packages()."""

    @property
    def package(self) -> str | None: ...
    @property
    def package_version(self) -> str: ...
    @property
    def dependencies(self) -> tuple[str, ...]: ...
    @property
    def created_at(self) -> datetime | None: ...
    @property
    def requirements_hash(self) -> str | None: ...
    @property
    def code_sha256(self) -> str | None: ...
    @property
    def code_size(self) -> int | None: ...
    @property
    def unzipped_size(self) -> int | None: ...
    @property
    def license(self) -> str | None: ...
    def to_dict(self) -> dict[str, Any]: ...
    def to_json(self) -> str: ...
    @classmethod
    def from_json(cls, json: str) -> Build: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object, /) -> Any: ...
    def __reduce__(self) -> tuple[Callable[[str], Build], tuple[str]]: ...

# Of three overloads, the first is for python and arch, the second for target, and the third for
# arguments in a dict, `**place`, whose values all have one type for a checker.

@final
class Client:
    """A client of the API of one collection of layers."""

    def __new__(
        cls,
        base_url: str | None = None,
        *,
        timeout: float | timedelta | None = None,
        connect_timeout: float | timedelta | None = None,
        read_timeout: float | timedelta | None = None,
        retries: int | None = None,
        retry_delay: float | timedelta | None = None,
        max_retry_delay: float | timedelta | None = None,
        cache: bool = True,
        cache_dir: str | os.PathLike[str] | None = None,
        cache_limit: int | None = None,
        stale_if_error: float | timedelta | None = None,
        assume_fresh: float | timedelta | None = None,
        offline: bool = False,
        accounts: Iterable[str] | None = None,
        user_agent: str | None = None,
    ) -> Client: ...
    @property
    def base_url(self) -> str: ...
    @overload
    def latest_arn(
        self,
        package: PackageName | str,
        *,
        region: Region | str,
        python: str,
        arch: str | None = None,
        target: None = None,
    ) -> LayerVersionArn: ...
    @overload
    def latest_arn(
        self,
        package: PackageName | str,
        *,
        region: Region | str,
        python: None = None,
        arch: None = None,
        target: Target | str,
    ) -> LayerVersionArn: ...
    @overload
    def latest_arn(
        self,
        package: PackageName | str,
        *,
        region: Region | str,
        python: str | None,
        arch: str | None,
        target: Target | str | None,
    ) -> LayerVersionArn: ...
    @overload
    def latest(
        self,
        *,
        region: Region | str,
        python: str,
        arch: str | None = None,
        target: None = None,
    ) -> list[LatestLayer]: ...
    @overload
    def latest(
        self,
        *,
        region: Region | str,
        python: None = None,
        arch: None = None,
        target: Target | str,
    ) -> list[LatestLayer]: ...
    @overload
    def latest(
        self,
        *,
        region: Region | str,
        python: str | None,
        arch: str | None,
        target: Target | str | None,
    ) -> list[LatestLayer]: ...
    @overload
    def versions(
        self,
        package: PackageName | str,
        *,
        region: Region | str,
        python: str,
        arch: str | None = None,
        target: None = None,
    ) -> list[LayerVersion]: ...
    @overload
    def versions(
        self,
        package: PackageName | str,
        *,
        region: Region | str,
        python: None = None,
        arch: None = None,
        target: Target | str,
    ) -> list[LayerVersion]: ...
    @overload
    def versions(
        self,
        package: PackageName | str,
        *,
        region: Region | str,
        python: str | None,
        arch: str | None,
        target: Target | str | None,
    ) -> list[LayerVersion]: ...
    @overload
    def layer(
        self,
        layer: Requirement | str,
        *,
        region: Region | str,
        python: str,
        arch: str | None = None,
        target: None = None,
    ) -> LayerVersion: ...
    @overload
    def layer(
        self,
        layer: Requirement | str,
        *,
        region: Region | str,
        python: None = None,
        arch: None = None,
        target: Target | str,
    ) -> LayerVersion: ...
    @overload
    def layer(
        self,
        layer: Requirement | str,
        *,
        region: Region | str,
        python: str | None,
        arch: str | None,
        target: Target | str | None,
    ) -> LayerVersion: ...
    @overload
    def packages(
        self,
        *,
        python: str,
        arch: str | None = None,
        target: None = None,
    ) -> list[Build]: ...
    @overload
    def packages(
        self,
        *,
        python: None = None,
        arch: None = None,
        target: Target | str,
    ) -> list[Build]: ...
    @overload
    def packages(
        self,
        *,
        python: str | None,
        arch: str | None,
        target: Target | str | None,
    ) -> list[Build]: ...
    def package(self, package: PackageName | str) -> list[PackageLayer]: ...
    def targets(self) -> list[Target]: ...
    def regions(self) -> list[Region]: ...
    def close(self) -> None: ...
    def __enter__(self) -> Client: ...
    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
        /,
    ) -> None: ...
    def _cached_arn(self, lookup: _Lookup) -> LayerVersionArn | None: ...
    def _begin(
        self,
        lookup: _Lookup,
        settle: Callable[[Any, Exception | None, list[Warning]], object],
    ) -> _Pending: ...

@final
class _Pending:
    def cancel(self) -> None: ...

@final
class _Lookup:
    @staticmethod
    def latest_arn(
        package: PackageName | str,
        *,
        region: Region | str,
        python: str | None = None,
        arch: str | None = None,
        target: Target | str | None = None,
    ) -> _Lookup: ...
    @staticmethod
    def latest(
        *,
        region: Region | str,
        python: str | None = None,
        arch: str | None = None,
        target: Target | str | None = None,
    ) -> _Lookup: ...
    @staticmethod
    def versions(
        package: PackageName | str,
        *,
        region: Region | str,
        python: str | None = None,
        arch: str | None = None,
        target: Target | str | None = None,
    ) -> _Lookup: ...
    @staticmethod
    def layer(
        layer: Requirement | str,
        *,
        region: Region | str,
        python: str | None = None,
        arch: str | None = None,
        target: Target | str | None = None,
    ) -> _Lookup: ...
    @staticmethod
    def packages(
        *,
        python: str | None = None,
        arch: str | None = None,
        target: Target | str | None = None,
    ) -> _Lookup: ...
    @staticmethod
    def package(package: PackageName | str) -> _Lookup: ...
    @staticmethod
    def targets() -> _Lookup: ...
    @staticmethod
    def regions() -> _Lookup: ...

@overload
def latest_arn(
    package: PackageName | str,
    *,
    region: Region | str,
    python: str,
    arch: str | None = None,
    target: None = None,
) -> LayerVersionArn: ...
@overload
def latest_arn(
    package: PackageName | str,
    *,
    region: Region | str,
    python: None = None,
    arch: None = None,
    target: Target | str,
) -> LayerVersionArn: ...
@overload
def latest_arn(
    package: PackageName | str,
    *,
    region: Region | str,
    python: str | None,
    arch: str | None,
    target: Target | str | None,
) -> LayerVersionArn: ...
@overload
def latest(
    *,
    region: Region | str,
    python: str,
    arch: str | None = None,
    target: None = None,
) -> list[LatestLayer]: ...
@overload
def latest(
    *,
    region: Region | str,
    python: None = None,
    arch: None = None,
    target: Target | str,
) -> list[LatestLayer]: ...
@overload
def latest(
    *,
    region: Region | str,
    python: str | None,
    arch: str | None,
    target: Target | str | None,
) -> list[LatestLayer]: ...
@overload
def versions(
    package: PackageName | str,
    *,
    region: Region | str,
    python: str,
    arch: str | None = None,
    target: None = None,
) -> list[LayerVersion]: ...
@overload
def versions(
    package: PackageName | str,
    *,
    region: Region | str,
    python: None = None,
    arch: None = None,
    target: Target | str,
) -> list[LayerVersion]: ...
@overload
def versions(
    package: PackageName | str,
    *,
    region: Region | str,
    python: str | None,
    arch: str | None,
    target: Target | str | None,
) -> list[LayerVersion]: ...
@overload
def layer(
    layer: Requirement | str,
    *,
    region: Region | str,
    python: str,
    arch: str | None = None,
    target: None = None,
) -> LayerVersion: ...
@overload
def layer(
    layer: Requirement | str,
    *,
    region: Region | str,
    python: None = None,
    arch: None = None,
    target: Target | str,
) -> LayerVersion: ...
@overload
def layer(
    layer: Requirement | str,
    *,
    region: Region | str,
    python: str | None,
    arch: str | None,
    target: Target | str | None,
) -> LayerVersion: ...
@overload
def packages(
    *,
    python: str,
    arch: str | None = None,
    target: None = None,
) -> list[Build]: ...
@overload
def packages(
    *,
    python: None = None,
    arch: None = None,
    target: Target | str,
) -> list[Build]: ...
@overload
def packages(
    *,
    python: str | None,
    arch: str | None,
    target: Target | str | None,
) -> list[Build]: ...
def package(package: PackageName | str) -> list[PackageLayer]: ...
def targets() -> list[Target]: ...
def regions() -> list[Region]: ...

def next_build(now: datetime, /) -> datetime | None: ...
def last_build(now: datetime, /) -> datetime | None: ...
@final
class ExpiryPolicy:
    """How long a layer version is kept after a newer one replaced it."""

    def __new__(
        cls, days: int = 365, *, packages: Mapping[str, int] | None = None, keep: int = 1
    ) -> ExpiryPolicy: ...
    @property
    def days(self) -> int: ...
    @property
    def packages(self) -> dict[str, int]: ...
    @property
    def keep(self) -> int: ...
    def expires_at(self, package: PackageName | str, superseded_at: datetime) -> datetime: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...

def parse_config(text: str, /) -> dict[Target, str]: ...
def parse_packages(text: str, /) -> list[Requirement]: ...
def parse_regions(text: str, /) -> list[tuple[Region, str]]: ...
def layer_name(
    package: PackageName | str, target: Target | str, *, prefix: str = "Klayers"
) -> str: ...
def requirements_txt(pins: Sequence[str], /) -> str: ...
def requirements_hash(pins: Sequence[str], /) -> str: ...
def latest_csv(rows: Sequence[LatestLayer], /) -> str: ...
def latest_html(
    rows: Sequence[LatestLayer], /, *, region: Region | str, target: Target | str
) -> str: ...
def _run_command(arguments: Sequence[str]) -> int: ...
