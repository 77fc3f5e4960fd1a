"""The client for asyncio."""

from __future__ import annotations

from klayers._klayers import (
    Build,
    Client,
    LatestLayer,
    LayerVersion,
    PackageLayer,
    PackageName,
    Requirement,
    Target,
    _Lookup,
)
from klayers._values import LayerVersionArn, Region

# asyncio and typing are slow to import, so programs that need neither do not import them.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    import os
    from collections.abc import Iterable
    from datetime import timedelta
    from typing import Any


class AsyncClient:
    """A client of the API of one collection of layers, for asyncio.

        >>> async def main():
        ...     async with klayers.AsyncClient(timeout=5) as client:
        ...         print(await client.latest_arn("requests", region="us-east-1", python="3.13"))
        >>> asyncio.run(main())
        arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4

    The options are those of Client. Requests run on threads of their own, so a client may be used
    from any event loop. Cancelling a task cancels its request.
    """

    def __init__(
        self,
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
    ) -> None:
        self._client = Client(
            base_url,
            timeout=timeout,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            retries=retries,
            retry_delay=retry_delay,
            max_retry_delay=max_retry_delay,
            cache=cache,
            cache_dir=cache_dir,
            cache_limit=cache_limit,
            stale_if_error=stale_if_error,
            assume_fresh=assume_fresh,
            offline=offline,
            accounts=accounts,
            user_agent=user_agent,
        )

    @property
    def base_url(self) -> str:
        """The address of the API."""
        return self._client.base_url

    async def latest_arn(
        self,
        package: PackageName | str,
        *,
        region: Region | str,
        python: str | None = None,
        arch: str | None = None,
        target: Target | str | None = None,
    ) -> LayerVersionArn:
        """The ARN of the latest layer version of a package."""
        lookup = _Lookup.latest_arn(
            package, region=region, python=python, arch=arch, target=target
        )
        kept = self._client._cached_arn(lookup)
        if kept is not None:
            return kept
        arn: LayerVersionArn = await self._ask(lookup)
        return arn

    async def latest(
        self,
        *,
        region: Region | str,
        python: str | None = None,
        arch: str | None = None,
        target: Target | str | None = None,
    ) -> list[LatestLayer]:
        """The latest layer version of every package, sorted by package."""
        lookup = _Lookup.latest(region=region, python=python, arch=arch, target=target)
        rows: list[LatestLayer] = await self._ask(lookup)
        return rows

    async def versions(
        self,
        package: PackageName | str,
        *,
        region: Region | str,
        python: str | None = None,
        arch: str | None = None,
        target: Target | str | None = None,
    ) -> list[LayerVersion]:
        """All layer versions of a package, the newest first."""
        lookup = _Lookup.versions(
            package, region=region, python=python, arch=arch, target=target
        )
        rows: list[LayerVersion] = await self._ask(lookup)
        return rows

    async def layer(
        self,
        layer: Requirement | str,
        *,
        region: Region | str,
        python: str | None = None,
        arch: str | None = None,
        target: Target | str | None = None,
    ) -> LayerVersion:
        """One layer version of a package: "requests" is the latest, "requests==2.32.*" the newest
        with such a version of the package, "requests:7" the layer version with number 7."""
        lookup = _Lookup.layer(layer, region=region, python=python, arch=arch, target=target)
        row: LayerVersion = await self._ask(lookup)
        return row

    async def packages(
        self,
        *,
        python: str | None = None,
        arch: str | None = None,
        target: Target | str | None = None,
    ) -> list[Build]:
        """The latest build of every package, sorted by package."""
        lookup = _Lookup.packages(python=python, arch=arch, target=target)
        rows: list[Build] = await self._ask(lookup)
        return rows

    async def package(self, package: PackageName | str) -> list[PackageLayer]:
        """The layer versions of one package for all targets and in all regions. The public server
        has no such list and raises UnsupportedError."""
        rows: list[PackageLayer] = await self._ask(_Lookup.package(package))
        return rows

    async def targets(self) -> list[Target]:
        """The targets that the collection has layers for. The public server has no such list and
        raises UnsupportedError."""
        targets: list[Target] = await self._ask(_Lookup.targets())
        return targets

    async def regions(self) -> list[Region]:
        """The regions that the collection has layers in. The public server has no such list and
        raises UnsupportedError."""
        regions: list[Region] = await self._ask(_Lookup.regions())
        return regions

    async def aclose(self) -> None:
        """Closes the connections. The client cannot be used after that."""
        self._client.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AsyncClient({self.base_url!r})"

    async def _ask(self, lookup: _Lookup) -> Any:
        import asyncio

        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def settle(value: Any, error: Exception | None, warned: list[Warning]) -> None:
            loop.call_soon_threadsafe(_settle, future, value, error, warned)

        pending = self._client._begin(lookup, settle)
        try:
            value, warned = await future
        finally:
            pending.cancel()
        if warned:
            import warnings

            for warning in warned:
                # Points at the caller of the public method.
                warnings.warn(warning, stacklevel=3)
        return value


def _settle(
    future: asyncio.Future[Any], value: Any, error: Exception | None, warned: list[Warning]
) -> None:
    if future.done():
        return
    if error is None:
        future.set_result((value, warned))
    else:
        future.set_exception(error)
