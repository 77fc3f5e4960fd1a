//! From the DynamoDB table of the public collection, on moto.

use std::collections::HashMap;

use aws_config::{BehaviorVersion, Region as AwsRegion, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType,
};
use klayers_core::Status;
use tokio::runtime::Runtime;
use url::Url;

use super::*;
use crate::support::aws::{Account, moto};
use crate::support::command::Outcome;

pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub(super) fn number(value: &impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn item(attributes: &[(&str, AttributeValue)]) -> Item {
    attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// A table in an account of its own.
pub(super) struct Public {
    pub(super) endpoint: Url,
    account: Account,
    client: Client,
    runtime: Runtime,
}

impl Public {
    pub(super) const TABLE: &str = "kl.public";

    /// None where moto was not started.
    pub(super) fn new() -> Option<Self> {
        let endpoint = moto()?;
        let account = Account::new();
        let settings = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(AwsRegion::from_static("us-east-1"))
            .endpoint_url(endpoint.as_str())
            .credentials_provider(aws_sdk_dynamodb::config::SharedCredentialsProvider::new(
                Credentials::new(account.id(), "test", None, None, "test"),
            ))
            .build();
        let client = Client::new(&settings);
        Some(Self { endpoint, account, client, runtime: Runtime::new().unwrap() })
    }

    pub(super) fn make(&self) {
        let key = |name: &str, kind: KeyType| {
            KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
        };
        let attribute = |name: &str| {
            AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(ScalarAttributeType::S)
                .build()
                .unwrap()
        };
        let made = self
            .client
            .create_table()
            .table_name(Self::TABLE)
            .key_schema(key("pk", KeyType::Hash))
            .key_schema(key("sk", KeyType::Range))
            .attribute_definitions(attribute("pk"))
            .attribute_definitions(attribute("sk"))
            .billing_mode(BillingMode::PayPerRequest)
            .send();
        self.runtime.block_on(made).unwrap();
    }

    pub(super) fn put(&self, items: impl IntoIterator<Item = Item>) {
        for item in items {
            let put = self.client.put_item().table_name(Self::TABLE).set_item(Some(item)).send();
            self.runtime.block_on(put).unwrap();
        }
    }

    pub(super) fn adopt(&self, home: &Home, arguments: &[&str]) -> Outcome {
        let mut command = home.command(&[&["adopt", "--table", Self::TABLE], arguments].concat());
        command
            .env("AWS_ENDPOINT_URL", self.endpoint.as_str())
            .env("AWS_REGION", "us-east-1")
            .envs(self.account.environment());
        home.finish(command.spawn().unwrap())
    }
}

/// A layer version as the public collection stores it. The collection's own count differs from the
/// version that AWS gave.
pub(super) fn version_item(row: &Row) -> Item {
    let Row { target, region, package, number: of, version, dependencies, .. } = row;
    let requirements = dependencies.join("\n");
    let count = of + 1;
    let mut item = item(&[
        ("pk", text(&format!("lyr#{region}:{package}:{target}"))),
        ("sk", text(&format!("lyrVrsn#v{count}"))),
        ("pckg", text(package)),
        ("pckgVrsn", text(version)),
        ("rgn", text(region)),
        ("arn", text(&row.arn())),
        ("rqrmntsTxt", text(&requirements)),
        ("rqrmntsHsh", text(&klayers_core::Digest::of(requirements.as_bytes()).to_string())),
        ("crtdDt", text(&format!("2023-09-{:02}T02:05:11.123456", row.number))),
        ("lyrVrsn", number(&count)),
        ("pyVrsn", text(target)),
    ]);
    if row.deleted {
        item.insert("dltdDt".to_owned(), text("2020-09-13T12:27:40.123456"));
        return item;
    }
    item.insert("dplySts".to_owned(), text(row.status()));
    if let Some(expires) = row.expires {
        item.insert("exDt".to_owned(), number(&expires));
    }
    item
}

/// The item that points to a version.
fn pointer(row: &Row) -> Item {
    let mut item = version_item(row);
    for attribute in ["pckg", "rgn", "dplySts"] {
        item.remove(attribute);
    }
    item.insert("sk".to_owned(), text("lyrVrsn0#"));
    item
}

/// All items: each version, the pointers, the builds, and what is neither.
pub(super) fn items() -> Vec<Item> {
    let all = rows();
    let mut items: Vec<Item> = all.iter().map(version_item).collect();
    for row in all.iter().filter(|row| row.expires.is_none()) {
        items.push(pointer(row));
    }
    for build in builds() {
        let BuildOf { target, package, version, dependencies, nameless, .. } = build;
        let mut newest = item(&[
            ("pk", text(&format!("bldVrsn0#{target}"))),
            ("sk", text(&format!("pckg#{package}"))),
            ("pckgVrsn", text(version)),
            ("rqrmntsTxt", text(&dependencies.join("\n"))),
            ("bltVrsn", number(&4)),
            ("crtdDt", text(CREATED)),
        ]);
        let mut numbered = newest.clone();
        numbered.insert("pk".to_owned(), text(&format!("bld#v4:{target}")));
        numbered.insert("pckg".to_owned(), text(package));
        if !nameless {
            newest.insert("pckg".to_owned(), text(package));
        }
        items.extend([newest, numbered]);
    }
    items.push(item(&[("pk", text("stats#2023")), ("sk", text("total")), ("count", number(&7))]));
    items
}

#[test]
fn what_the_table_holds_is_listed_here_row_for_row() {
    let Some(public) = Public::new() else { return };
    public.make();
    public.put(items());
    let home = home();
    public.adopt(&home, &["--dry-run"]).ended_with(0);
    assert!(!home.path("klayers.db").exists());
    let done = public.adopt(&home, &[]).ended_with(0);
    assert_eq!(
        done.stdout,
        "latest     5\ndeprecated 4\ndeleted    1\nbuilds     2\n\
         recorded: 10 new, 0 changed, 2 latest builds\n"
    );
    answers_agree(&home, &rows(), &builds());
    let all = recorded(&home);
    let deleted = all.iter().find(|it| matches!(it.status, Status::Deleted { .. })).unwrap();
    let at = jiff::Timestamp::from_second(1_600_000_060).unwrap();
    assert_eq!(deleted.status, Status::Deleted { at });
    assert_eq!(done.stderr, "4 layers: 10 layer versions adopted, 0 unchanged, 0 left out\n");
    for version in &all {
        let at = format!("2023-09-{:02}T02:05:11Z", version.arn.version());
        assert_eq!(version.created_at, Some(at.parse().unwrap()), "{}", version.arn);
    }
    let again = public.adopt(&home, &[]).ended_with(0);
    assert!(again.stderr.ends_with("0 layer versions adopted, 10 unchanged, 0 left out\n"));
    assert_eq!(recorded(&home), all);
}

#[test]
fn a_table_of_many_pages_is_read_to_its_end() {
    let Some(public) = Public::new() else { return };
    public.make();
    let filler = "x".repeat(300_000);
    // A page has one megabyte at most.
    public.put((0..12).map(|index| {
        let place = format!("other#{index}");
        item(&[("pk", text(&place)), ("sk", text("a")), ("filler", text(&filler))])
    }));
    public.put(items());
    let home = home();
    public.adopt(&home, &["--json"]).ended_with(0);
    answers_agree(&home, &rows(), &builds());
}

#[test]
fn the_api_and_the_table_say_the_same() {
    let Some(public) = Public::new() else { return };
    public.make();
    public.put(items());
    let home = home();
    let api = PublicApi::new(rows(), builds());
    home.run(&["adopt", "--api", &api.url()]).ended_with(0);
    // The table adds what is deleted, and when all was published.
    let done = public.adopt(&home, &[]).ended_with(0);
    assert!(done.stdout.contains("recorded: 1 new, 9 changed"), "{}", done.stdout);
    assert!(recorded(&home).iter().all(|version| version.created_at.is_some()));
    let again = home.run(&["adopt", "--api", &api.url()]).ended_with(0);
    assert!(again.stdout.contains("recorded: 0 new, 0 changed"), "{}", again.stdout);
    answers_agree(&home, &rows(), &builds());
}
