//! Runs that publish to AWS, on LocalStack: each layer exactly once, despite failures and kills.

use std::collections::BTreeMap;
use std::process::Command;

use klayers_catalog::{Catalog as _, Include, Query, SqliteCatalog};
use klayers_core::{LayerVersion, Status};
use serde_json::Value;
use url::Url;

use crate::samples::digest;
use crate::support::WheelFile;
use crate::support::aws::{Account, Contents, boto_view, localstack};
use crate::support::command::{Home, Outcome, uv_is_there};

mod faults;
mod killed;
mod stuck;

pub(crate) use faults::Served;

/// The 34 regions of the partition `aws`.
pub(crate) const REGIONS: [&str; 34] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ap-southeast-6",
];

/// A collection that is published to AWS, in an account of its own.
pub(crate) struct Collection {
    pub(crate) home: Home,
    pub(crate) account: Account,
    regions: Vec<&'static str>,
}

impl Collection {
    /// Two layers: alpha contains gamma, and the other has a dot in its name.
    pub(crate) fn new(regions: &[&'static str]) -> Self {
        let home = Home::new();
        home.wheels(&[
            WheelFile::new("Alpha", "1.0").requires("gamma").file("alpha.py", "import gamma\n"),
            WheelFile::new("be.ta", "1.0").file("beta.py", "y = 1\n"),
            WheelFile::new("gamma", "1.0").file("gamma.py", "z = 1\n"),
        ]);
        home.collection(&[("p3.12", &["Alpha", "be.ta"])], regions);
        let settings = std::fs::read_to_string(home.path("klayers.toml")).unwrap();
        home.write(
            "klayers.toml",
            format!(
                "{settings}[publish]\ntarget = \"aws\"\npublic = true\n\
                 [publish.aws]\nlongest_publication = 0\n"
            ),
        );
        Self { home, account: Account::new(), regions: regions.to_vec() }
    }

    /// Sets how many seconds after its request a version may still appear. Tests that wait until
    /// AWS has finished all requests do not need this.
    pub(crate) fn longest_publication(&self, seconds: u64) {
        let settings = std::fs::read_to_string(self.home.path("klayers.toml")).unwrap();
        let now = format!("longest_publication = {seconds}\n");
        self.home.write("klayers.toml", settings.replace("longest_publication = 0\n", &now));
    }

    /// Sets the deadline for one layer in one region, in seconds.
    pub(crate) fn deadline(&self, seconds: u64) {
        let settings = std::fs::read_to_string(self.home.path("klayers.toml")).unwrap();
        let with = format!("[publish]\ndeadline = {seconds}\n");
        self.home.write("klayers.toml", settings.replace("[publish]\n", &with));
    }

    /// Adds a newer gamma, so that alpha's layer changes.
    pub(crate) fn change(&self) {
        self.home.wheels(&[WheelFile::new("gamma", "2.0").file("gamma.py", "z = 2\n")]);
    }

    pub(crate) fn command(&self, arguments: &[&str], endpoint: &Url) -> Command {
        let mut command = self.home.command(arguments);
        command.envs(self.account.environment()).env("AWS_ENDPOINT_URL", endpoint.as_str());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str], endpoint: &Url) -> Outcome {
        self.home.finish(self.command(arguments, endpoint).spawn().unwrap())
    }

    /// Returns all recorded layer versions. Checks that nothing is under way.
    pub(crate) fn recorded(&self) -> Vec<LayerVersion> {
        let catalog = SqliteCatalog::open_read_only(self.home.path("klayers.db")).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            assert_eq!(catalog.under_way().await.unwrap(), []);
            assert_eq!(catalog.deletions_under_way().await.unwrap(), []);
            let query = Query { include: Include::All, ..Query::default() };
            catalog.layer_versions(&query).await.unwrap()
        })
    }

    /// Returns what boto3 sees in all regions.
    pub(crate) fn seen(&self, endpoint: &Url, contents: Contents) -> Value {
        boto_view(endpoint, &self.account, &self.regions, contents)
    }

    /// Checks that AWS has exactly the versions that are recorded as existing, each once, public
    /// and with the right content.
    pub(crate) fn agrees(&self, endpoint: &Url, contents: Contents) {
        let seen = self.seen(endpoint, contents);
        let mut there: BTreeMap<String, Value> = BTreeMap::new();
        for (region, layers) in seen.as_object().unwrap() {
            for versions in layers.as_object().unwrap().values() {
                for version in versions.as_array().unwrap() {
                    let arn = version["arn"].as_str().unwrap();
                    assert!(arn.contains(region.as_str()));
                    there.insert(arn.to_owned(), version.clone());
                }
            }
        }
        let mut recorded = self.recorded();
        recorded.retain(|version| !matches!(version.status, Status::Deleted { .. }));
        let named: Vec<String> = recorded.iter().map(|version| version.arn.to_string()).collect();
        let mut sorted = named.clone();
        sorted.sort();
        assert_eq!(sorted, there.keys().cloned().collect::<Vec<String>>());
        for version in &recorded {
            let seen = &there[&version.arn.to_string()];
            let build = &version.build;
            assert_eq!(seen["code_sha256"], digest(build).to_base64(), "{seen:#}");
            assert_eq!(seen["statements"][0]["Sid"], "make_public", "{seen:#}");
            let description = seen["description"].as_str().unwrap();
            assert!(description.starts_with(&format!("{}=={}", build.package, build.version)));
            if contents == Contents::Downloaded {
                assert_eq!(seen["downloaded"], digest(build).to_string(), "{seen:#}");
            }
        }
    }
}

/// Returns LocalStack's URL if the tests can run.
#[track_caller]
pub(crate) fn ready() -> Option<Url> {
    if !uv_is_there() {
        return None;
    }
    localstack()
}
