//! One layer version, with warnings for the user.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use klayers_core::api::VersionRow;
use serde::Serialize;

use super::arguments::TargetArgs;
use super::error::CommandError;
use super::print;
use super::settings::Settings;
use crate::{
    Client, DeployStatus, Error, LayerSpec, LayerVersionArn, PackageName, ParseError, Region,
    Target, WithdrawnVersion,
};

/// The argument of `show`: a layer specification or an ARN.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    Spec(LayerSpec),
    Arn(LayerVersionArn),
}

impl FromStr for Subject {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.starts_with("arn:") {
            text.parse().map(Self::Arn)
        } else {
            text.parse().map(Self::Spec)
        }
    }
}

/// One layer version.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) package: PackageName,
    pub(super) target: Target,
    pub(super) row: VersionRow,
    /// The latest version of the same layer, if there is one.
    pub(super) latest: Option<LayerVersionArn>,
    /// Newer versions that match the specification but were withdrawn.
    pub(super) passed_over: Vec<WithdrawnVersion>,
}

/// The output of `show --json`.
#[derive(Serialize)]
pub(super) struct ShowOutput<'a> {
    package: &'a PackageName,
    target: Target,
    #[serde(flatten)]
    row: &'a VersionRow,
    latest: Option<&'a LayerVersionArn>,
}

impl Layer {
    pub(super) fn to_output(&self) -> ShowOutput<'_> {
        let Self { package, target, row, latest, .. } = self;
        ShowOutput { package, target: *target, row, latest: latest.as_ref() }
    }

    /// Warns the user if the version was withdrawn, or if it is deprecated and will be deleted.
    pub(super) fn warn(&self, err: &mut impl Write) -> io::Result<()> {
        for withdrawn in &self.passed_over {
            print::note(err, &format!("{} {withdrawn}", self.package))?;
        }
        let version = format!(
            "{} {} (layer version {})",
            self.package,
            self.row.package_version,
            self.row.arn.version()
        );
        let latest = LatestHint(self.latest.as_ref());
        if let Some(withdrawn) = WithdrawnVersion::from_row(&self.row) {
            print::note(err, &format!("{} {withdrawn}{latest}", self.package))
        } else if self.row.deploy_status == DeployStatus::Deprecated {
            let until = self.row.expiry_date.map(|time| format!(", and will be deleted at {time}"));
            print::note(
                err,
                &format!("{version} is deprecated{}{latest}", until.unwrap_or_default()),
            )
        } else {
            Ok(())
        }
    }
}

/// Names the latest version, which can be used instead.
struct LatestHint<'a>(Option<&'a LayerVersionArn>);

impl fmt::Display for LatestHint<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(latest) => write!(formatter, "; the latest is layer version {}", latest.version()),
            None => Ok(()),
        }
    }
}

/// Finds the specified layer version, and prints its warnings.
pub(super) async fn find_and_warn(
    settings: &Settings<'_>,
    spec: LayerSpec,
    args: &TargetArgs,
    err: &mut impl Write,
) -> Result<Layer, CommandError> {
    let (region, target) = settings.region_and_target(args)?;
    let layer = find(settings, spec, &region, target, err).await?;
    layer.warn(err)?;
    Ok(layer)
}

/// Finds the specified layer version.
pub(super) async fn find(
    settings: &Settings<'_>,
    spec: LayerSpec,
    region: &Region,
    target: Target,
    err: &mut impl Write,
) -> Result<Layer, CommandError> {
    let package = spec.package().clone();
    let client = settings.client()?;
    let answer = client.answers().select(&spec, region, target).await?;
    print::staleness(err, &answer)?;
    let selected = answer.value;
    Ok(Layer {
        package,
        target,
        row: selected.row,
        latest: selected.latest,
        passed_over: selected.passed_over,
    })
}

/// Finds the layer version that an ARN names.
pub(super) async fn find_arn(
    settings: &Settings<'_>,
    arn: &LayerVersionArn,
    err: &mut impl Write,
) -> Result<Layer, CommandError> {
    let client = settings.client()?;
    let mut latest = None;
    for (target, package) in arn.name().candidates() {
        let answer = match client.answers().versions(package.clone(), arn.region(), &target).await {
            Ok(answer) => answer,
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error.into()),
        };
        let mut rows = answer.value.iter();
        let newest = rows.find(|row| row.deploy_status == DeployStatus::Latest);
        let newest = newest.map(|row| row.arn.clone());
        if let Some(row) = answer.value.iter().find(|row| row.arn == *arn) {
            print::staleness(err, &answer)?;
            let row = row.clone();
            return Ok(Layer { package, target, row, latest: newest, passed_over: Vec::new() });
        }
        latest = latest.or(newest);
    }
    let instead = match latest {
        Some(latest) => format!("; the latest of this layer is {latest}"),
        None => ", and neither is any other version of this layer".to_owned(),
    };
    Err(CommandError::NotFound(format!(
        "{arn} is not listed by {}: it expired, was deleted, or belongs to another collection{instead}",
        settings.api_url()
    )))
}

/// Adds a note to the error about an unknown package, if the user gave no architecture and a layer
/// exists for the other one.
pub(super) async fn explain(settings: &Settings<'_>, error: CommandError) -> CommandError {
    let CommandError::Client(Error::UnknownPackage { package, region, target, .. }) = &error else {
        return error;
    };
    let Some(other) = settings.other_architecture_if_assumed(*target) else { return error };
    let Ok(client) = settings.client() else { return error };
    if client.versions(package.clone(), region, &other).await.is_err() {
        return error;
    }
    let note = assumed_note(*target, other);
    match error {
        CommandError::Client(error) => CommandError::Explained(Box::new(error), note),
        other => other,
    }
}

/// Prints a note after an empty list, if the user gave no architecture and layers exist for the other
/// one.
pub(super) async fn suggest_other_architecture(
    settings: &Settings<'_>,
    client: &Client,
    region: &Region,
    target: Target,
    err: &mut impl Write,
) -> io::Result<()> {
    let Some(other) = settings.other_architecture_if_assumed(target) else { return Ok(()) };
    match client.latest(region, &other).await {
        Ok(rows) if !rows.is_empty() => print::note(err, &assumed_note(target, other)),
        _ => Ok(()),
    }
}

fn assumed_note(target: Target, other: Target) -> String {
    format!(
        "{} was assumed, since no architecture was given; there is a layer for {other}: add --arch \
         {}",
        target.architecture, other.architecture
    )
}
