//! Snippets for a function with layers, one for each deployment tool.

use clap::ValueEnum;
use klayers_core::snippet::Template;

use crate::{LayerVersionArn, Target};

/// The limit of layers per function.
pub(super) const MAX_LAYERS: usize = 5;

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Tool {
    /// AWS Serverless Application Model
    Sam,
    /// Serverless Framework
    Serverless,
    /// Terraform
    Terraform,
    /// AWS CDK, in Python
    Cdk,
    /// AWS CDK, in TypeScript
    CdkTypescript,
    #[value(help = "AWS CloudFormation")]
    Cloudformation,
    /// AWS CLI
    AwsCli,
    /// Pulumi, in Python
    Pulumi,
}

/// The snippet for a tool: code for its file, or a command to run.
pub(super) fn snippet(tool: Tool, arns: &[LayerVersionArn], target: Target) -> String {
    let id = match tool {
        Tool::Sam => "sam",
        Tool::Serverless => "serverless",
        Tool::Terraform => "terraform",
        Tool::Cdk => "cdk-python",
        Tool::CdkTypescript => "cdk-typescript",
        Tool::Cloudformation => "cloudformation",
        Tool::AwsCli => "cli",
        Tool::Pulumi => "pulumi",
    };
    Template::of(id).map(|template| template.fill(arns, target)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_a_snippet() {
        let arn: LayerVersionArn =
            "arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p313-requests:4"
                .parse()
                .expect("an ARN");
        for &tool in Tool::value_variants() {
            let text =
                snippet(tool, std::slice::from_ref(&arn), "p3.13".parse().expect("a target"));
            assert!(text.contains(&arn.to_string()), "{tool:?}");
        }
    }
}
