//! Lists the targets and regions that have layers of a package, or prints a mapping from region to
//! ARN.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;

use clap::ValueEnum;
use futures_util::{StreamExt, stream};
use klayers_core::api::{DeployStatus, PackageRow};

use super::arguments::TargetArgs;
use super::error::CommandError;
use super::print::{self, OutputFormat};
use super::settings::Settings;
use crate::{Architecture, Client, Error, LayerVersionArn, PackageName, Region, Target};

/// The format of a mapping from region to ARN.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Mapping {
    /// Section `Mappings`, for `!FindInMap`
    Cloudformation,
    /// Map in `locals`
    Terraform,
    /// `CfnMapping` of AWS CDK, in Python
    Cdk,
    /// JSON object
    Json,
}

/// Prints the targets and regions that have layers of a package, or a mapping.
pub(super) async fn print(
    settings: &Settings<'_>,
    package: PackageName,
    mapping: Option<Mapping>,
    mut target_args: TargetArgs,
    format: OutputFormat,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<(), CommandError> {
    if mapping.is_some() {
        // A mapping is for one target, from the options, the environment or `klayers.toml`.
        let target = settings.target(&target_args)?;
        target_args.python = Some(target.python);
        target_args.arch = Some(target.architecture);
    }
    let client = settings.client()?;
    let rows = match client.answers().package(package.clone()).await {
        Ok(answer) => {
            print::staleness(err, &answer)?;
            answer.value
        }
        Err(Error::Unsupported { .. }) => {
            everywhere(settings, &client, &package, &target_args, err).await?
        }
        Err(error) => return Err(error.into()),
    };
    let wanted = |row: &PackageRow| {
        row.version.deploy_status == DeployStatus::Latest
            && target_args.python.is_none_or(|python| row.target.python == python)
            && target_args.arch.is_none_or(|arch| row.target.architecture == arch)
            && target_args.region.as_ref().is_none_or(|region| row.version.arn.region() == region)
    };
    let others = rows.iter().any(|row| !wanted(row));
    let rows: Vec<PackageRow> = rows.iter().filter(|row| wanted(row)).cloned().collect();
    let Some(first) = rows.first() else {
        let hint = if others {
            "; leave out --python, --arch and --region to see all targets and regions"
        } else {
            ""
        };
        let message = format!("found no latest layer of {package}{hint}");
        return Err(CommandError::NotFound(message));
    };
    match mapping {
        None => print::rows(out, format, &rows)?,
        Some(mapping) => {
            let (name, target) = (first.package.clone(), first.target);
            let arns: BTreeMap<&Region, &LayerVersionArn> =
                rows.iter().map(|row| (row.version.arn.region(), &row.version.arn)).collect();
            match mapping {
                Mapping::Json => print::json(out, &arns)?,
                _ => write!(out, "{}", text(mapping, &name, target, &arns))?,
            }
        }
    }
    Ok(())
}

/// Requests the versions region by region, for servers without a list of all regions, such as the
/// public one.
async fn everywhere(
    settings: &Settings<'_>,
    client: &Client,
    package: &PackageName,
    args: &TargetArgs,
    err: &mut impl Write,
) -> Result<Vec<PackageRow>, CommandError> {
    /// Fast enough, without overloading the server.
    const CONCURRENT_REQUESTS: usize = 8;
    let python = match args.python {
        Some(python) => python,
        None => settings.target(args).map(|target| target.python).map_err(|_| {
            CommandError::Usage(
                "this server has no list of all targets: give a Python version, as in --python 3.13"
                    .to_owned(),
            )
        })?,
    };
    let regions: Vec<Region> = match (&args.region, client.regions().await) {
        (Some(region), _) => vec![region.clone()],
        (None, Ok(regions)) => regions,
        (None, Err(Error::Unsupported { .. })) => {
            let commercial = |region: &Region| region.partition().as_str() == "aws";
            Region::known().filter(commercial).collect()
        }
        (None, Err(error)) => return Err(error.into()),
    };
    let architectures = args.arch.map_or(Architecture::ALL.to_vec(), |arch| vec![arch]);
    let targets = architectures.into_iter().map(|arch| Target::new(python, arch));
    let questions: Vec<(Target, Region)> = targets
        .flat_map(|target| regions.iter().map(move |region| (target, region.clone())))
        .collect();
    let many = questions.len();
    print::note(
        err,
        &format!("this server has no list of all regions; asking for each one ({many} requests)"),
    )?;
    let mut rows = Vec::new();
    let mut failed = BTreeMap::new();
    let mut answers = stream::iter(questions)
        .map(async |(target, region)| {
            let versions = client.versions(package.clone(), &region, &target).await;
            (target, region, versions)
        })
        .buffer_unordered(CONCURRENT_REQUESTS);
    while let Some((target, region, versions)) = answers.next().await {
        match versions {
            Ok(versions) => rows.extend(versions.into_iter().map(|version| PackageRow {
                package: package.clone(),
                target,
                version,
            })),
            Err(error) if error.is_not_found() => {}
            Err(error) => {
                failed.insert((target, region), error);
            }
        }
    }
    if failed.len() == many
        && let Some((_, error)) = failed.pop_first()
    {
        return Err(error.into());
    }
    for ((target, region), error) in &failed {
        print::note(err, &format!("{target} in {region} is missing: {error}"))?;
    }
    rows.sort_by_cached_key(|row| (row.target, row.version.arn.region().clone()));
    Ok(rows)
}

/// A mapping in the language of a tool.
fn text(
    mapping: Mapping,
    package: &PackageName,
    target: Target,
    arns: &BTreeMap<&Region, &LayerVersionArn>,
) -> String {
    let words = format!("{}-{}", package.normalized(), target.to_string().replace('.', ""));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = match mapping {
        Mapping::Cloudformation => {
            let name = camel(&words);
            let mut write = || {
                writeln!(text, "# Layers: [!FindInMap [{name}, !Ref AWS::Region, Arn]]")?;
                writeln!(text, "Mappings:\n  {name}:")?;
                arns.iter()
                    .try_for_each(|(region, arn)| writeln!(text, "    {region}:\n      Arn: {arn}"))
            };
            write()
        }
        Mapping::Terraform => {
            let name = words.replace('-', "_");
            let mut write = || {
                writeln!(text, "# layers = [local.{name}[data.aws_region.current.id]]")?;
                writeln!(text, "locals {{\n  {name} = {{")?;
                let width = arns.keys().map(|region| region.as_str().len()).max().unwrap_or(0) + 2;
                arns.iter().try_for_each(|(region, arn)| {
                    writeln!(text, "    {:width$} = \"{arn}\"", format!("\"{region}\""))
                })?;
                writeln!(text, "  }}\n}}")
            };
            write()
        }
        Mapping::Cdk | Mapping::Json => {
            let name = camel(&words);
            let mut write = || {
                writeln!(text, "# The ARN is mapping.find_in_map(aws_cdk.Aws.REGION, \"Arn\").")?;
                writeln!(text, "mapping = aws_cdk.CfnMapping(\n    self,\n    \"{name}\",")?;
                writeln!(text, "    mapping={{")?;
                arns.iter().try_for_each(|(region, arn)| {
                    writeln!(text, "        \"{region}\": {{\"Arn\": \"{arn}\"}},")
                })?;
                writeln!(text, "    }},\n)")
            };
            write()
        }
    };
    text
}

/// Converts to camel case: `RequestsP313Arm64`.
fn camel(words: &str) -> String {
    words
        .split('-')
        .flat_map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(letters)
        })
        .collect()
}
