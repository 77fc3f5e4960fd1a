use klayers_core::{Content, Digest, Origin, Runtimes, Timestamp};

use super::*;

const CONTENT: Content = Content { digest: Digest::from_bytes([1; 32]), size: 1, unzipped_size: 1 };
const NOTHING: Force = Force { build: false, publish: false };

fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect(text)
}

fn collection(targets: &[(&str, &[&str])], regions: &[&str]) -> Collection {
    let list = |names: &[&str]| names.iter().map(|name| Contents::Package(parsed(name))).collect();
    Collection {
        targets: targets.iter().map(|(target, names)| (parsed(target), list(names))).collect(),
        regions: regions.iter().map(|region| parsed(region)).collect(),
    }
}

/// A lock of one wheel of a version, whose bytes have the digest of `content`.
fn lock(version: &str, content: &str) -> Lock {
    let sha256 = Digest::of(content.as_bytes());
    let text = format!(
        "lock-version = \"1.0\"\n[[packages]]\nname = \"sample\"\nwheels = [{{ \
         url = \"http://index.example/sample-{version}-py3-none-any.whl\", \
         hashes = {{ sha256 = \"{sha256}\" }} }}]\n"
    );
    let runtimes = Runtimes::default();
    let target: Target = parsed("p3.12");
    let runtime = runtimes.get(target.python).expect("a runtime");
    Lock::parse(&text, None, target, runtime).expect("a lock")
}

fn build(lock: &Lock) -> Build {
    Build {
        target: lock.target(),
        package: parsed("sample"),
        version: lock.wheels()[0].pin.version.clone(),
        dependencies: lock.pins(),
        requirements_hash: lock.requirements_hash(),
        origin: Origin::Locked {
            wheels_hash: lock.wheels_hash(),
            lock_digest: Digest::of(b"lock"),
            content: CONTENT,
        },
        license: None,
        created_at: Some(Timestamp::UNIX_EPOCH),
    }
}

fn published(build: &Build, region: &str) -> (Region, Arc<Build>) {
    (parsed(region), Arc::new(build.clone()))
}

fn plan(
    lock: &Lock,
    latest: Option<&Build>,
    versions: &[(Region, Arc<Build>)],
    republish: Republish,
    force: Force,
) -> (String, Vec<String>) {
    let plan = plan_beside(lock, latest, versions, &[], republish, force);
    assert!(!plan.withheld);
    shown(&plan)
}

fn shown(plan: &LayerPlan) -> (String, Vec<String>) {
    let step = match plan.build {
        BuildStep::Build(reason) => format!("{reason:?}"),
        BuildStep::Reuse(_) => "Reuse".to_owned(),
    };
    let publish = plan.publish.iter().map(|(region, reason)| format!("{region} {reason:?}"));
    (step, publish.collect())
}

fn plan_beside(
    lock: &Lock,
    latest: Option<&Build>,
    versions: &[(Region, Arc<Build>)],
    yanked: &[Build],
    republish: Republish,
    force: Force,
) -> LayerPlan {
    let wanted = Wanted {
        target: parsed("p3.12"),
        contents: Contents::Package(parsed("sample")),
        layer: parsed("Klayers-p312-sample"),
    };
    let regions = [parsed("us-east-1"), parsed("eu-west-1")];
    let versions = versions.iter().cloned().collect();
    let recorded = Recorded { latest_build: latest, latest: &versions, yanked };
    plan_layer(&wanted, lock, &recorded, &regions, republish, force)
}

#[test]
fn what_is_new_or_changed_is_built_and_published() {
    let (old, new) = (lock("1", "a"), lock("2", "b"));
    let old_build = build(&old);
    let both = [published(&old_build, "us-east-1"), published(&old_build, "eu-west-1")];
    for (latest, versions, step, reason) in
        [(None, &[][..], "New", "New"), (Some(&old_build), &both[..], "Changed", "Changed")]
    {
        let (build, publish) = plan(&new, latest, versions, Republish::Wheels, NOTHING);
        assert_eq!(build, step);
        assert_eq!(publish, [format!("eu-west-1 {reason}"), format!("us-east-1 {reason}")]);
    }
}

#[test]
fn what_did_not_change_is_left_alone_and_a_new_region_caught_up() {
    let lock = lock("1", "a");
    let latest = build(&lock);
    let both = [published(&latest, "us-east-1"), published(&latest, "eu-west-1")];
    let nothing = ("Reuse".to_owned(), Vec::new());
    assert_eq!(plan(&lock, Some(&latest), &both, Republish::Wheels, NOTHING), nothing);
    let caught_up = ("Reuse".to_owned(), vec!["eu-west-1 New".to_owned()]);
    assert_eq!(plan(&lock, Some(&latest), &both[..1], Republish::Wheels, NOTHING), caught_up);
}

