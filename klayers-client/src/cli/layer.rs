//! One layer version, and what a user should know of it before using it.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use klayers_core::api::VersionRow;
use serde::Serialize;

use super::arguments::Place;
use super::failure::Failure;
use super::print;
use super::settings::Settings;
use crate::{
    Client, DeployStatus, Error, LayerSpec, LayerVersionArn, PackageName, ParseError, Region,
    Target, Withdrawn,
};

/// What `show` is given: a layer of a place, or an ARN, which says its place itself.
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
    /// The latest of the same layer, where there is one.
    pub(super) latest: Option<LayerVersionArn>,
    /// Newer ones that meet what was asked for, and were withdrawn.
    pub(super) passed_over: Vec<Withdrawn>,
}

/// What `show --json` prints.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    package: &'a PackageName,
    target: Target,
    #[serde(flatten)]
    row: &'a VersionRow,
    latest: Option<&'a LayerVersionArn>,
}

impl Layer {
    pub(super) fn shown(&self) -> Shown<'_> {
        let Self { package, target, row, latest, .. } = self;
        Shown { package, target: *target, row, latest: latest.as_ref() }
    }

    /// Says what a user should know before using it: that it was withdrawn and why, or until when
    /// it exists.
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
        let latest = Instead(self.latest.as_ref());
        if let Some(withdrawn) = Withdrawn::of(&self.row) {
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

/// What may be used instead.
struct Instead<'a>(Option<&'a LayerVersionArn>);

impl fmt::Display for Instead<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(latest) => write!(formatter, "; the latest is layer version {}", latest.version()),
            None => Ok(()),
        }
    }
}

/// The one layer version that is meant, with what should be known of it told.
pub(super) async fn used(
    settings: &Settings<'_>,
    spec: LayerSpec,
    place: &Place,
    err: &mut impl Write,
) -> Result<Layer, Failure> {
    let (region, target) = settings.place(place)?;
    let layer = find(settings, spec, &region, target, err).await?;
    layer.warn(err)?;
    Ok(layer)
}

/// The one layer version that is meant.
pub(super) async fn find(
    settings: &Settings<'_>,
    spec: LayerSpec,
    region: &Region,
    target: Target,
    err: &mut impl Write,
) -> Result<Layer, Failure> {
    let package = spec.package().clone();
    let client = settings.client()?;
    let answer = client.answers().chosen(&spec, region, target).await?;
    print::staleness(err, &answer)?;
    let chosen = answer.value;
    Ok(Layer {
        package,
        target,
        row: chosen.row,
        latest: chosen.latest,
        passed_over: chosen.passed_over,
    })
}

/// The layer version that an ARN names.
pub(super) async fn of_arn(
    settings: &Settings<'_>,
    arn: &LayerVersionArn,
    err: &mut impl Write,
) -> Result<Layer, Failure> {
    let client = settings.client()?;
    let mut latest = None;
    for (target, package) in arn.name().readings() {
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
        None => "; nor is another version of this layer".to_owned(),
    };
    Err(Failure::NotFound(format!(
        "{arn} is not listed by {}: it expired, was deleted, or is of another collection{instead}",
        settings.api_url()
    )))
}

/// The same failure, with what a user who gave no architecture may have missed: that there is a
/// layer for the other one.
pub(super) async fn explained(settings: &Settings<'_>, failure: Failure) -> Failure {
    let Failure::Client(Error::UnknownPackage { package, region, target, .. }) = &failure else {
        return failure;
    };
    let Some(other) = settings.other_than_assumed(*target) else { return failure };
    let Ok(client) = settings.client() else { return failure };
    if client.versions(package.clone(), region, &other).await.is_err() {
        return failure;
    }
    let note = assumed(*target, other);
    match failure {
        Failure::Client(error) => Failure::Explained(Box::new(error), note),
        other => other,
    }
}

/// Says of an empty list that it would not be so for the other architecture, where nobody said which
/// is meant.
pub(super) async fn hint(
    settings: &Settings<'_>,
    client: &Client,
    region: &Region,
    target: Target,
    err: &mut impl Write,
) -> io::Result<()> {
    let Some(other) = settings.other_than_assumed(target) else { return Ok(()) };
    match client.latest(region, &other).await {
        Ok(rows) if !rows.is_empty() => print::note(err, &assumed(target, other)),
        _ => Ok(()),
    }
}

fn assumed(target: Target, other: Target) -> String {
    format!(
        "{} was assumed, since no architecture was given; there is a layer for {other}: add --arch \
         {}",
        target.architecture, other.architecture
    )
}
