use klayers_core::{Timestamp, Yank};

use super::*;
use crate::samples;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn version(number: u64, content: &str, status: Status) -> LayerVersion {
    let origin = Origin::Adopted { at: Timestamp::UNIX_EPOCH };
    samples::version(number, samples::build(content, origin), None, status)
}

fn old(expires: &str) -> Status {
    Status::Deprecated { expires_at: at(expires), yanked: None }
}

const SOON: &str = "2027-01-01T00:00:00Z";

/// Describes the plan, as in `add 2, 1 deprecated`, or why nothing is adopted.
fn outcome(told: &[LayerVersion], recorded: &[LayerVersion]) -> String {
    outcome_where(&[], told, recorded)
}

/// Like [`outcome`], with builds that were withdrawn in another region.
fn outcome_where(withdrawn: &[Build], told: &[LayerVersion], recorded: &[LayerVersion]) -> String {
    let adoption = Adoption {
        target: "p3.12".parse().unwrap(),
        package: "a".parse().unwrap(),
        versions: told.to_vec(),
        latest_build: None,
    };
    let plan = AdoptionPlan::new(&adoption, recorded, None, withdrawn);
    let mut parts: Vec<String> =
        plan.add.iter().map(|version| format!("add {}", version.arn.version())).collect();
    parts.extend(plan.change.iter().map(|version| {
        let status = match version.status {
            Status::Latest => "latest",
            Status::Deprecated { .. } => "deprecated",
            Status::Deleted { .. } => "deleted",
        };
        format!("{} {status}", version.arn.version())
    }));
    parts.extend(plan.refused.values().map(|error| match error {
        AdoptionError::Own(arn) => format!("own {}", arn.version()),
        AdoptionError::Differs(arn) => format!("differs {}", arn.version()),
        AdoptionError::Withdrawn(arn) => format!("withdrawn {}", arn.version()),
        AdoptionError::LatestGone(arn) => format!("gone {}", arn.version()),
    }));
    parts.join(", ")
}

#[test]
fn catalog_follows_adopted_records() {
    let (one, two) = (version(1, "a", Status::Latest), version(2, "b", Status::Latest));
    let superseded = version(1, "a", old(SOON));
    let first = std::slice::from_ref(&one);
    assert_eq!(outcome(first, &[]), "add 1");
    assert_eq!(outcome(first, first), "");
    assert_eq!(outcome(&[superseded.clone(), two.clone()], first), "add 2, 1 deprecated");
    // The other collection made its earlier version the latest again.
    let back = version(2, "b", old(SOON));
    assert_eq!(
        outcome(&[one.clone(), back], &[superseded.clone(), two.clone()]),
        "1 latest, 2 deprecated"
    );
    let later = version(1, "a", old("2028-01-01T00:00:00Z"));
    assert_eq!(outcome(&[later], std::slice::from_ref(&superseded)), "1 deprecated");
    // A version that is deleted here stays deleted, and a version that is no longer listed stays as
    // it is.
    let deleted = version(1, "a", Status::Deleted { at: at(SOON) });
    assert_eq!(outcome(&[superseded.clone(), two.clone()], &[deleted]), "add 2");
    assert_eq!(outcome(std::slice::from_ref(&two), &[superseded, two.clone()]), "");
    let dated = LayerVersion { created_at: Some(at(SOON)), ..one.clone() };
    assert_eq!(outcome(std::slice::from_ref(&dated), first), "1 latest");
    assert_eq!(outcome(first, &[dated]), "");
}

#[test]
fn adoption_does_not_make_withdrawn_version_of_another_region_latest() {
    let (one, two) = (version(1, "a", Status::Latest), version(2, "b", Status::Latest));
    let withdrawn = std::slice::from_ref(&two.build);
    let superseded = version(1, "a", old(SOON));
    let told = [superseded, two.clone()];
    assert_eq!(outcome_where(withdrawn, &told, std::slice::from_ref(&one)), "withdrawn 2");
    assert_eq!(outcome_where(withdrawn, &told[1..], &[]), "withdrawn 2");
    // It may be recorded beside the latest, and a version that is already the latest stays so.
    let beside = [version(2, "b", old(SOON)), version(3, "c", Status::Latest)];
    assert_eq!(outcome_where(withdrawn, &beside, &[]), "add 2, add 3");
    let dated = LayerVersion { created_at: Some(at(SOON)), ..two.clone() };
    assert_eq!(outcome_where(withdrawn, &[dated], std::slice::from_ref(&two)), "2 latest");
}

#[test]
fn adoption_updates_hashes_and_spellings() {
    let recorded = version(1, "typing-extensions", Status::Latest);
    // An earlier release recorded its own hashes and spellings.
    let told = version(1, "Typing_Extensions", Status::Latest);
    assert_eq!(outcome(std::slice::from_ref(&told), &[recorded]), "1 latest");
    assert_eq!(outcome(std::slice::from_ref(&told), std::slice::from_ref(&told)), "");
}

#[test]
fn adoption_refuses_records_that_contradict_the_catalog() {
    let one = version(1, "a", Status::Latest);
    let first = std::slice::from_ref(&one);
    let two = version(2, "b", Status::Latest);
    assert_eq!(outcome(&[version(1, "other", Status::Latest)], first), "differs 1");
    assert_eq!(outcome(std::slice::from_ref(&two), first), "gone 1");
    let yank = Yank { reason: "it is broken".to_owned(), at: at(SOON) };
    let withdrawn =
        version(1, "a", Status::Deprecated { expires_at: at(SOON), yanked: Some(yank) });
    assert_eq!(outcome(first, std::slice::from_ref(&withdrawn)), "");
    assert_eq!(outcome(&[version(1, "a", old(SOON)), two], &[withdrawn]), "withdrawn 1");
}
