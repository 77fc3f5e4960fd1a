# A function with a layer of Klayers, in Terraform. The command klayers answers the data source
# `external`; KLAYERS_API_URL selects a collection other than the public one.

terraform {
  required_providers {
    archive  = { source = "hashicorp/archive" }
    aws      = { source = "hashicorp/aws" }
    external = { source = "hashicorp/external" }
  }
}

variable "region" {
  type    = string
  default = "us-east-1"
}

provider "aws" {
  region = var.region
}

data "external" "requests" {
  program = ["klayers", "external"]

  query = {
    package = "requests==2.32.*" # the syntax of `klayers show`
    region  = var.region
    python  = "3.13"
    arch    = "arm64"
  }
}

data "archive_file" "code" {
  type        = "zip"
  source_dir  = "${path.module}/src"
  output_path = "${path.module}/build/code.zip"
}

data "aws_iam_policy_document" "lambda" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "handler" {
  name_prefix        = "klayers-sample-"
  assume_role_policy = data.aws_iam_policy_document.lambda.json
}

resource "aws_lambda_function" "handler" {
  function_name    = "klayers-sample"
  role             = aws_iam_role.handler.arn
  filename         = data.archive_file.code.output_path
  source_code_hash = data.archive_file.code.output_base64sha256
  handler          = "app.handler"
  runtime          = "python3.13"
  architectures    = ["arm64"]
  layers           = [data.external.requests.result.arn]
}

output "layer" {
  value = data.external.requests.result.arn
}

output "requests" {
  value = data.external.requests.result.package_version
}
