//! Messages for requirements that cannot be resolved.

use std::collections::BTreeSet;

use klayers_core::{PackageName, PythonVersion, Requirement, Target};

use klayers_catalog::message::{Message, listed, printable};

use super::Settings;
use klayers_layer::command::shortened;
use klayers_layer::resolve::{Explanation, OtherWheels};

/// The most dependencies of a conflict that are shown.
const DEPENDENCIES: usize = 2;
/// The longest premise of uv that is shown, in characters. Longer ones list many versions.
const LONGEST: usize = 150;

/// uv found no versions that meet the requirements.
pub(super) fn unsolvable(
    requirements: &[Requirement],
    target: Target,
    explanation: &Explanation,
    settings: Settings,
) -> Message {
    let facts: Vec<String> = explanation.facts.iter().map(|fact| printable(fact)).collect();
    unknown_package(requirements, &facts, settings)
        .or_else(|| unknown_version(explanation, &facts))
        .or_else(|| other_python(requirements, target, &facts))
        .or_else(|| no_wheels(requirements, target, explanation, settings))
        .unwrap_or_else(|| conflict(requirements, target, &facts))
}

/// A package is not in the index.
fn unknown_package(
    requirements: &[Requirement],
    facts: &[String],
    settings: Settings,
) -> Option<Message> {
    let (name, place) = facts.iter().find_map(|fact| fact.split_once(" was not found"))?;
    let (place, help) = if place.contains("provided package locations") {
        settings.given_places()
    } else {
        ("the package index", settings.other_index())
    };
    let asked = requirements.iter().any(|asked| same(asked.name(), name));
    let needed_by = facts.iter().filter(|fact| !asked && fact.contains(" depend"));
    Some(Message {
        summary: format!("there is no package {name} in {place}"),
        details: needed_by.cloned().collect(),
        help: vec![format!("check its spelling; {help}")],
        ..Message::default()
    })
}

fn same(package: &PackageName, name: &str) -> bool {
    name.parse::<PackageName>().is_ok_and(|name| name == *package)
}

/// No version of a package meets the requirement.
fn unknown_version(explanation: &Explanation, facts: &[String]) -> Option<Message> {
    // uv also says "Only a==1.0 is available" if that version has no wheels.
    if !explanation.without_wheels.is_empty() || !explanation.other_wheels.is_empty() {
        return None;
    }
    let is_version = |fact: &&String| {
        fact.starts_with("there is no version of ")
            || fact.starts_with("there are no versions of ")
            || (fact.starts_with("only ") && fact.ends_with(" available"))
    };
    let fact = facts.iter().find(is_version)?;
    let name = fact.rsplit(" of ").next().unwrap_or(fact).trim_start_matches("only ");
    let end = name.find(|c: char| !(c.is_alphanumeric() || "-_.".contains(c)));
    let name = &name[..end.unwrap_or(name.len())];
    // The summary already contains this requirement.
    let is_said =
        |other: &str| other.strip_prefix("you require ").is_some_and(|asked| fact.ends_with(asked));
    let reasons = facts.iter().filter(|other| {
        (other.contains(" depend") || other.starts_with("you require ")) && !is_said(other)
    });
    Some(Message {
        summary: fact.clone(),
        details: reasons.cloned().collect(),
        help: vec![format!("ask for a version that exists: pip index versions {name}")],
        ..Message::default()
    })
}

/// The requested versions are for other versions of Python.
fn other_python(requirements: &[Requirement], target: Target, facts: &[String]) -> Option<Message> {
    facts.iter().find(|fact| fact.starts_with("the requested Python version "))?;
    let depends: Vec<String> =
        facts.iter().filter(|fact| fact.contains(" on Python")).map(|fact| cut(fact)).collect();
    (!depends.is_empty()).then(|| Message {
        summary: format!("no versions of {}", listed(requirements)),
        target: Some(target),
        details: depends,
        help: vec!["ask for another version, or build for a Python that it supports".to_owned()],
    })
}

/// There are versions, but none has a fitting wheel.
fn no_wheels(
    requirements: &[Requirement],
    target: Target,
    explanation: &Explanation,
    settings: Settings,
) -> Option<Message> {
    let Explanation { other_wheels, without_wheels, alternatives, facts, .. } = explanation;
    let is_conflict = facts.iter().any(|fact| fact.contains(" depend"));
    if without_wheels.is_empty() && (other_wheels.is_empty() || is_conflict) {
        return None;
    }
    let asked: BTreeSet<&PackageName> = requirements.iter().map(Requirement::name).collect();
    let to_build = explanation.to_build();
    let indirect: Vec<&PackageName> =
        to_build.iter().filter(|name| !asked.contains(name)).collect();
    let mut details = Vec::new();
    let have = |count: usize| match count {
        1 => "has a source distribution",
        _ => "have source distributions",
    };
    if !indirect.is_empty() {
        let asked: Vec<&PackageName> = asked.into_iter().collect();
        let verb = if asked.len() == 1 { "needs" } else { "need" };
        details.push(format!(
            "{} {verb} {}, which {} but no wheel that fits",
            listed(&asked),
            listed(&indirect),
            have(indirect.len())
        ));
    } else if !without_wheels.is_empty() && alternatives.targets.is_empty() {
        let have = have(to_build.len());
        details.push(format!("{} {have}, but no wheel that fits", listed(&to_build)));
    }
    if !alternatives.targets.is_empty() {
        details.push(format!("there are wheels for {}", others(&alternatives.targets, target)));
    }
    details.extend(other_wheels.iter().map(available_wheels));
    let mut help = Vec::new();
    if let Some(pin) = &alternatives.version {
        help.push(format!("{} {} has wheels that fit: ask for that", pin.name, pin.version));
    }
    if !without_wheels.is_empty() {
        help.push(settings.allow_sdist(&to_build, &alternatives.allowed));
    } else if help.is_empty() {
        let packages: BTreeSet<&str> = other_wheels.iter().map(|wheels| &*wheels.package).collect();
        let packages = listed(&packages.into_iter().collect::<Vec<_>>());
        help.push(format!("ask for another version of {packages}, another Python or architecture"));
    }
    Some(Message {
        summary: format!("no wheels of {}", listed(requirements)),
        target: Some(target),
        details,
        help,
    })
}

