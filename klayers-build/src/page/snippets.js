// How a layer is used, one text for each tool. They are whole: each can be pasted into an empty file.

/** The tools, in the order of their tabs. */
export const SNIPPETS = [
  { id: "sam", label: "SAM", file: "template.yaml", text: sam },
  { id: "serverless", label: "Serverless", file: "serverless.yml", text: serverless },
  { id: "terraform", label: "Terraform", file: "main.tf", text: terraform },
  { id: "cdk-typescript", label: "CDK TypeScript", file: "stack.ts", text: cdkTypescript },
  { id: "cdk-python", label: "CDK Python", file: "stack.py", text: cdkPython },
  { id: "cloudformation", label: "CloudFormation", file: "template.yaml", text: cloudformation },
  { id: "cli", label: "AWS CLI", file: "a shell", text: cli },
];

function sam({ arn, python, arch, region }) {
  return `# A function takes layers of its own region: ${region}
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31

Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python${python}
      Architectures:
        - ${arch}
      CodeUri: src/
      Handler: app.handler
      Layers:
        - ${arn}
`;
}

function serverless({ arn, python, arch, region }) {
  return `service: example

provider:
  name: aws
  region: ${region}
  runtime: python${python}
  architecture: ${arch}

functions:
  example:
    handler: app.handler
    layers:
      - ${arn}
`;
}

function terraform({ arn, python, arch, region }) {
  return `provider "aws" {
  region = "${region}"
}

variable "role_arn" {
  type = string
}

resource "aws_lambda_function" "example" {
  function_name = "example"
  role          = var.role_arn
  runtime       = "python${python}"
  architectures = ["${arch}"]
  filename      = "function.zip"
  handler       = "app.handler"
  layers        = ["${arn}"]
}
`;
}

/** The runtimes that the CDK has names for. */
const CDK_NEWEST_MINOR = 14;

function cdkIsNamed(python) {
  const [major, minor] = python.split(".").map(Number);
  return major === 3 && minor <= CDK_NEWEST_MINOR;
}

function cdkTypescript({ arn, python, arch, region }) {
  const runtime = cdkIsNamed(python)
    ? `lambda.Runtime.PYTHON_${python.replace(".", "_")}`
    : `new lambda.Runtime("python${python}", lambda.RuntimeFamily.PYTHON)`;
  return `import * as cdk from "aws-cdk-lib";
import * as lambda from "aws-cdk-lib/aws-lambda";
import { Construct } from "constructs";

// A function takes layers of its own region: ${region}
export class ExampleStack extends cdk.Stack {
  constructor(scope: Construct, id: string, props?: cdk.StackProps) {
    super(scope, id, props);

    const layer = lambda.LayerVersion.fromLayerVersionArn(
      this,
      "Layer",
      "${arn}",
    );

    new lambda.Function(this, "Function", {
      runtime: ${runtime},
      architecture: lambda.Architecture.${cdkArchitecture(arch)},
      code: lambda.Code.fromAsset("src"),
      handler: "app.handler",
      layers: [layer],
    });
  }
}
`;
}

function cdkPython({ arn, python, arch, region }) {
  const runtime = cdkIsNamed(python)
    ? `lambda_.Runtime.PYTHON_${python.replace(".", "_")}`
    : `lambda_.Runtime("python${python}", lambda_.RuntimeFamily.PYTHON)`;
  return `from aws_cdk import Stack, aws_lambda as lambda_
from constructs import Construct


class ExampleStack(Stack):
    """A function takes layers of its own region: ${region}."""

    def __init__(self, scope: Construct, construct_id: str, **kwargs) -> None:
        super().__init__(scope, construct_id, **kwargs)

        layer = lambda_.LayerVersion.from_layer_version_arn(
            self,
            "Layer",
            "${arn}",
        )

        lambda_.Function(
            self,
            "Function",
            runtime=${runtime},
            architecture=lambda_.Architecture.${cdkArchitecture(arch)},
            code=lambda_.Code.from_asset("src"),
            handler="app.handler",
            layers=[layer],
        )
`;
}

function cdkArchitecture(arch) {
  return arch === "arm64" ? "ARM_64" : "X86_64";
}

function cloudformation({ arn, python, arch, region }) {
  return `# A function takes layers of its own region: ${region}
AWSTemplateFormatVersion: "2010-09-09"

Parameters:
  RoleArn:
    Type: String

Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python${python}
      Architectures:
        - ${arch}
      Role: !Ref RoleArn
      Handler: index.handler
      Code:
        ZipFile: |
          def handler(event, context):
              return "replace me"
      Layers:
        - ${arn}
`;
}

function cli({ arn, python, arch, region }) {
  return `# For a function on python${python}, ${arch}. This replaces the layers that it has.
aws lambda update-function-configuration \\
  --region ${region} \\
  --function-name example \\
  --layers ${arn}
`;
}
