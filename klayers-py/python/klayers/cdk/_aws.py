"""Where ``aws_cdk`` comes from.

It is imported when it is needed, not before: it starts a process of Node.js, and tools that look
at all modules of this package have to get by without it.
"""

from __future__ import annotations

from types import ModuleType


def aws_cdk() -> ModuleType:
    """The module ``aws_cdk``, with ``aws_cdk.aws_lambda``."""
    try:
        import aws_cdk  # type: ignore[import-not-found,unused-ignore]
        import aws_cdk.aws_lambda  # type: ignore[import-not-found,unused-ignore]
    except ModuleNotFoundError as error:
        # Any other module that is missing is a broken installation, which tells of itself.
        if error.name != "aws_cdk":
            raise
        raise ImportError(
            "klayers.cdk needs AWS CDK: pip install aws-cdk-lib", name="aws_cdk"
        ) from error
    module: ModuleType = aws_cdk
    return module
