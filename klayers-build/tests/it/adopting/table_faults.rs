//! Tables with items that are not what they should be, and tables that cannot be read.

use super::table::{Item, Public, item, items, number, text, version_item};
use super::*;
use crate::publishing::Served;
use crate::support::aws::{Fault, Operation, Rule};

/// The item of `requests` 9 in us-east-1, changed.
fn changed(name: &str, value: Option<aws_sdk_dynamodb::types::AttributeValue>) -> Item {
    let row = rows().into_iter().find(|row| row.number == 9).unwrap();
    let mut item = version_item(&row);
    match value {
        Some(value) => item.insert(name.to_owned(), value),
        None => item.remove(name),
    };
    item
}

#[test]
fn items_that_cannot_be_read_are_left_out_and_told() {
    let Some(public) = Public::new() else { return };
    public.make();
    let home = home();
    for (name, value, why) in [
        ("arn", None, "it has no arn"),
        ("arn", Some(text("arn:aws:lambda")), "not a layer version ARN"),
        ("arn", Some(text(&rows()[1].arn().replace("requests:10", "numpy:9"))), "another package"),
        ("arn", Some(text(&rows()[2].arn().replace("us-east-1", "us-west-1"))), "another region"),
        ("pckgVrsn", Some(text("new")), "not a package version"),
        ("pckgVrsn", Some(number(&2)), "its pckgVrsn is no text"),
        ("rqrmntsTxt", None, "it has no rqrmntsTxt"),
        ("rqrmntsTxt", Some(text("requests @ file:///tmp/requests")), "name==version"),
        ("rgn", Some(text("eu-west-1")), "its key differs"),
        ("pckg", Some(text("numpy")), "its key differs"),
        ("rqrmntsHsh", Some(text("none")), "not a SHA-256 digest"),
        ("exDt", Some(text("soon")), "no time"),
        ("exDt", None, "it is deprecated, but has no exDt"),
        ("dplySts", Some(text("gone")), "its dplySts is \"gone\""),
    ] {
        public.put(items());
        public.put([changed(name, value)]);
        let home = super::home();
        let done = public.adopt(&home, &[]).ended_with(1);
        assert!(done.stderr.contains(why), "{name}: {why}: {}", done.stderr);
        assert!(done.stderr.contains("p3.12 requests: us-east-1"), "{}", done.stderr);
        assert_eq!(recorded(&home).len(), 9, "{name}: {why}");
    }
    // What is odd, and says enough.
    public.put(items());
    public.put([changed("exDt", Some(number(&"1893456011.75")))]);
    public.put([changed("crtdDt", None)]);
    public.adopt(&home, &[]).ended_with(0);
    answers_agree(&home, &rows(), &builds());
    // Keys that are not what they begin like.
    for (pk, sk) in [("lyr#us-east-1:requests", "a"), ("lyr#us-east-1:requests:p3.12", "x")] {
        public.put([item(&[("pk", text(pk)), ("sk", text(sk))])]);
    }
    let done = public.adopt(&home, &["--json"]).ended_with(1);
    let json: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(json["leftOut"].as_array().unwrap().len(), 2, "{json}");
    assert_eq!(json["unchanged"], 10);
}

#[test]
fn of_two_that_are_the_latest_the_newest_is_taken() {
    let Some(public) = Public::new() else { return };
    public.make();
    public.put(items());
    public.put([changed("dplySts", Some(text("latest")))]);
    let home = home();
    let done = public.adopt(&home, &[]).ended_with(1);
    assert!(
        done.stderr.contains("requests:9 is marked as the latest, but so is"),
        "{}",
        done.stderr
    );
    assert_eq!(recorded(&home).len(), 9);
}

#[test]
fn a_pointer_without_a_record_is_told_and_not_adopted() {
    let Some(public) = Public::new() else { return };
    public.make();
    let newest = rows().into_iter().find(|row| row.number == 10).unwrap();
    public.put(items().into_iter().filter(|item| item["sk"] != text("lyrVrsn#v11")));
    let home = home();
    let done = public.adopt(&home, &[]).ended_with(1);
    let told = format!(
        "error: p3.12 requests: us-east-1: the table points to {} as the newest version, but has \
         no record of it\n",
        newest.arn()
    );
    assert!(done.stderr.contains(&told), "{}", done.stderr);
    assert!(!recorded(&home).iter().any(|version| version.arn.to_string() == newest.arn()));
}

#[test]
fn a_table_that_is_not_there_and_missing_credentials_are_said() {
    let Some(public) = Public::new() else { return };
    let home = home();
    let refused = public.adopt(&home, &[]).ended_with(2);
    assert!(refused.stderr.contains("this account has no table kl.public in us-east-1"));

    let mut command = home.command(&["adopt", "--table", "kl.public"]);
    command
        .env("AWS_ENDPOINT_URL", public.endpoint.as_str())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    let refused = home.finish(command.spawn().unwrap()).ended_with(2);
    assert!(refused.stderr.contains("the region of the table"), "{}", refused.stderr);
    command.args(["--table-region", "eu-west-1"]);
    let refused = home.finish(command.spawn().unwrap()).ended_with(2);
    assert!(
        refused.stderr.contains("could not find AWS credentials that may read"),
        "{}",
        refused.stderr
    );
    assert_eq!(refused.stdout, "");
}

#[test]
fn a_table_that_is_never_answered_for_is_told() {
    let Some(mut public) = Public::new() else { return };
    public.make();
    let served = Served::before(&public.endpoint, [Rule::new(Fault::Silent).on(Operation::Scan)]);
    public.endpoint = served.proxy.url();
    let home = home();
    let settings = std::fs::read_to_string(home.path("klayers.toml")).unwrap();
    home.write("klayers.toml", format!("{settings}[publish]\ndeadline = 2\n"));
    let ended = public.adopt(&home, &[]).ended_with(1);
    assert!(ended.stderr.contains("could not read the table kl.public"), "{}", ended.stderr);
    assert!(ended.stderr.contains("Scan in us-east-1: no answer in "), "{}", ended.stderr);
}
