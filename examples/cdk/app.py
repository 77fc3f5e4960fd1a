"""A function with layers of Klayers, in AWS CDK.

    pip install klayers aws-cdk-lib
    npm install --global aws-cdk
    cdk synth

The region is the one that CDK finds, as in AWS_REGION. KLAYERS_API_URL names another collection.
"""

import os

from aws_cdk import App, Environment, Stack, aws_lambda
from klayers.cdk import layer_version

RUNTIME = aws_lambda.Runtime.PYTHON_3_13
ARCHITECTURE = aws_lambda.Architecture.ARM_64

app = App()
stack = Stack(app, "Sample", env=Environment(region=os.environ.get("CDK_DEFAULT_REGION")))

aws_lambda.Function(
    stack,
    "Handler",
    runtime=RUNTIME,
    architecture=ARCHITECTURE,
    handler="app.handler",
    code=aws_lambda.Code.from_asset(os.path.join(os.path.dirname(__file__), "src")),
    layers=[
        # The latest version at the time of synthesis.
        layer_version(stack, "Pillow", runtime=RUNTIME, arch=ARCHITECTURE),
        # The newest 2.32.x.
        layer_version(
            stack, "requests", runtime=RUNTIME, arch=ARCHITECTURE, version="==2.32.*"
        ),
    ],
)

app.synth()
