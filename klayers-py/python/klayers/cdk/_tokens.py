"""Tokens: values that CDK does not know before the deployment.

Layers are looked up while the app is synthesised, so every argument of a lookup must be known then.
"""

from __future__ import annotations

import klayers
from klayers.cdk._aws import aws_cdk

#: What to write instead of a token.
_EXAMPLES = {
    "region": 'give the stack an environment, as env=Environment(region="eu-west-1"), or write '
    'region="eu-west-1" here',
    "package": 'write its name, as in "requests"',
    "runtime": "write the runtime itself, as in aws_lambda.Runtime.PYTHON_3_13",
    "Python version": 'write the version itself, as in python="3.13"',
    "architecture": "write the architecture itself, as in aws_lambda.Architecture.ARM_64",
    "version": 'write the version itself, as in 4 or "==2.32.*"',
}


def refuse(what: str, value: object, error: type[klayers.KlayersError]) -> None:
    """Raises an error with advice if a value is a token."""
    if value is not None and aws_cdk().Token.is_unresolved(value):
        raise error(
            f"the {what} is a token, known only during deployment, but layers are looked up earlier: "
            f"{_EXAMPLES[what]}"
        )
