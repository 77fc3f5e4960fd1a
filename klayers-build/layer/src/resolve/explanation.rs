//! Reads uv's explanation of why requirements have no solution.
//!
//! uv writes a derivation: sentences with premises and conclusions. Users need the premises ("a
//! depends on b<2") and the hints; the conclusions only connect the premises.

use std::collections::BTreeSet;
use std::fmt;

use klayers_core::{PackageName, Pin, Target};

use crate::command::shortened;
use crate::secrets::redacted;

/// Longest explanation that is kept, in characters.
const LONGEST: usize = 16_000;
/// First words of an explanation. Versions of uv before 0.10 write a colon after them.
const HEAD: &str = "No solution found when resolving dependencies";
/// Verbs that mark a premise. An item of a list inside a premise has none of them.
const VERBS: [&str; 16] = [
    " depends on ",
    " depend on ",
    " has no ",
    " have no ",
    " was ",
    " were ",
    " is available",
    " are available",
    " is not ",
    " are not ",
    " does not ",
    " do not ",
    "you require ",
    "there is no ",
    "there are no ",
    "we know from ",
];

/// Why uv found no versions that meet requirements.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explanation {
    text: String,
    /// The premises of uv's derivation, in uv's order, without duplicates.
    pub facts: Vec<String>,
    /// Wheels for other targets, from uv's hints.
    pub other_wheels: Vec<OtherWheels>,
    /// Packages for which uv found source distributions but no wheels that fit, in at least one
    /// version.
    pub without_wheels: BTreeSet<PackageName>,
    /// Alternatives, found after the resolution failed.
    pub alternatives: Alternatives,
}

/// Alternatives to wheels that do not exist.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Alternatives {
    /// The packages to build from source so that the requirements can be met. Empty if unknown.
    pub to_build: BTreeSet<PackageName>,
    /// The packages that are already allowed to be built from source.
    pub allowed: BTreeSet<PackageName>,
    /// Other targets that have wheels of the requested package.
    pub targets: Vec<Target>,
    /// Another version of the requested package that has wheels for the target.
    pub version: Option<Pin>,
}

/// Wheels of a package that do not fit the target.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OtherWheels {
    /// The package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The Python versions or platforms that have wheels.
    pub tags: Vec<String>,
}

impl Explanation {
    /// Reads the standard error of uv.
    pub fn parse(stderr: &str) -> Self {
        let stderr = redacted(stderr);
        let message = stderr.trim();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        let lines: Vec<&str> = message.lines().map(str::trim_end).collect();
        let words: Vec<&str> = stderr.split_whitespace().collect();
        let line = words.join(" ");
        let mut parts = line.split("hint: ");
        let reason = parts.next().unwrap_or_default();
        let hints: Vec<&str> = parts.map(str::trim).collect();
        Self {
            text: shortened(&lines.join("\n"), LONGEST),
            facts: facts(without_head(reason)),
            other_wheels: hints.iter().filter_map(|hint| OtherWheels::parse(hint)).collect(),
            without_wheels: hints.iter().filter_map(|hint| without_wheels(hint)).collect(),
            alternatives: Alternatives::default(),
        }
    }

    /// Returns the packages to build from source: those that are known to be enough, or else all
    /// that have no wheels.
    pub fn to_build(&self) -> Vec<PackageName> {
        let known = &self.alternatives.to_build;
        let names = if known.is_empty() { &self.without_wheels } else { known };
        names.iter().cloned().collect()
    }
}

impl fmt::Display for Explanation {
    /// Writes uv's own words and line breaks.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl OtherWheels {
    /// Reads a hint such as: Wheels are available for `mkl` (v2026.2.0) on the following platforms:
    /// `win32`, `win_amd64`
    fn parse(hint: &str) -> Option<Self> {
        let (_, hint) = hint
            .split_once("heels are available for ")
            .or_else(|| hint.split_once("we only found wheels for "))?;
        let (package, rest) = hint.split_once(" (v")?;
        let (version, rest) = rest.split_once(')')?;
        let tags: Vec<String> =
            rest.split_once(": ")?.1.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let package = package.trim_matches('`').to_owned();
        (!tags.is_empty()).then(|| Self { package, version: version.to_owned(), tags })
    }
}

/// Reads a hint such as: Wheels are required for `kappa` because building from source is disabled
fn without_wheels(hint: &str) -> Option<PackageName> {
    let rest = hint.strip_prefix("Wheels are required for `")?;
    rest.split('`').next()?.parse().ok()
}

fn without_head(reason: &str) -> &str {
    let reason = reason.split_once(HEAD).map_or(reason, |(_, rest)| rest);
    let ornament = |c: char| c.is_whitespace() || ":×╰─▶".contains(c);
    let reason = reason.trim_start_matches(ornament);
    reason.strip_prefix("cause: ").or_else(|| reason.strip_prefix("error: ")).unwrap_or(reason)
}