#[test]
fn another_wheel_of_the_same_version_counts_unless_it_is_told_not_to() {
    let before = build(&lock("1", "a"));
    let both = [published(&before, "us-east-1"), published(&before, "eu-west-1")];
    let rebuilt = lock("1", "b");
    let (step, publish) = plan(&rebuilt, Some(&before), &both, Republish::Wheels, NOTHING);
    assert_eq!((step.as_str(), publish.len()), ("Changed", 2));
    let (step, publish) = plan(&rebuilt, Some(&before), &both, Republish::Requirements, NOTHING);
    assert_eq!((step.as_str(), publish.len()), ("Reuse", 0));
}

#[test]
fn what_was_made_by_hand_is_not_what_a_lock_would_give() {
    let lock = lock("1", "a");
    let imported = Build { origin: Origin::Imported { content: CONTENT }, ..build(&lock) };
    let both = [published(&imported, "us-east-1"), published(&imported, "eu-west-1")];
    for republish in [Republish::Wheels, Republish::Requirements] {
        let (step, publish) = plan(&lock, Some(&imported), &both, republish, NOTHING);
        assert_eq!((step.as_str(), publish.len()), ("Changed", 2));
    }
}

#[test]
fn what_is_forced_is_done() {
    let lock = lock("1", "a");
    let latest = build(&lock);
    let both = [published(&latest, "us-east-1"), published(&latest, "eu-west-1")];
    let forced = |build, publish| {
        plan(&lock, Some(&latest), &both, Republish::Wheels, Force { build, publish })
    };
    assert_eq!(forced(true, false), ("Forced".to_owned(), Vec::new()));
    let everywhere = vec!["eu-west-1 Forced".to_owned(), "us-east-1 Forced".to_owned()];
    assert_eq!(forced(false, true), ("Reuse".to_owned(), everywhere));
}

#[test]
fn what_was_withdrawn_is_withheld_until_it_changes_or_is_asked_for() {
    let (before, withdrawn, next) = (lock("1", "a"), lock("2", "b"), lock("3", "c"));
    let (old, bad) = (build(&before), build(&withdrawn));
    let both = |build: &Build| [published(build, "us-east-1"), published(build, "eu-west-1")];
    let yanked = std::slice::from_ref(&bad);
    let plan = |lock: &Lock, latest: &Build, versions: &[_], force| {
        plan_beside(lock, Some(latest), versions, yanked, Republish::Wheels, force)
    };
    let nothing = ("Reuse".to_owned(), Vec::new());

    // The one before is the latest again; or there was none before.
    for versions in [&both(&old)[..], &[]] {
        for force in [NOTHING, Force { build: true, publish: false }] {
            let withheld = plan(&withdrawn, &bad, versions, force);
            assert_eq!((shown(&withheld), withheld.withheld), (nothing.clone(), true));
        }
        let asked_for = plan(&withdrawn, &bad, versions, Force { build: false, publish: true });
        let forced = vec!["eu-west-1 Forced".to_owned(), "us-east-1 Forced".to_owned()];
        assert_eq!(shown(&asked_for), ("Reuse".to_owned(), forced));
        assert!(!asked_for.withheld);
    }
    // Withdrawn in one region alone, or published again on demand.
    let one = [published(&bad, "us-east-1"), published(&old, "eu-west-1")];
    let withheld = plan(&withdrawn, &bad, &one, NOTHING);
    assert_eq!((shown(&withheld), withheld.withheld), (nothing.clone(), true));
    let again = plan(&withdrawn, &bad, &both(&bad), NOTHING);
    assert_eq!((shown(&again), again.withheld), (nothing, false));

    // The index goes back to what was withdrawn: it is not built again, either.
    let newer = build(&next);
    let back = plan(&withdrawn, &newer, &both(&newer), NOTHING);
    assert_eq!((shown(&back).0.as_str(), back.withheld), ("Reuse", true));
    // And what follows is published.
    let followed = plan(&next, &bad, &both(&old), NOTHING);
    assert_eq!(shown(&followed).0, "Changed");
    assert_eq!((shown(&followed).1.len(), followed.withheld), (2, false));
}

