//! Checks and sorts the rows of each list of the API.

use std::cmp::Reverse;

use klayers_core::Target;
use klayers_core::api::{BuildRow, LatestRow, PackageRow, RegionRow, Route, TargetRow, VersionRow};
use serde::de::DeserializeOwned;

use super::Api;
use crate::Error;
use crate::display::without_login;
use crate::response::Response;

/// A row of one of the API's lists.
pub(crate) trait Row: Clone + DeserializeOwned + Send + Sync + 'static {
    /// Checks that the row belongs to the answer to `route`. The error says what is wrong.
    fn check(&self, api: &Api, route: &Route) -> Result<(), String>;

    /// Sorts rows in the order in which the client returns them.
    fn sort(rows: &mut [Self]);

    /// The error if the response says that the server does not have this list; otherwise none.
    fn unsupported(_: &Response) -> Option<Error> {
        None
    }
}

impl Row for LatestRow {
    fn check(&self, api: &Api, route: &Route) -> Result<(), String> {
        match route {
            Route::Latest { target, region, .. } => {
                api.check(&self.arn, &self.package, region, *target)
            }
            _ => Err(OTHER_QUESTION.to_owned()),
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
                check_against_arn(self)
            }
            _ => Err(OTHER_QUESTION.to_owned()),
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
                check_against_arn(&self.version)
            }
            Route::Package { package } => {
                Err(format!("it has a layer of {}, but {package} was requested", self.package))
            }
            _ => Err(OTHER_QUESTION.to_owned()),
        }
    }

    fn sort(rows: &mut [Self]) {
        rows.sort_by_cached_key(|row| {
            let arn = &row.version.arn;
            (row.target, arn.region().clone(), Reverse(arn.version()))
        });
    }

    fn unsupported(response: &Response) -> Option<Error> {
        unsupported_list(response, "the list of one package over all targets and regions")
    }
}

impl Row for BuildRow {
    fn check(&self, _: &Api, _: &Route) -> Result<(), String> {
        Ok(())
    }

    /// Sorts by package. Rows without a package come last.
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
        agrees.then_some(()).ok_or_else(|| {
            format!("it has {} next to another Python version or architecture", self.target)
        })
    }

    fn sort(rows: &mut [Self]) {
        rows.sort_by_key(|row| row.target);
    }

    fn unsupported(response: &Response) -> Option<Error> {
        unsupported_list(response, "the list of targets")
    }
}

impl Row for RegionRow {
    fn check(&self, _: &Api, _: &Route) -> Result<(), String> {
        Ok(())
    }

    fn sort(rows: &mut [Self]) {
        rows.sort_by(|one, other| one.region.cmp(&other.region));
    }

    fn unsupported(response: &Response) -> Option<Error> {
        unsupported_list(response, "the list of regions")
    }
}

const OTHER_QUESTION: &str = "it is the answer to another question";

/// Checks the fields that repeat a part of the ARN, if the server sends them.
fn check_against_arn(row: &VersionRow) -> Result<(), String> {
    let region = row.region.as_ref().is_none_or(|region| region == row.arn.region());
    let version = row.layer_version.is_none_or(|version| version == row.arn.version());
    (region && version)
        .then_some(())
        .ok_or_else(|| format!("it has {} next to another region or layer version", row.arn))
}

/// The error if the server only has the first version of API v2, which lacks some lists. Amazon API
/// Gateway answers unknown paths with 403 and this text.
fn unsupported_list(response: &Response, what: &'static str) -> Option<Error> {
    const UNKNOWN_PATH: &[u8] = b"Missing Authentication Token";
    let gateway = || response.body.windows(UNKNOWN_PATH.len()).any(|part| part == UNKNOWN_PATH);
    let missing = response.status == 404 || (response.status == 403 && gateway());
    missing.then(|| Error::Unsupported { url: without_login(&response.url), what })
}
