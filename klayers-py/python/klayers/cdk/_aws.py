"""Imports ``aws_cdk`` on demand.

The import starts a process of Node.js, and tools that import all modules of this package must work
without ``aws_cdk``.
"""

from __future__ import annotations

from types import ModuleType


def aws_cdk() -> ModuleType:
    """The module ``aws_cdk``, with ``aws_cdk.aws_lambda``."""
    try:
        import aws_cdk  # type: ignore[import-not-found,unused-ignore]
        import aws_cdk.aws_lambda  # type: ignore[import-not-found,unused-ignore]
    except ModuleNotFoundError as error:
        # If another module is missing, the installation is broken; that error says so.
        if error.name != "aws_cdk":
            raise
        raise ImportError(
            "klayers.cdk needs AWS CDK: pip install aws-cdk-lib", name="aws_cdk"
        ) from error
    module: ModuleType = aws_cdk
    return module
