//! What each kind of row has to be, to be the answer to its question.

use std::cmp::Reverse;

use klayers_core::Target;
use klayers_core::api::{BuildRow, LatestRow, PackageRow, RegionRow, Route, TargetRow, VersionRow};
use serde::de::DeserializeOwned;

use super::Api;
use crate::Error;
use crate::error::shown;
use crate::response::Response;

/// A row of one of the API's lists.
pub(crate) trait Row: Clone + DeserializeOwned + Send + Sync + 'static {
    /// That the row is one of the answer to `route`, or what is wrong with it.
    fn check(&self, api: &Api, route: &Route) -> Result<(), String>;

    /// Brings rows in the order in which the client gives them.
    fn sort(rows: &mut [Self]);

    /// The error that it is if a server does not know such lists; none if it is another.
    fn missing(_: &Response) -> Option<Error> {
        None
    }
}

impl Row for LatestRow {
    fn check(&self, api: &Api, route: &Route) -> Result<(), String> {
        match route {
            Route::Latest { target, region, .. } => {
                api.check(&self.arn, &self.package, region, *target)
            }
            _ => Err(OTHER.to_owned()),
        }
    }

    fn sort(rows: &mut [Self]) {
        rows.sort_by(|one, other| one.package.cmp(&other.package));
    }
}

impl Row for VersionRow {
    fn check(&self, api: &Api, route: &Route) -> Result<(), String> {
        match route {
            Route::Versions { target, region, package } => {
                api.check(&self.arn, package, region, *target)?;
                agrees_with_its_arn(self)
            }
            _ => Err(OTHER.to_owned()),
        }
    }

    fn sort(rows: &mut [Self]) {
        rows.sort_by_key(|row| Reverse(row.arn.version()));
    }
}

impl Row for PackageRow {
    fn check(&self, api: &Api, route: &Route) -> Result<(), String> {
        match route {
            Route::Package { package } if *package == self.package => {
                let arn = &self.version.arn;
                api.check(arn, package, arn.region(), self.target)?;
                agrees_with_its_arn(&self.version)
            }
            Route::Package { package } => {
                Err(format!("it has a layer of {} where {package} was asked for", self.package))
            }
            _ => Err(OTHER.to_owned()),
        }
    }

    fn sort(rows: &mut [Self]) {
        rows.sort_by_cached_key(|row| {
            let arn = &row.version.arn;
            (row.target, arn.region().clone(), Reverse(arn.version()))
        });
    }

    fn missing(response: &Response) -> Option<Error> {
        unsupported(response, "one package over all targets and regions")
    }
}

impl Row for BuildRow {
    fn check(&self, _: &Api, _: &Route) -> Result<(), String> {
        Ok(())
    }

    /// By package; those of which the server does not say it come last.
    fn sort(rows: &mut [Self]) {
        rows.sort_by(|one, other| {
            let key = |row: &Self| (row.package.is_none(), row.package.clone());
            key(one).cmp(&key(other))
        });
    }
}

impl Row for TargetRow {
    fn check(&self, _: &Api, _: &Route) -> Result<(), String> {
        let agrees = self.target == Target::new(self.python_version, self.architecture);
        agrees
            .then_some(())
            .ok_or_else(|| format!("it has {} beside another version or architecture", self.target))
    }

    fn sort(rows: &mut [Self]) {
        rows.sort_by_key(|row| row.target);
    }

    fn missing(response: &Response) -> Option<Error> {
        unsupported(response, "the list of targets")
    }
}

impl Row for RegionRow {
    fn check(&self, _: &Api, _: &Route) -> Result<(), String> {
        Ok(())
    }

    fn sort(rows: &mut [Self]) {
        rows.sort_by(|one, other| one.region.cmp(&other.region));
    }

    fn missing(response: &Response) -> Option<Error> {
        unsupported(response, "the list of regions")
    }
}

const OTHER: &str = "it is the answer to another question";

/// The fields that repeat a part of the ARN, where a server sends them.
fn agrees_with_its_arn(row: &VersionRow) -> Result<(), String> {
    let region = row.region.as_ref().is_none_or(|region| region == row.arn.region());
    let version = row.layer_version.is_none_or(|version| version == row.arn.version());
    (region && version)
        .then_some(())
        .ok_or_else(|| format!("it has {} beside another region or layer version", row.arn))
}

/// That a server is one of those that have no more than API v2 had at first. A gateway of AWS says
/// with 403 and these words that it has no such path.
fn unsupported(response: &Response, what: &'static str) -> Option<Error> {
    const GATEWAY: &[u8] = b"Missing Authentication Token";
    let gateway = || response.body.windows(GATEWAY.len()).any(|part| part == GATEWAY);
    let missing = response.status == 404 || (response.status == 403 && gateway());
    missing.then(|| Error::Unsupported { url: shown(&response.url), what })
}
