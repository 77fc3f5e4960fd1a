//! The rows of an API's lists, read one by one: a row that cannot be read keeps no other from being
//! adopted.

use klayers_core::api::{BuildRow, DeployStatus, LatestRow, VersionRow};
use klayers_core::{PackageName, Pin, Region, Status, Target};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Lists;
use crate::adopt::{BuildClaim, Claim, LeftOut, ReadLayer, Reason};

impl Lists {
    pub(super) fn add_latest(&mut self, target: Target, region: &Region, rows: Vec<Value>) {
        for row in rows {
            let of = |reason| LeftOut::of_target(target, Some(region.clone()), reason);
            let row: LatestRow = match read(row, "a latest version") {
                Ok(row) => row,
                Err(reason) => {
                    self.left_out.push(of(reason));
                    continue;
                }
            };
            let arn = row.arn;
            let reason = if arn.region() != region {
                Reason::OtherRegion(arn)
            } else if !arn.name().is_for(target, &row.package) {
                Reason::OtherLayer(arn)
            } else {
                let listed = self.package(row.package);
                listed.latest.entry(region.clone()).or_default().insert(arn);
                continue;
            };
            let left_out = LeftOut { package: Some(row.package), ..of(reason) };
            self.left_out.push(left_out);
        }
    }

    /// Those that name no package come last: which they are of is told by what is left.
    pub(super) fn add_builds(&mut self, target: Target, rows: Vec<Value>) {
        let mut nameless = Vec::new();
        for row in rows {
            let row: BuildRow = match read(row, "a latest build") {
                Ok(row) => row,
                Err(reason) => {
                    self.left_out.push(LeftOut::of_target(target, None, reason));
                    continue;
                }
            };
            match &row.package {
                Some(package) => self.add_build(target, package.clone(), row),
                None => nameless.push(row),
            }
        }
        for row in nameless {
            if let Some(package) = self.whose(&row) {
                self.add_build(target, package, row);
            } else {
                let version = row.package_version.to_string();
                let reason = Reason::Nameless { version };
                self.left_out.push(LeftOut::of_target(target, None, reason));
            }
        }
    }

    /// The one of a build's dependencies that has its version, is a package of the target, and has
    /// no other latest build.
    fn whose(&self, row: &BuildRow) -> Option<PackageName> {
        let mut candidates = row.dependencies.iter().filter_map(|Pin { name, version }| {
            let (name, listed) = self.packages.get_key_value(name)?;
            let is_it = *version == row.package_version && listed.build.is_none();
            is_it.then(|| name.clone())
        });
        let found = candidates.next()?;
        candidates.next().is_none().then_some(found)
    }

    fn add_build(&mut self, target: Target, package: PackageName, row: BuildRow) {
        let BuildRow {
            package_version,
            dependencies,
            requirements_hash,
            created_date_time,
            license,
            ..
        } = row;
        let claim = BuildClaim {
            version: package_version,
            dependencies: dependencies.into(),
            requirements_hash: requirements_hash.and_then(|hash| hash.parse().ok()),
            created_at: created_date_time,
            license,
        };
        let listed = self.package(package.clone());
        if listed.build.as_ref().is_some_and(|other| *other != claim) {
            let reason = Reason::Malformed {
                what: format!("a latest build of version {}", claim.version),
                why: "the package has another".to_owned(),
            };
            self.left_out.push(LeftOut::of(target, package, None, reason));
        } else {
            listed.build = Some(claim);
        }
    }
}

impl ReadLayer {
    /// Adds the versions that are listed in a region.
    pub(super) fn add_rows(&mut self, region: &Region, rows: Vec<Value>) {
        for row in rows {
            match claim(region, row) {
                Ok(claim) => self.versions.push(claim),
                Err(reason) => self.leave_out(region, reason),
            }
        }
    }

    pub(in crate::adopt) fn leave_out(&mut self, region: &Region, reason: Reason) {
        let (target, package) = (self.target, self.package.clone());
        self.left_out.push(LeftOut::of(target, package, Some(region.clone()), reason));
    }
}

fn claim(region: &Region, row: Value) -> Result<Claim, Reason> {
    let row: VersionRow = read(row, "a version")?;
    let status = match (row.deploy_status, row.expiry_date) {
        (DeployStatus::Latest, _) => Status::Latest,
        (DeployStatus::Deprecated, Some(expires_at)) => {
            Status::Deprecated { expires_at, yanked: None }
        }
        (DeployStatus::Deprecated, None) => {
            let why = "it is deprecated, but has no expiryDate".to_owned();
            return Err(Reason::Malformed { what: row.arn.to_string(), why });
        }
    };
    Ok(Claim {
        region: region.clone(),
        arn: row.arn,
        version: row.package_version,
        dependencies: row.dependencies.into(),
        requirements_hash: row.requirements_hash.and_then(|hash| hash.parse().ok()),
        status,
        created_at: row.created_date_time,
        license: row.license,
    })
}

/// Reads a row, or says which it is that cannot be read.
fn read<T: DeserializeOwned>(row: Value, what: &'static str) -> Result<T, Reason> {
    const SHOWN: usize = 200;
    let named = ["arn", "package"].iter().find_map(|field| row.get(field)?.as_str());
    let what = match named {
        Some(name) => name.chars().take(SHOWN).collect(),
        None => what.to_owned(),
    };
    serde_json::from_value(row).map_err(|error| Reason::Malformed { what, why: error.to_string() })
}
