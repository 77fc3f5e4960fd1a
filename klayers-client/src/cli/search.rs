//! Finds packages by a part of their name.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;

use super::arguments::TargetArgs;
use super::error::CommandError;
use super::print::{self, OutputFormat, TableRow};
use super::settings::Settings;
use crate::{Architecture, Error, PackageName, PackageVersion, Target, suggest};

/// A package that matches the search.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Hit {
    package: PackageName,
    /// The package version in the latest layer of each target.
    versions: BTreeMap<Target, PackageVersion>,
}

impl TableRow<3> for Hit {
    const HEADER: [&'static str; 3] = ["PACKAGE", "VERSION", "TARGETS"];

    fn cells(&self) -> [String; 3] {
        let newest = self.versions.values().max().map(ToString::to_string);
        let targets: Vec<String> = self.versions.keys().map(ToString::to_string).collect();
        [self.package.to_string(), newest.unwrap_or_default(), targets.join(" ")]
    }
}

/// Prints the packages whose names contain a text, the best match first.
pub(super) async fn print(
    settings: &Settings<'_>,
    text: &str,
    args: &TargetArgs,
    format: OutputFormat,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<(), CommandError> {
    let client = settings.client()?;
    let targets = match args.python {
        Some(python) => {
            let all = args.arch.map_or(Architecture::ALL.to_vec(), |arch| vec![arch]);
            all.into_iter().map(|arch| Target::new(python, arch)).collect()
        }
        None => match client.targets().await {
            Ok(targets) => targets,
            Err(Error::Unsupported { .. }) => super::every_target(),
            Err(error) => return Err(error.into()),
        },
    };
    let targets = targets
        .into_iter()
        .filter(|target| args.arch.is_none_or(|arch| target.architecture == arch));
    let mut found: BTreeMap<PackageName, BTreeMap<Target, PackageVersion>> = BTreeMap::new();
    for target in targets {
        let mut add = |package: PackageName, version: PackageVersion| {
            found.entry(package).or_default().insert(target, version);
        };
        if let Some(region) = &args.region {
            let answer = client.answers().latest(region, &target).await?;
            print::staleness(err, &answer)?;
            answer.value.into_iter().for_each(|row| add(row.package, row.package_version));
        } else {
            let answer = client.answers().packages(&target).await?;
            print::staleness(err, &answer)?;
            for row in answer.value {
                if let Some(package) = row.package {
                    add(package, row.package_version);
                }
            }
        }
    }
    let hits = hits(text, found);
    if hits.is_empty() {
        return Err(CommandError::NotFound(format!("no package name contains {text:?}")));
    }
    Ok(print::rows(out, format, &hits)?)
}

/// The matching packages: first the exact name, then names that begin with the text, then names that
/// contain it. If nothing matches, packages with similar names.
fn hits(text: &str, found: BTreeMap<PackageName, BTreeMap<Target, PackageVersion>>) -> Vec<Hit> {
    let wanted = text.to_lowercase().replace(['_', '.', ' '], "-");
    let rank = |name: &str| {
        let has = name.contains(&wanted);
        has.then_some((name != wanted, !name.starts_with(&wanted)))
    };
    let mut ranked: Vec<_> = found
        .keys()
        .filter_map(|package| Some((rank(package.normalized())?, package.clone())))
        .collect();
    ranked.sort();
    let mut names: Vec<PackageName> = ranked.into_iter().map(|(_, package)| package).collect();
    if names.is_empty()
        && let Ok(asked) = text.parse::<PackageName>()
    {
        names = suggest::similar_names(&asked, found.keys());
    }
    let mut found = found;
    names
        .into_iter()
        .filter_map(|package| {
            let (package, versions) = found.remove_entry(&package)?;
            Some(Hit { package, versions })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn best_matches_come_first() {
        let found = || {
            ["requests", "requests-oauthlib", "types-requests", "Pillow", "psycopg2-binary"]
                .map(|name| (name.parse().expect("a name"), BTreeMap::new()))
                .into()
        };
        for (text, expected) in [
            ("requests", &["requests", "requests-oauthlib", "types-requests"][..]),
            ("REQUESTS_O", &["requests-oauthlib"]),
            ("pil", &["Pillow"]),
            ("binary", &["psycopg2-binary"]),
            ("reqeusts", &["requests"]),
            ("numpy", &[]),
        ] {
            let hits = hits(text, found());
            let names: Vec<&str> = hits.iter().map(|hit| hit.package.spelling()).collect();
            assert_eq!(names, expected, "{text}");
        }
    }
}
