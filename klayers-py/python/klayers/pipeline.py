"""Functions for pipelines that build and publish layers: schedule, expiry, names and formats, as
Klayers itself defines them. Times are aware datetimes.

    >>> from datetime import datetime, timezone
    >>> from klayers.pipeline import ExpiryPolicy, layer_name, next_build
    >>> print(next_build(datetime(2026, 11, 22, 16, tzinfo=timezone.utc)))
    2026-12-06 02:00:00+00:00
    >>> print(ExpiryPolicy(365).expires_at("requests", datetime(2026, 11, 1, tzinfo=timezone.utc)))
    2027-11-01 00:00:00+00:00
    >>> layer_name("requests", "p3.13")
    'Klayers-p313-requests'
"""

from klayers._klayers import (
    EVENTBRIDGE_CRON,
    ExpiryPolicy,
    last_build,
    latest_csv,
    latest_html,
    layer_name,
    next_build,
    parse_config,
    parse_packages,
    parse_regions,
    requirements_hash,
    requirements_txt,
)

__all__ = [
    "EVENTBRIDGE_CRON",
    "ExpiryPolicy",
    "last_build",
    "latest_csv",
    "latest_html",
    "layer_name",
    "next_build",
    "parse_config",
    "parse_packages",
    "parse_regions",
    "requirements_hash",
    "requirements_txt",
]
