//! A version whose policy is not the expected one.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::Region;
use klayers_core::Status;

use super::{Collection, ready};

const LAYER: &str = "Klayers-p312-be-ta";

/// Grants access to version 1 of the layer, under a statement ID.
async fn grant(client: &Client, statement: &str, principal: &str) {
    let request = client.add_layer_version_permission().layer_name(LAYER).version_number(1);
    let request = request.statement_id(statement).principal(principal);
    request.action("lambda:GetLayerVersion").send().await.unwrap();
}

#[test]
fn version_with_foreign_policy_is_reported_and_listed_after_fix() {
    let Some(endpoint) = ready() else { return };
    let collection = Collection::new(&["eu-west-1", "us-east-1"]);
    let mut command =
        collection.command(&["run", "--package", "be.ta", "--region", "eu-west-1"], &endpoint);
    command.env("KLAYERS_FAILPOINT", "published:1");
    assert_eq!(collection.home.finish(command.spawn().unwrap()).code, None);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = collection.account.config(&endpoint).to_builder();
    let client = Client::new(&config.region(Region::from_static("eu-west-1")).build());
    runtime.block_on(grant(&client, "make_public", "123456789012"));

    // Other layers are published, even in this region.
    let failed = collection.run(&["run"], &endpoint).ended_with(1);
    for part in ["be.ta", "eu-west-1", "123456789012"] {
        assert!(failed.stderr.contains(part), "{part}: {}", failed.stderr);
    }
    assert!(failed.stdout.contains("eu-west-1"), "{}", failed.stdout);
    let told = collection.run(&["reconcile"], &endpoint).ended_with(1);
    let line = told.stdout.lines().next().unwrap();
    assert!(line.starts_with("stuck arn:aws:lambda:eu-west-1:"), "{}", told.stdout);
    assert!(line.ends_with("; --repair tries again"), "{}", told.stdout);
    assert_eq!(told.stdout.lines().count(), 1, "{}", told.stdout);
    collection.run(&["reconcile", "--repair"], &endpoint).ended_with(1);

    // Somebody makes it public under a different statement ID.
    runtime.block_on(async {
        let remove = client.remove_layer_version_permission().layer_name(LAYER).version_number(1);
        remove.statement_id("make_public").send().await.unwrap();
        grant(&client, "by-hand", "*").await;
    });
    collection.run(&["reconcile", "--repair"], &endpoint).ended_with(0);
    collection.run(&["reconcile"], &endpoint).ended_with(0);
    let unchanged = collection.run(&["run"], &endpoint).ended_with(0);
    assert!(unchanged.tally().contains("0 layer versions published"), "{}", unchanged.stderr);
    let recorded = collection.recorded();
    assert_eq!(recorded.len(), 4);
    assert!(recorded.iter().all(|version| version.status == Status::Latest), "{recorded:?}");
}