/// Names other targets by how they differ from this one: "Python 3.8 and 3.9", "arm64".
fn others(others: &[Target], target: Target) -> String {
    let (same, other): (Vec<&Target>, Vec<&Target>) =
        others.iter().partition(|other| other.architecture == target.architecture);
    let pythons: Vec<PythonVersion> = same.iter().map(|target| target.python).collect();
    let mut names = Vec::new();
    if !pythons.is_empty() {
        names.push(format!("Python {}", joined(&pythons)));
    }
    names.extend(other.iter().map(|target| target.architecture.to_string()));
    joined(&names)
}

/// The Python versions or platforms that have wheels.
fn available_wheels(wheels: &OtherWheels) -> String {
    let OtherWheels { package, version, tags } = wheels;
    let pythons: Option<Vec<(u8, u8)>> = tags.iter().map(|tag| cpython(tag)).collect();
    let what = match pythons {
        Some(mut pythons) => {
            pythons.sort_unstable();
            pythons.dedup();
            let names: Vec<String> =
                pythons.iter().map(|(major, minor)| format!("{major}.{minor}")).collect();
            format!("CPython {}", joined(&names))
        }
        None => joined(tags),
    };
    printable(&format!("{package} {version} has wheels for {what} only"))
}

/// The Python version in a tag such as `cp312` or `cp37m`.
fn cpython(tag: &str) -> Option<(u8, u8)> {
    let digits = tag.strip_prefix("cp")?.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let (major, minor) = digits.split_at_checked(1)?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The requirements, or their dependencies, contradict each other.
fn conflict(requirements: &[Requirement], target: Target, facts: &[String]) -> Message {
    let (asked, others): (Vec<&String>, Vec<&String>) =
        facts.iter().partition(|fact| fact.starts_with("you require "));
    // uv ends with the dependencies of the newest versions.
    let mut depend: Vec<&String> =
        others.iter().copied().filter(|fact| fact.contains(" depend")).collect();
    if depend.is_empty() {
        depend = others;
    }
    depend.sort_by_key(|fact| fact.chars().count() > LONGEST);
    let short = depend.iter().take_while(|fact| fact.chars().count() <= LONGEST).count();
    depend.truncate(short.max(1));
    let told = depend.iter().skip(depend.len().saturating_sub(DEPENDENCIES));
    let mut details: Vec<String> = told.map(|fact| cut(fact)).collect();
    let asked: Vec<&str> =
        asked.iter().filter_map(|fact| fact.strip_prefix("you require ")).collect();
    if !asked.is_empty() {
        details.push(cut(&format!("you require {}", joined(&asked))));
    }
    let help = match requirements {
        [_] if details.len() < 2 => "correct the requirement",
        [_] => "ask for other versions",
        _ => "loosen one of the requirements, or make two layers",
    };
    Message {
        summary: format!("no versions meet {}", listed(requirements)),
        target: Some(target),
        details,
        help: vec![help.to_owned()],
    }
}

/// A premise of uv, or its beginning.
fn cut(fact: &str) -> String {
    shortened(fact, LONGEST)
}

/// All names: "a, b and c".
fn joined<T: std::fmt::Display>(names: &[T]) -> String {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    match &names[..] {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        names => names.concat(),
    }
}

/// uv could not reach an index.
pub(super) fn unreachable(message: &str, settings: Settings) -> Option<Message> {
    let message = printable(message);
    let (_, rest) = message.split_once("Failed to fetch: ")?;
    let (url, causes) = rest.split_once(": ").unwrap_or((rest, ""));
    // The index without the package, so that a failure of all packages is reported once.
    let index = url.trim_matches('`').trim_end_matches('/').rsplit_once('/').map_or(url, |u| u.0);
    let reason = causes.rsplit(": ").next().unwrap_or_default();
    let reason = reason.split(" for url (").next().unwrap_or_default();
    let is_closed = ["401", "403", "407"].iter().any(|status| reason.contains(status));
    let check = if is_closed { "the user name and password for it" } else { "the network" };
    Some(Message {
        summary: format!("could not reach the package index {index}/"),
        details: [reason].into_iter().filter(|r| !r.is_empty()).map(str::to_owned).collect(),
        help: vec![format!("check {check}; {}", settings.other_index())],
        ..Message::default()
    })
}