/// Returns the premises of a derivation.
fn facts(derivation: &str) -> Vec<String> {
    let mut facts: Vec<String> = Vec::new();
    let sentences = derivation.replace("And because ", "Because ");
    for sentence in sentences.split("Because ") {
        let premises = sentence.split("we can conclude that ").next().unwrap_or_default();
        for premise in premises_of(premises) {
            let known = premise.is_empty()
                || premise.starts_with("we know from ")
                || premise.starts_with("only the following versions of ")
                || facts.contains(&premise);
            if !known {
                facts.push(premise);
            }
        }
    }
    // The user's requirements come last: they are the reason why the other premises matter.
    let (asked, mut facts): (Vec<String>, Vec<String>) =
        facts.into_iter().partition(|fact| fact.starts_with("you require "));
    facts.extend(asked);
    facts
}

/// Splits "a depends on b and you require a and c" into its premises.
fn premises_of(text: &str) -> Vec<String> {
    let mut premises: Vec<String> = Vec::new();
    for part in text.split(" and ") {
        let is_premise = VERBS.iter().any(|verb| part.contains(verb));
        match premises.last_mut() {
            Some(last) if !is_premise => {
                last.push_str(" and ");
                last.push_str(part);
            }
            _ => premises.push(part.to_owned()),
        }
    }
    let trim = |premise: String| {
        let premise = premise.trim().trim_end_matches(['.', ',']);
        premise.strip_prefix("all of: ").unwrap_or(premise).to_owned()
    };
    premises.into_iter().map(trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFLICT: &str = "\
error: No solution found when resolving dependencies
  cause: Because boto3==1.34.0 depends on botocore>=1.34.0,<1.35.0 and you require botocore==1.30, we can conclude that your requirements and boto3==1.34.0 are incompatible.
         And because you require boto3==1.34, we can conclude that your requirements are unsatisfiable.
";

    const NO_WHEELS: &str = "\
error: No solution found when resolving dependencies
  cause: Because kappa==0.6.0 has no usable wheels and all of:
             zappa==0.41.0
             zappa>=0.47.0,<=0.60.2
         depend on kappa==0.6.0, we can conclude that all of:
             zappa==0.41.0
             zappa>=0.47.0,<=0.60.2
          cannot be used. (1)

         And because we know from (1) that zappa==0.41.0 cannot be used, we can conclude that all versions of zappa cannot be used.
         And because you require zappa, we can conclude that your requirements are unsatisfiable.

hint: Wheels are required for `zappa` because building from source is disabled for all packages (i.e., with `--no-build`)

hint: Wheels are required for `kappa` because building from source is disabled for all packages (i.e., with `--no-build`)
";

    const TAGS: &str = "\
error: No solution found when resolving dependencies
  cause: Because tensorflow==1.15.0 has no wheels with a matching Python ABI tag (e.g., `cp312`) and you require tensorflow==1.15, we can conclude that your requirements are unsatisfiable.

hint: You require CPython 3.12 (`cp312`), but we only found wheels for `tensorflow` (v1.15.0) with the following Python ABI tags: `cp27m`, `cp37m`

hint: Wheels are available for `mkl` (v2026.2.0) on the following platforms: `manylinux_2_28_x86_64`, `win_amd64`
";

    #[test]
    fn premises_of_a_conflict_are_read_with_user_requirements_last() {
        let conflict = Explanation::parse(CONFLICT);
        assert_eq!(
            conflict.facts,
            [
                "boto3==1.34.0 depends on botocore>=1.34.0,<1.35.0",
                "you require botocore==1.30",
                "you require boto3==1.34",
            ]
        );
        let one = "error: No solution found when resolving dependencies\n  cause: you require \
                   requests<1 and requests>2, which are incompatible";
        let facts = Explanation::parse(one).facts;
        assert_eq!(facts, ["you require requests<1 and requests>2, which are incompatible"]);
    }

    #[test]
    fn explanations_of_older_uv_versions_are_read() {
        let older = "  × No solution found when resolving dependencies:\n  ╰─▶ Because alpha was \
                     not found in the package registry and you require alpha, we can conclude \
                     that your requirements are unsatisfiable.";
        let facts = Explanation::parse(older).facts;
        assert_eq!(facts, ["alpha was not found in the package registry", "you require alpha"]);
    }

    #[test]
    fn hints_name_packages_without_wheels_and_wheels_for_other_targets() {
        let none = Explanation::parse(NO_WHEELS);
        let names: Vec<String> = none.without_wheels.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["kappa", "zappa"]);
        assert_eq!(none.facts[0], "kappa==0.6.0 has no usable wheels");
        assert_eq!(none.facts[1], "zappa==0.41.0 zappa>=0.47.0,<=0.60.2 depend on kappa==0.6.0");
        assert!(none.to_string().lines().count() > 10, "uv's own lines are kept: {none}");
        let tags = Explanation::parse(TAGS);
        let found: Vec<_> = tags.other_wheels.iter().map(|e| (&*e.package, &*e.version)).collect();
        assert_eq!(found, [("tensorflow", "1.15.0"), ("mkl", "2026.2.0")]);
        assert_eq!(tags.other_wheels[0].tags, ["cp27m", "cp37m"]);
        assert_eq!(tags.other_wheels[1].tags, ["manylinux_2_28_x86_64", "win_amd64"]);
    }
}