#[test]
fn a_selection_restricts_and_must_name_what_there_is() {
    let collection = collection(
        &[("p3.12", &["requests", "Pillow"]), ("p3.12-arm64", &["Pillow"])],
        &["us-east-1", "eu-west-1"],
    );
    let names = |selection: &Selection| -> Vec<String> {
        let wanted = wanted(&collection, selection, "Klayers").expect("a plan");
        wanted.iter().map(|wanted| wanted.layer.to_string()).collect()
    };
    let all = ["Klayers-p312-Pillow", "Klayers-p312-requests", "Klayers-p312-arm64-Pillow"];
    assert_eq!(names(&Selection::default()), all);
    let pillow = Selection { packages: vec![parsed("pillow")], ..Selection::default() };
    assert_eq!(names(&pillow), [all[0], all[2]]);
    let arm = Selection { targets: vec![parsed("p3.12-arm64")], ..Selection::default() };
    assert_eq!(names(&arm), [all[2]]);
    let west = Selection { regions: vec![parsed("eu-west-1")], ..Selection::default() };
    assert_eq!(regions(&collection, &west).expect("regions"), [parsed("eu-west-1")]);

    for (selection, message) in [
        (Selection { packages: vec![parsed("numpy")], ..Selection::default() }, "numpy is not in"),
        (Selection { targets: vec![parsed("p3.13")], ..Selection::default() }, "target p3.13"),
    ] {
        let error = wanted(&collection, &selection, "Klayers").expect_err(message).to_string();
        assert!(error.starts_with(message), "{error}");
    }
    let mars = Selection { regions: vec![parsed("xx-mars-1")], ..Selection::default() };
    assert!(regions(&collection, &mars).is_err());
}

#[test]
fn two_layers_cannot_have_one_name() {
    let collection = collection(&[("p3.12", &["arm64-sample"]), ("p3.12-arm64", &["sample"])], &[]);
    let error = wanted(&collection, &Selection::default(), "Klayers").expect_err("one name");
    assert_eq!(
        error.to_string(),
        "arm64-sample for p3.12 and sample for p3.12-arm64 would both get the layer \
         name Klayers-p312-arm64-sample; remove one of them"
    );
}

/// What another collection says of a layer with the pins of a lock.
fn adopted(lock: &Lock) -> Build {
    let at = Timestamp::UNIX_EPOCH;
    Build { origin: Origin::Adopted { at }, created_at: None, ..build(lock) }
}

#[test]
fn what_was_adopted_with_the_same_requirements_is_current_however_changes_are_found() {
    let (before, rebuilt, newer) = (lock("1", "a"), lock("1", "b"), lock("2", "c"));
    let old = adopted(&before);
    let both = [published(&old, "us-east-1"), published(&old, "eu-west-1")];
    for republish in [Republish::Wheels, Republish::Requirements] {
        let plan = |lock, latest, versions| plan(lock, latest, versions, republish, NOTHING);
        // With or without a latest build, and with wheels that nobody can compare.
        let outdated = adopted(&lock("0", "z"));
        for latest in [Some(&old), None, Some(&outdated)] {
            for lock in [&before, &rebuilt] {
                assert_eq!(plan(lock, latest, &both[..]), ("Reuse".to_owned(), Vec::new()));
            }
        }
        // Its zip is not here, so a region without it gets one that is built.
        let caught_up = ("New".to_owned(), vec!["eu-west-1 New".to_owned()]);
        for latest in [Some(&old), None] {
            assert_eq!(plan(&before, latest, &both[..1]), caught_up);
        }
        let (step, publish) = plan(&newer, Some(&old), &both[..]);
        assert_eq!((step.as_str(), publish.len()), ("Changed", 2));
        // Once it was built here, the build is used, and the adopted ones stay.
        let own = build(&before);
        let mixed = [published(&old, "us-east-1"), published(&own, "eu-west-1")];
        assert_eq!(plan(&before, Some(&own), &mixed[..]), ("Reuse".to_owned(), Vec::new()));
    }
    let force = Force { build: true, publish: false };
    let (step, _) = plan(&before, Some(&old), &both, Republish::Wheels, force);
    assert_eq!(step, "Forced");
}

#[test]
fn what_was_adopted_and_withdrawn_is_withheld() {
    let (good, bad) = (lock("1", "a"), lock("2", "b"));
    let (old, withdrawn) = (adopted(&good), adopted(&bad));
    let both = [published(&old, "us-east-1"), published(&old, "eu-west-1")];
    let yanked = std::slice::from_ref(&withdrawn);
    let plan = plan_beside(&bad, Some(&withdrawn), &both, yanked, Republish::Wheels, NOTHING);
    assert!(plan.withheld);
    assert_eq!(shown(&plan), ("Reuse".to_owned(), Vec::new()));
}
