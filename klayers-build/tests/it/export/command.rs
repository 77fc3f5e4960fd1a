//! The command `export`, to a folder and to S3.

use std::fs;

use klayers_catalog::{Catalog as _, SqliteCatalog};
use klayers_site::export::Manifest;

use crate::publishing::ready;
use crate::samples::{at, build, published};
use crate::support::aws::Account;
use crate::support::command::Home;
use crate::support::disk::Folder::{ReadOnly, Small};

const TO_FOLDER: [&str; 3] = ["export", "--out", "site"];

fn home() -> Home {
    let home = Home::new();
    home.collection(&[("p3.12", &["requests"])], &["eu-west-1"]);
    publish(&home, "1.0", 1);
    home
}

fn publish(home: &Home, version: &str, number: u64) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let catalog = SqliteCatalog::open(home.path("klayers.db")).unwrap();
        let build = build("p3.12", "requests", version);
        catalog.record_build(&build).await.unwrap();
        let version = published(&build, "eu-west-1", number);
        catalog.complete(&version, at("2027-11-01T02:00:00Z")).await.unwrap();
    });
}

#[test]
fn export_prints_what_it_wrote() {
    let home = home();
    let first = home.run(&TO_FOLDER).ended_with(0);
    assert!(first.stdout.starts_with("objects  "), "{}", first.stdout);
    let json = home.run(&["export", "--out", "site", "--json"]).ended_with(0).stdout;
    let done: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&done["written"], &done["removed"]), (&0.into(), &0.into()));
    assert!(done["objects"].as_u64().unwrap() > 10);
    let list = fs::read_to_string(home.path("site/current/api/v2/p3.12/layers/eu-west-1/requests"));
    assert!(list.unwrap().contains("Klayers-p312-requests:1"));
}

#[test]
fn error_names_an_unusable_destination_or_catalog() {
    let home = home();
    for arguments in [&["export"][..], &["export", "--out", "a", "--s3", "b"]] {
        home.run(arguments).ended_with(2);
    }
    home.write("precious/file", "x");
    let refused = home.run(&["export", "--out", "precious"]).ended_with(2);
    assert!(
        refused.stderr.starts_with("error: precious is not a folder that an export made"),
        "{}",
        refused.stderr
    );
    fs::remove_file(home.path("klayers.db")).unwrap();
    let absent = home.run(&TO_FOLDER).ended_with(1);
    assert!(absent.stderr.contains("could not open the catalog"), "{}", absent.stderr);
    assert!(!home.path("klayers.db").exists());
}

#[test]
fn full_or_read_only_disk_leaves_the_current_copy() {
    let home = home();
    // Room for some of the assets only.
    let Some(outcome) = home.run_with("site", Small(48), &TO_FOLDER) else { return };
    let outcome = outcome.ended_with(1);
    assert!(outcome.stderr.starts_with("error: could not write "), "{}", outcome.stderr);
    assert!(!outcome.stdout.contains("current"), "{}", outcome.stdout);

    fs::remove_dir_all(home.path("site")).unwrap();
    home.run(&TO_FOLDER).ended_with(0);
    publish(&home, "2.0", 2);
    let list = home.path("site/current/api/v2/p3.12/layers/eu-west-1/requests");
    let before = fs::read(&list).unwrap();
    if let Some(outcome) = home.run_with("site", ReadOnly, &TO_FOLDER) {
        let outcome = outcome.ended_with(1);
        assert!(outcome.stderr.starts_with("error: could not make "), "{}", outcome.stderr);
        assert_eq!(fs::read(&list).unwrap(), before);
    }
    home.run(&TO_FOLDER).ended_with(0);
    assert_ne!(fs::read(&list).unwrap(), before);
}

#[test]
fn bucket_holds_the_copy_with_its_header_fields() {
    let Some(endpoint) = ready() else { return };
    let (home, account) = (home(), Account::new());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bucket = format!("klayers-site-{}", account.id());
    let s3 = aws_sdk_s3::config::Builder::from(&account.config(&endpoint))
        .region(aws_config::Region::new("us-east-1"))
        .force_path_style(true)
        .build();
    let s3 = aws_sdk_s3::Client::from_conf(s3);
    runtime.block_on(s3.create_bucket().bucket(&bucket).send()).unwrap();
    let export = || {
        let mut command = home.command(&["export", "--s3", &bucket, "--json"]);
        command
            .envs(account.environment())
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL", endpoint.as_str());
        let outcome = home.finish(command.spawn().unwrap()).ended_with(0);
        serde_json::from_str::<serde_json::Value>(&outcome.stdout).unwrap()
    };
    let first = export();
    assert_eq!(first["written"], first["objects"]);
    publish(&home, "2.0", 2);
    let second = export();
    assert_eq!(second["written"], 9, "the stale documents: {second}");
    let third = export();
    assert_eq!(third["written"], 0);

    home.run(&TO_FOLDER).ended_with(0);
    let manifest = fs::read(home.path("site/current/manifest.json")).unwrap();
    let manifest = Manifest::parse(&manifest, "site").unwrap();
    runtime.block_on(async {
        for (name, object) in &manifest.objects {
            let found = s3.get_object().bucket(&bucket).key(name).send().await.unwrap();
            for (field, sent) in [
                ("content-type", found.content_type()),
                ("cache-control", found.cache_control()),
                ("content-disposition", found.content_disposition()),
            ] {
                assert_eq!(sent, object.headers.get(field).map(String::as_str), "{name}: {field}");
            }
            let body = found.body.collect().await.unwrap().into_bytes();
            assert_eq!(body, fs::read(home.path("site/current").join(name)).unwrap(), "{name}");
        }
    });
}

#[test]
fn error_names_a_missing_bucket() {
    let Some(endpoint) = ready() else { return };
    let (home, account) = (home(), Account::new());
    let mut command = home.command(&["export", "--s3", "no-such-bucket-of-klayers"]);
    command
        .envs(account.environment())
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", endpoint.as_str());
    let outcome = home.finish(command.spawn().unwrap()).ended_with(1);
    let expected = "error: could not read s3://no-such-bucket-of-klayers/manifest.json";
    assert!(outcome.stderr.starts_with(expected), "{}", outcome.stderr);
}
