//! From the API of the public collection.

use klayers_core::Status;

use super::public_api::Wrong;
use super::*;

fn public() -> PublicApi {
    PublicApi::new(rows(), builds())
}

/// What one has of whom nothing is deleted, as the API tells of nothing else.
fn existing() -> Vec<Row> {
    rows().into_iter().filter(|row| !row.deleted).collect()
}

/// To adopt from it, asking for no more than it has.
fn few(url: &str) -> Vec<&str> {
    let targets = TARGETS.iter().flat_map(|target| ["--target", target]);
    let regions = REGIONS.iter().flat_map(|region| ["--region", region]);
    ["adopt", "--api", url].into_iter().chain(targets).chain(regions).collect()
}

#[test]
fn what_the_api_lists_is_listed_here_row_for_row() {
    let (home, api) = (home(), public());
    let planned = home.run(&["adopt", "--api", &api.url(), "--dry-run"]).ended_with(0);
    assert!(planned.stderr.ends_with("9 layer versions to adopt, 0 unchanged, 0 left out\n"));
    assert!(!home.path("klayers.db").exists());

    let done = home.run(&["adopt", "--api", &api.url()]).ended_with(0);
    assert_eq!(
        done.stdout,
        "latest     5\ndeprecated 4\ndeleted    0\nbuilds     2\n\
         recorded: 9 new, 0 changed, 2 latest builds\n"
    );
    assert_eq!(done.stderr, "4 layers: 9 layer versions adopted, 0 unchanged, 0 left out\n");
    answers_agree(&home, &existing(), &builds());
    for version in recorded(&home) {
        assert!(matches!(version.build.origin, Origin::Adopted { .. }));
        // The API does not say when, and so nothing is said.
        assert_eq!(version.created_at, None);
    }
    let before = recorded(&home);
    let again = home.run(&["adopt", "--api", &api.url(), "--json"]).ended_with(0);
    let json: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!((&json["added"], &json["unchanged"]), (&0.into(), &9.into()));
    assert_eq!(recorded(&home), before);
}

#[test]
fn a_selection_restricts_what_is_asked_for() {
    let (home, api) = (home(), public());
    let selected = ["--target", "p3.8", "--region", "eu-west-1", "--package", "pillow"];
    let url = api.url();
    let arguments = [&["adopt", "--api", url.as_str()], &selected[..]].concat();
    home.run(&arguments).ended_with(0);
    let arns: Vec<String> = recorded(&home).iter().map(|it| it.arn.to_string()).collect();
    assert_eq!(
        arns,
        [format!("arn:aws:lambda:eu-west-1:{OLD_ACCOUNT}:layer:Klayers-python38-Pillow:12")]
    );
    assert_eq!((api.asked("p3.12"), api.asked("us-east-1"), api.asked("spacy")), (0, 0, 0));
}

#[test]
fn answers_that_may_get_better_are_asked_for_again() {
    let (home, api) = (home(), public());
    for (status, times) in [(503, 2), (429, 1)] {
        let path = "p3.12/layers/us-east-1/requests";
        api.answer_wrongly(Wrong { path, times, status, body: None });
    }
    home.run(&few(&api.url())).ended_with(0);
    answers_agree(&home, &existing(), &builds());
    assert_eq!(api.asked("p3.12/layers/us-east-1/requests"), 4);
}

