"""Layers in the apps of AWS CDK; needs the package ``aws-cdk-lib``.

:func:`layer_version` gives a stack the layer of a package::

    from aws_cdk import App, Environment, Stack, aws_lambda
    from klayers.cdk import layer_version

    stack = Stack(App(), "Sample", env=Environment(region="eu-west-1"))
    runtime = aws_lambda.Runtime.PYTHON_3_13
    aws_lambda.Function(
        stack, "Handler", runtime=runtime, handler="app.handler",
        code=aws_lambda.Code.from_asset("src"),
        layers=[layer_version(stack, "requests", runtime=runtime)],
    )

:class:`Klayers` replaces the class of this name in the package ``cdk-klayers``, and
:mod:`klayers.cdk.exceptions` replaces its exceptions: ``from klayers.cdk import Klayers``.
"""

from klayers.cdk import exceptions
from klayers.cdk._drop_in import Klayers
from klayers.cdk._layer import layer_version

__all__ = ["Klayers", "exceptions", "layer_version"]
