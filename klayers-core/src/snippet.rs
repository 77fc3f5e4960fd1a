//! Snippets that add layers to a function, for deployment tools.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::{Architecture, LayerVersionArn, Target};

/// The templates as a JavaScript module for web pages: an array in display order.
pub const TEMPLATES_JS: &str = include_str!("snippet/templates.js");

/// The newest Python version with a constant in AWS CDK, such as `Runtime.PYTHON_3_14`.
const CDK_NEWEST_MINOR: u8 = 14;

/// The template of a snippet for one tool.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// The identifier: `terraform`.
    pub id: String,
    /// The name of the tool.
    pub label: String,
    /// The file that the snippet belongs into.
    pub file: String,
    lines: Vec<String>,
}

static TEMPLATES: LazyLock<Vec<Template>> = LazyLock::new(|| parse(TEMPLATES_JS));

/// Parses the array in the module, which is JSON. A test checks that this succeeds.
fn parse(module: &str) -> Vec<Template> {
    let begin = module.find("= [").map(|at| at + 2);
    let array = begin.and_then(|begin| module.get(begin..=module.rfind(']')?));
    array.and_then(|array| serde_json::from_str(array).ok()).unwrap_or_default()
}

impl Template {
    /// All templates, in display order.
    pub fn all() -> &'static [Self] {
        &TEMPLATES
    }

    /// The template with an identifier; none if it does not exist.
    ///
    /// ```
    /// use klayers_core::snippet::Template;
    ///
    /// let template = Template::of("terraform").expect("there is one");
    /// let arn = "arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p313-requests:4".parse()?;
    /// let text = template.fill(&[arn], "p3.13".parse()?);
    /// assert!(text.contains(r#"runtime       = "python3.13""#));
    /// # Ok::<(), klayers_core::ParseError>(())
    /// ```
    pub fn of(id: &str) -> Option<&'static Self> {
        Self::all().iter().find(|template| template.id == id)
    }

    /// The snippet for a function with these layers, which are all in one region.
    pub fn fill(&self, arns: &[LayerVersionArn], target: Target) -> String {
        let mut text = String::new();
        for line in &self.lines {
            if line.contains("<ARN>") {
                for (index, arn) in arns.iter().enumerate() {
                    let line = line.replace("<ARN>", &arn.to_string());
                    text += &line.replace("<NUMBER>", &(index + 1).to_string());
                    text.push('\n');
                }
            } else {
                text += line;
                text.push('\n');
            }
        }
        let python = target.python;
        let (constant, custom) = (
            format!("PYTHON_{}_{}", python.major(), python.minor()),
            format!("\"{}\", ", python.runtime()),
        );
        let has_constant = python.minor() <= CDK_NEWEST_MINOR;
        let architecture = match target.architecture {
            Architecture::X86_64 => "X86_64",
            Architecture::Arm64 => "ARM_64",
        };
        let (typescript, in_python) = if has_constant {
            (format!("lambda.Runtime.{constant}"), format!("lambda_.Runtime.{constant}"))
        } else {
            (
                format!("new lambda.Runtime({custom}lambda.RuntimeFamily.PYTHON)"),
                format!("lambda_.Runtime({custom}lambda_.RuntimeFamily.PYTHON)"),
            )
        };
        let all: Vec<String> = arns.iter().map(ToString::to_string).collect();
        let region = arns.first().map(|arn| arn.region().to_string()).unwrap_or_default();
        [
            ("<ARNS>", all.join(" ")),
            ("<REGION>", region),
            ("<RUNTIME>", python.runtime()),
            ("<ARCH>", target.architecture.to_string()),
            ("<CDK_TYPESCRIPT_RUNTIME>", typescript),
            ("<CDK_PYTHON_RUNTIME>", in_python),
            ("<CDK_ARCH>", architecture.to_owned()),
        ]
        .into_iter()
        .fold(text, |text, (name, value)| text.replace(name, &value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arns() -> [LayerVersionArn; 2] {
        ["requests:4", "numpy:7"].map(|layer| {
            format!("arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p313-{layer}")
                .parse()
                .expect("an ARN")
        })
    }

    #[test]
    fn every_snippet_is_complete_and_has_a_warning() {
        let ids: Vec<&str> = Template::all().iter().map(|template| template.id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "sam",
                "serverless",
                "terraform",
                "cdk-typescript",
                "cdk-python",
                "cloudformation",
                "pulumi",
                "cli",
            ]
        );
        for template in Template::all() {
            for target in ["p3.13", "p3.13-arm64", "p3.99"] {
                let target: Target = target.parse().expect("a target");
                let text = template.fill(&arns(), target);
                for arn in arns() {
                    assert_eq!(text.matches(&arn.to_string()).count(), 1, "{text}");
                }
                assert!(text.contains("hese replace the layers"), "{text}");
                assert!(!text.contains("<ARN") && !text.contains("<CDK"), "{text}");
                assert!(!text.contains("<R") && !text.contains("<NUMBER>"), "{text}");
                assert!(text.contains("eu-west-1"), "{text}");
            }
        }
    }

    #[test]
    fn cdk_snippet_constructs_runtimes_without_a_constant() {
        let template = Template::of("cdk-python").expect("there is one");
        let fill = |target: &str| template.fill(&arns(), target.parse().expect("a target"));
        assert!(fill("p3.14").contains("runtime=lambda_.Runtime.PYTHON_3_14,"));
        let made = r#"runtime=lambda_.Runtime("python3.15", lambda_.RuntimeFamily.PYTHON),"#;
        assert!(fill("p3.15").contains(made));
    }
}
