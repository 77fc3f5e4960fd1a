//! Groups failures with the same reason, so that it is reported once.

use std::collections::BTreeSet;

use klayers_core::{PackageName, Region, Target};

use super::{Failure, RunReport};
use crate::message::{Message, Shape, listed};

/// Failures with the same message.
#[derive(Clone, Debug)]
pub struct FailureGroup {
    layers: Vec<(Target, PackageName)>,
    regions: Vec<Region>,
    /// Number of layers that were not done because a region was closed.
    lost: usize,
    message: Message,
}

impl RunReport {
    /// Groups what failed by its reason.
    pub fn failure_groups(&self) -> Vec<FailureGroup> {
        let mut groups: Vec<FailureGroup> = Vec::new();
        for failure in &self.failures {
            let one = FailureGroup::of(failure);
            match groups.iter_mut().find(|group| group.takes(&one)) {
                Some(group) => group.add(one),
                None => groups.push(one),
            }
        }
        groups
    }
}

impl FailureGroup {
    fn of(failure: &Failure) -> Self {
        let Failure { target, package, region, reason, message, layers } = failure;
        let known = || Message { summary: reason.clone(), ..Message::default() };
        let lost = if package.is_none() { *layers } else { 0 };
        Self {
            layers: target.iter().copied().zip(package.clone()).collect(),
            regions: region.iter().cloned().collect(),
            lost,
            message: message.clone().unwrap_or_else(known),
        }
    }

    /// Whether another failure belongs to this group: the same reason for other layers, or for the
    /// same layers in other regions.
    fn takes(&self, other: &Self) -> bool {
        !self.layers.is_empty()
            && !other.layers.is_empty()
            && (self.layers == other.layers || self.regions == other.regions)
            && self.message.tells_the_same(&other.message)
    }

    fn add(&mut self, other: Self) {
        if self.layers == other.layers {
            self.regions.extend(other.regions);
        } else {
            self.layers.extend(other.layers);
        }
    }

    /// What failed and why, in one line.
    pub fn headline(&self) -> String {
        let summary = &self.message.summary;
        let packages: BTreeSet<&PackageName> = self.layers.iter().map(|(_, name)| name).collect();
        let targets: BTreeSet<Target> = self.layers.iter().map(|(target, _)| *target).collect();
        let packages: Vec<&PackageName> = packages.into_iter().collect();
        let targets: Vec<Target> = targets.into_iter().collect();
        let is_product = packages.len() * targets.len() == self.layers.len();
        if let ([package], Some(_), []) = (&packages[..], self.message.target, &self.regions[..])
            && names(summary, package)
        {
            return format!("{summary} for {}", listed(&targets));
        }
        let layers = match (&packages[..], &targets[..]) {
            ([], _) => String::new(),
            ([package], [target]) => format!("{target} {package}"),
            _ if is_product => format!("{} for {}", listed(&packages), listed(&targets)),
            _ => {
                let layers = self.layers.iter().map(|(target, name)| format!("{target} {name}"));
                listed(&layers.collect::<Vec<_>>())
            }
        };
        let regions = listed(&self.regions);
        let head = match (&*layers, &*regions) {
            ("", "") => return summary.clone(),
            ("", regions) if self.lost > 0 => format!("{regions} ({} layers)", self.lost),
            ("", regions) => regions.to_owned(),
            (layers, "") => layers.to_owned(),
            (layers, regions) => format!("{layers} in {regions}"),
        };
        format!("{head}: {summary}")
    }

    /// What failed and why, with the first detail, in one line.
    pub(crate) fn to_line(&self) -> String {
        let detail = self.message.details.first().map(|detail| {
            let detail = detail.strip_prefix("caused by: ").unwrap_or(detail);
            format!(": {detail}")
        });
        format!("{}{}", self.headline(), detail.unwrap_or_default())
    }

    /// The lines to show.
    pub fn to_text(&self, shape: Shape) -> String {
        self.message.below(&self.headline(), shape)
    }
}

/// Whether a text contains the name of a package as a word.
fn names(text: &str, package: &PackageName) -> bool {
    let ends = |c: char| !(c.is_alphanumeric() || "-_.".contains(c));
    text.split(ends).any(|word| word.parse::<PackageName>().is_ok_and(|name| name == *package))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(summary: &str, target: Option<&str>) -> Message {
        let target = target.map(|target| target.parse().unwrap());
        let help = vec!["allow building it from source".to_owned()];
        Message { summary: summary.to_owned(), target, help, ..Message::default() }
    }

    fn failed(
        target: &str,
        package: &str,
        region: Option<&str>,
        message: impl Into<Option<Message>>,
    ) -> Failure {
        Failure {
            target: Some(target.parse().unwrap()),
            package: Some(package.parse().unwrap()),
            region: region.map(|region| region.parse().unwrap()),
            reason: "the whole reason".to_owned(),
            message: message.into(),
            layers: 1,
        }
    }

    fn told(failures: Vec<Failure>) -> Vec<String> {
        let begun = "2026-11-01T02:00:00Z".parse().unwrap();
        let report = RunReport { failures, ..RunReport::begin(begun) };
        report.failure_groups().iter().map(FailureGroup::headline).collect()
    }

    #[test]
    fn same_reason_for_several_targets_is_reported_once() {
        let targets = ["p3.10", "p3.11", "p3.12", "p3.13", "p3.13-arm64", "p3.14"];
        let gdal = |target: &&str| {
            failed(target, "gdal", None, message("no wheels of gdal", Some(target)))
        };
        let unreachable = || message("could not reach the index", None);
        let mut failures: Vec<Failure> = targets.iter().map(gdal).collect();
        failures.push(failed("p3.12", "numpy", None, unreachable()));
        failures.push(failed("p3.12", "pandas", None, unreachable()));
        failures.push(failed("p3.13", "six", None, message("no wheels of lxml", Some("p3.13"))));
        assert_eq!(
            told(failures),
            [
                "no wheels of gdal for p3.10, p3.11 and 4 others",
                "numpy and pandas for p3.12: could not reach the index",
                "p3.13 six: no wheels of lxml",
            ]
        );
    }

    #[test]
    fn same_reason_in_several_regions_is_reported_once() {
        let refused = || message("refused", None);
        assert_eq!(
            told(vec![
                failed("p3.12", "six", Some("us-east-1"), refused()),
                failed("p3.12", "six", Some("eu-west-1"), refused()),
                failed("p3.12", "six", Some("eu-west-2"), message("too large", None)),
                failed("p3.13", "six", Some("eu-west-2"), refused()),
                // As earlier releases wrote it.
                failed("p3.13", "seven", None, None),
            ]),
            [
                "p3.12 six in us-east-1 and eu-west-1: refused",
                "p3.12 six in eu-west-2: too large",
                "p3.13 six in eu-west-2: refused",
                "p3.13 seven: the whole reason",
            ]
        );
    }
}
