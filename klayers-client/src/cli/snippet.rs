//! A function with a layer, as the tools that deploy functions want it said.

use clap::ValueEnum;

use crate::{Architecture, LayerVersionArn, Target};

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Tool {
    /// AWS Serverless Application Model.
    Sam,
    /// Serverless Framework.
    Serverless,
    /// Terraform.
    Terraform,
    /// AWS CDK, in Python.
    Cdk,
    /// AWS `CloudFormation`.
    Cloudformation,
    /// The command line interface of AWS.
    AwsCli,
    /// Pulumi, in Python.
    Pulumi,
}

/// What is to be put into the tool's file, or run.
pub(super) fn snippet(tool: Tool, arn: &LayerVersionArn, target: Target) -> String {
    let architecture = match target.architecture {
        Architecture::X86_64 => "X86_64",
        Architecture::Arm64 => "ARM_64",
    };
    let python = format!("PYTHON_{}_{}", target.python.major(), target.python.minor());
    [
        ("ARN", arn.to_string()),
        ("REGION", arn.region().to_string()),
        ("RUNTIME", target.python.runtime()),
        ("ARCH", target.architecture.to_string()),
        ("CDK_PYTHON", python),
        ("CDK_ARCH", architecture.to_owned()),
    ]
    .into_iter()
    .fold(template(tool).to_owned(), |text, (name, value)| {
        text.replace(&format!("<{name}>"), &value)
    })
}

fn template(tool: Tool) -> &'static str {
    match tool {
        Tool::Sam => SAM,
        Tool::Serverless => SERVERLESS,
        Tool::Terraform => TERRAFORM,
        Tool::Cdk => CDK,
        Tool::Cloudformation => CLOUDFORMATION,
        Tool::AwsCli => AWS_CLI,
        Tool::Pulumi => PULUMI,
    }
}

const SAM: &str = r"Resources:
  MyFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler
      CodeUri: src/
      Runtime: <RUNTIME>
      Architectures: [<ARCH>]
      Layers:
        - <ARN>
";

const SERVERLESS: &str = r"provider:
  name: aws
  region: <REGION>
  runtime: <RUNTIME>
  architecture: <ARCH>
functions:
  myFunction:
    handler: app.handler
    layers:
      - <ARN>
";

const TERRAFORM: &str = r#"resource "aws_lambda_function" "my_function" {
  function_name = "my-function"
  role          = aws_iam_role.my_function.arn
  filename      = "function.zip"
  handler       = "app.handler"
  runtime       = "<RUNTIME>"
  architectures = ["<ARCH>"]
  layers        = ["<ARN>"]
}
"#;

const CDK: &str = r#"function = lambda_.Function(
    self,
    "MyFunction",
    code=lambda_.Code.from_asset("src"),
    handler="app.handler",
    runtime=lambda_.Runtime.<CDK_PYTHON>,
    architecture=lambda_.Architecture.<CDK_ARCH>,
    layers=[
        lambda_.LayerVersion.from_layer_version_arn(
            self,
            "MyLayer",
            "<ARN>",
        )
    ],
)
"#;

const CLOUDFORMATION: &str = r"Resources:
  MyFunction:
    Type: AWS::Lambda::Function
    Properties:
      Handler: app.handler
      Role: !GetAtt MyFunctionRole.Arn
      Runtime: <RUNTIME>
      Architectures: [<ARCH>]
      Layers:
        - <ARN>
      Code:
        S3Bucket: my-bucket
        S3Key: function.zip
";

const AWS_CLI: &str = r"aws lambda update-function-configuration \
  --region <REGION> \
  --function-name my-function \
  --layers <ARN>
";

const PULUMI: &str = r#"function = aws.lambda_.Function(
    "my-function",
    code=pulumi.FileArchive("./src"),
    role=role.arn,
    handler="app.handler",
    runtime="<RUNTIME>",
    architectures=["<ARCH>"],
    layers=["<ARN>"],
)
"#;