#[test]
fn what_cannot_be_believed_is_left_out_and_told_and_keeps_nothing_else_out() {
    let path = "p3.12/layers/us-east-1/requests";
    let row = |change: &dyn Fn(&mut Value)| {
        let mut row = rows()[1].version_row();
        change(&mut row);
        json!([row, rows()[0].version_row()]).to_string()
    };
    let elsewhere = rows()[1].arn().replace("us-east-1", "eu-west-2");
    let other = rows()[1].arn().replace("requests", "numpy");
    let bodies = [
        (500, None, "the answer has status 500", 3),
        (404, None, "the answer has status 404", 3),
        (200, Some("<html>hello</html>".to_owned()), "the answer is not a JSON array", 3),
        (200, Some("[{\"arn\":".to_owned()), "the answer is not a JSON array", 3),
        (
            200,
            Some(row(&|row| row["arn"] = elsewhere.clone().into())),
            "belongs to another region",
            2,
        ),
        (200, Some(row(&|row| row["arn"] = other.clone().into())), "another package or target", 2),
        (200, Some(row(&|row| row["arn"] = "arn:aws".into())), "not a layer version ARN", 2),
        (200, Some(row(&|row| row["deployStatus"] = "new".into())), "unknown variant", 2),
        (200, Some(row(&|row| row["deployStatus"] = "deprecated".into())), "no expiryDate", 2),
        (200, Some(row(&|row| row["dependencies"] = json!(["-e ."]))), "name==version", 2),
    ];
    for (status, body, why, missing) in bodies {
        let (home, api) = (home(), public());
        api.answer_wrongly(Wrong { path, times: 99, status, body });
        let done = home.run(&few(&api.url())).ended_with(1);
        assert!(done.stderr.contains(why), "{why}: {}", done.stderr);
        assert!(done.stderr.contains("error: p3.12 requests: us-east-1: "), "{}", done.stderr);
        assert_eq!(recorded(&home).len(), 9 - missing, "{why}");
        // Once the source is well, the rest comes.
        let well = public();
        home.run(&few(&well.url())).ended_with(0);
        answers_agree(&home, &existing(), &builds());
    }
}

#[test]
fn what_is_no_api_is_refused_and_leaves_the_catalog_alone() {
    let home = home();
    for (url, code, why) in [
        ("klayers.cloud", 2, "is not the base URL of an API"),
        ("file:///etc", 2, "is not the base URL of an API"),
        ("http://127.0.0.1:9", 1, "could not read any list of the API"),
    ] {
        // One target is enough to see it.
        let few = ["--target", "p3.12", "--region", "us-east-1"];
        let refused = home.run(&[&["adopt", "--api", url], &few[..]].concat()).ended_with(code);
        assert!(refused.stderr.contains(why), "{}", refused.stderr);
        assert_eq!(refused.stdout, "");
    }
    let empty = PublicApi::new(Vec::new(), Vec::new());
    let refused = home.run(&["adopt", "--api", &empty.url()]).ended_with(2);
    assert!(refused.stderr.contains("the source has no layers"), "{}", refused.stderr);
    for arguments in [&["adopt"][..], &["adopt", "--api", "http://a", "--table", "b"]] {
        home.run(arguments).ended_with(2);
    }
}

#[test]
fn an_adoption_that_is_killed_anywhere_is_completed_by_the_next() {
    let (undisturbed, api) = (home(), public());
    let seen = undisturbed.path("seen");
    let mut command = undisturbed.command(&few(&api.url()));
    command.env("KLAYERS_FAILPOINTS_SEEN", &seen);
    undisturbed.finish(command.spawn().unwrap()).ended_with(0);
    let places = std::fs::read_to_string(&seen).unwrap();
    assert_eq!(places.lines().count(), 8, "{places}");
    let state = |home: &Home| -> Vec<(String, Status)> {
        recorded(home).into_iter().map(|it| (it.arn.to_string(), it.status)).collect()
    };
    for place in places.lines() {
        let home = home();
        let mut command = home.command(&few(&api.url()));
        command.env("KLAYERS_FAILPOINT", place);
        assert_eq!(command.output().unwrap().status.signal(), Some(9), "{place}");
        // A layer is there as a whole, or not at all.
        let half: Vec<_> = recorded(&home);
        for version in &half {
            let of = |other: &&LayerVersion| {
                (other.build.target, &other.build.package)
                    == (version.build.target, &version.build.package)
            };
            let whole = recorded(&undisturbed);
            assert_eq!(half.iter().filter(of).count(), whole.iter().filter(of).count());
        }
        home.run(&few(&api.url())).ended_with(0);
        assert_eq!(state(&home), state(&undisturbed), "killed at {place}");
        answers_agree(&home, &existing(), &builds());
    }
}
