// The snippets that add layers to a function, one for each tool. Each snippet can be pasted into an empty
// file. The command and the web pages both fill in these templates. The array is JSON.
//
// A line with <ARN> is repeated for each layer; <NUMBER> counts from 1. <ARNS> are all ARNs, separated by
// spaces.
export const TEMPLATES = [
  {
    "id": "sam",
    "label": "SAM",
    "file": "template.yaml",
    "lines": [
      "# A function takes layers of its own region: <REGION>",
      "AWSTemplateFormatVersion: \"2010-09-09\"",
      "Transform: AWS::Serverless-2016-10-31",
      "",
      "Resources:",
      "  Function:",
      "    Type: AWS::Serverless::Function",
      "    Properties:",
      "      Runtime: <RUNTIME>",
      "      Architectures:",
      "        - <ARCH>",
      "      CodeUri: src/",
      "      Handler: app.handler",
      "      # These replace the layers that a deployed function has: list those that stay, too.",
      "      Layers:",
      "        - <ARN>"
    ]
  },
  {
    "id": "serverless",
    "label": "Serverless",
    "file": "serverless.yml",
    "lines": [
      "service: example",
      "",
      "provider:",
      "  name: aws",
      "  region: <REGION>",
      "  runtime: <RUNTIME>",
      "  architecture: <ARCH>",
      "",
      "functions:",
      "  example:",
      "    handler: app.handler",
      "    # These replace the layers of the provider: list those that stay, too.",
      "    layers:",
      "      - <ARN>"
    ]
  },
  {
    "id": "terraform",
    "label": "Terraform",
    "file": "main.tf",
    "lines": [
      "provider \"aws\" {",
      "  region = \"<REGION>\"",
      "}",
      "",
      "variable \"role_arn\" {",
      "  type = string",
      "}",
      "",
      "resource \"aws_lambda_function\" \"example\" {",
      "  function_name = \"example\"",
      "  role          = var.role_arn",
      "  runtime       = \"<RUNTIME>\"",
      "  architectures = [\"<ARCH>\"]",
      "  filename      = \"function.zip\"",
      "  handler       = \"app.handler\"",
      "",
      "  # These replace the layers that a deployed function has: list those that stay, too.",
      "  layers = [",
      "    \"<ARN>\",",
      "  ]",
      "}"
    ]
  },
  {
    "id": "cdk-typescript",
    "label": "CDK TypeScript",
    "file": "stack.ts",
    "lines": [
      "import * as cdk from \"aws-cdk-lib\";",
      "import * as lambda from \"aws-cdk-lib/aws-lambda\";",
      "import { Construct } from \"constructs\";",
      "",
      "// A function takes layers of its own region: <REGION>",
      "export class ExampleStack extends cdk.Stack {",
      "  constructor(scope: Construct, id: string, props?: cdk.StackProps) {",
      "    super(scope, id, props);",
      "",
      "    new lambda.Function(this, \"Function\", {",
      "      runtime: <CDK_TYPESCRIPT_RUNTIME>,",
      "      architecture: lambda.Architecture.<CDK_ARCH>,",
      "      code: lambda.Code.fromAsset(\"src\"),",
      "      handler: \"app.handler\",",
      "      // These replace the layers that a deployed function has: list those that stay, too.",
      "      layers: [",
      "        lambda.LayerVersion.fromLayerVersionArn(this, \"Layer<NUMBER>\", \"<ARN>\"),",
      "      ],",
      "    });",
      "  }",
      "}"
    ]
  },
  {
    "id": "cdk-python",
    "label": "CDK Python",
    "file": "stack.py",
    "lines": [
      "from aws_cdk import Stack, aws_lambda as lambda_",
      "from constructs import Construct",
      "",
      "",
      "class ExampleStack(Stack):",
      "    \"\"\"A function takes layers of its own region: <REGION>.\"\"\"",
      "",
      "    def __init__(self, scope: Construct, construct_id: str, **kwargs) -> None:",
      "        super().__init__(scope, construct_id, **kwargs)",
      "",
      "        lambda_.Function(",
      "            self,",
      "            \"Function\",",
      "            runtime=<CDK_PYTHON_RUNTIME>,",
      "            architecture=lambda_.Architecture.<CDK_ARCH>,",
      "            code=lambda_.Code.from_asset(\"src\"),",
      "            handler=\"app.handler\",",
      "            # These replace the layers that a deployed function has: list those that stay, too.",
      "            layers=[",
      "                lambda_.LayerVersion.from_layer_version_arn(self, \"Layer<NUMBER>\", \"<ARN>\"),",
      "            ],",
      "        )"
    ]
  },
  {
    "id": "cloudformation",
    "label": "CloudFormation",
    "file": "template.yaml",
    "lines": [
      "# A function takes layers of its own region: <REGION>",
      "AWSTemplateFormatVersion: \"2010-09-09\"",
      "",
      "Parameters:",
      "  RoleArn:",
      "    Type: String",
      "",
      "Resources:",
      "  Function:",
      "    Type: AWS::Lambda::Function",
      "    Properties:",
      "      Runtime: <RUNTIME>",
      "      Architectures:",
      "        - <ARCH>",
      "      Role: !Ref RoleArn",
      "      Handler: index.handler",
      "      Code:",
      "        ZipFile: |",
      "          def handler(event, context):",
      "              return \"replace me\"",
      "      # These replace the layers that a deployed function has: list those that stay, too.",
      "      Layers:",
      "        - <ARN>"
    ]
  },
  {
    "id": "pulumi",
    "label": "Pulumi",
    "file": "__main__.py",
    "lines": [
      "import pulumi",
      "import pulumi_aws as aws",
      "",
      "# A function takes layers of its own region: <REGION>",
      "function = aws.lambda_.Function(",
      "    \"example\",",
      "    code=pulumi.FileArchive(\"./src\"),",
      "    role=pulumi.Config().require(\"roleArn\"),",
      "    handler=\"app.handler\",",
      "    runtime=\"<RUNTIME>\",",
      "    architectures=[\"<ARCH>\"],",
      "    # These replace the layers that a deployed function has: list those that stay, too.",
      "    layers=[",
      "        \"<ARN>\",",
      "    ],",
      ")"
    ]
  },
  {
    "id": "cli",
    "label": "AWS CLI",
    "file": "a shell",
    "lines": [
      "# For a function on <RUNTIME>, <ARCH>. These replace the layers that it has: list those that stay, too.",
      "aws lambda update-function-configuration \\",
      "  --region <REGION> \\",
      "  --function-name example \\",
      "  --layers <ARNS>"
    ]
  }
];
