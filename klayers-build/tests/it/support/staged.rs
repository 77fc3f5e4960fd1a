//! A collection in a home, whose layer versions are published at times that a test chooses.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;

use jiff::SignedDuration;
use klayers_catalog::{Catalog, Include, Query, SqliteCatalog};
use klayers_core::{Build, Content, Digest, LayerVersion, LayerVersionArn, Status, Timestamp};
use klayers_publish::{
    AwsOptions, FolderPublisher, LambdaPublisher, LayerUpload, Pointer, Publisher, describe,
};
use url::Url;

use super::aws::{Account, Contents, boto_pointers, boto_view};
use super::command::Home;
use super::empty_zip;
use crate::samples::{build, digest, intent, layer, region, with_content};

const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

/// A home whose catalog and published layers are filled by the test.
pub(crate) struct Staged {
    pub(crate) home: Home,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) publisher: Arc<dyn Publisher>,
    /// The account that layers are published in; `None` if they are published to a folder.
    account: Option<(Account, Url)>,
}

impl Staged {
    /// A collection with these lines at the end of its `klayers.toml`.
    pub(crate) fn new(settings: &str) -> Self {
        let home = Home::new();
        let publisher = Arc::new(FolderPublisher::open(home.path("published")).unwrap());
        Self::fill(home, settings, publisher, None)
    }

    /// The same in an AWS account of an emulator, with pointers. The lines may end with lines of
    /// the section `[publish]`.
    pub(crate) async fn in_aws(settings: &str, endpoint: &Url) -> Self {
        let (mut home, account) = (Home::new(), Account::new());
        for (variable, value) in account.environment() {
            home.tell(variable, value);
        }
        home.tell("AWS_ENDPOINT_URL", endpoint.as_str());
        let options = AwsOptions { pointers: true, ..AwsOptions::default() };
        let regions = REGIONS.map(region);
        let config = account.config(endpoint);
        let publisher = LambdaPublisher::with_config(&config, options, &regions).await.unwrap();
        let section = if settings.contains("[publish]") { "" } else { "[publish]\n" };
        let aws = "target = \"aws\"\n[publish.aws]\npointers = true";
        let settings = format!("{settings}\n{section}{aws}");
        Self::fill(home, &settings, Arc::new(publisher), Some((account, endpoint.clone())))
    }

    fn fill(
        home: Home,
        settings: &str,
        publisher: Arc<dyn Publisher>,
        account: Option<(Account, Url)>,
    ) -> Self {
        home.collection(&[("p3.12", &["requests"])], &REGIONS);
        let file = std::fs::read_to_string(home.path("klayers.toml")).unwrap();
        home.write("klayers.toml", format!("{file}{settings}\n"));
        let catalog = Arc::new(SqliteCatalog::open(home.path("klayers.db")).unwrap());
        Self { home, catalog, publisher, account }
    }

    /// Publishes a build without recording it.
    pub(crate) async fn publish_unrecorded(
        &self,
        build: &Build,
        place: &str,
        when: Timestamp,
    ) -> LayerVersion {
        let zip = self.home.write("zip", content(build));
        let upload = LayerUpload {
            name: layer(build),
            target: build.target,
            description: describe(build, digest(build)),
            license: None,
            zip,
            digest: digest(build),
            size: build.content().unwrap().size,
        };
        let published = self.publisher.publish(&region(place), &upload, when).await.unwrap();
        LayerVersion {
            arn: published.arn,
            build: build.clone(),
            created_at: Some(when),
            status: Status::Latest,
        }
    }

    /// Publishes and records a build. The previous version expires at `predecessor_expires`.
    pub(crate) async fn publish(
        &self,
        build: &Build,
        place: &str,
        when: Timestamp,
        predecessor_expires: Timestamp,
    ) -> LayerVersionArn {
        self.catalog.record_build(build).await.unwrap();
        self.catalog.begin(&intent(build, place)).await.unwrap();
        let version = self.publish_unrecorded(build, place, when).await;
        self.record(&version, predecessor_expires).await;
        version.arn
    }

    /// Records a version as the latest, and moves the pointer to it.
    pub(crate) async fn record(&self, version: &LayerVersion, predecessor_expires: Timestamp) {
        let LayerVersion { arn, build, .. } = version;
        self.catalog.record_build(build).await.unwrap();
        self.catalog.complete(version, predecessor_expires).await.unwrap();
        let pointer = Pointer {
            region: arn.region().clone(),
            target: build.target,
            package: build.package.clone(),
            latest: Some(arn.clone()),
        };
        self.publisher.point(&pointer).await.unwrap();
    }

    /// Publishes versions 1 to 3 of a package in a region: one that expired ten days ago, one that
    /// expires in ten days, and the latest.
    pub(crate) async fn three(&self, name: &str, place: &str) -> [LayerVersionArn; 3] {
        let mut arns = Vec::new();
        for (version, published, predecessor_expires) in
            [("1", -400, 0), ("2", -375, -10), ("3", -1, 10)]
        {
            let (build, expires) = (sound(name, version), days(predecessor_expires));
            arns.push(self.publish(&build, place, days(published), expires).await);
        }
        arns.try_into().unwrap()
    }

    /// Returns all records as lines without times.
    pub(crate) async fn recorded(&self) -> Vec<String> {
        let query = Query { include: Include::All, ..Query::default() };
        let versions = self.catalog.layer_versions(&query).await.unwrap();
        let line = |version: &LayerVersion| {
            let status = match &version.status {
                Status::Latest => "latest",
                Status::Deprecated { yanked: Some(_), .. } => "withdrawn",
                Status::Deprecated { .. } => "deprecated",
                Status::Deleted { .. } => "deleted",
            };
            format!("{} {status}", short(&version.arn))
        };
        versions.iter().map(line).collect()
    }

    /// Checks that boto3 sees exactly the versions that are recorded as existing, with the recorded
    /// content, and that the pointers name the recorded latest versions. Only for versions in an
    /// account.
    pub(crate) async fn agrees_with_boto3(&self) {
        let Some((account, endpoint)) = &self.account else { return };
        let seen = boto_view(endpoint, account, &REGIONS, Contents::Listed);
        let versions = seen.as_object().unwrap().values();
        let layers = versions.flat_map(|layers| layers.as_object().unwrap().values());
        let there: BTreeMap<String, String> = layers
            .flat_map(|versions| versions.as_array().unwrap())
            .map(|version| {
                let text = |field: &str| version[field].as_str().unwrap().to_owned();
                (text("arn"), text("code_sha256"))
            })
            .collect();
        let query = Query { include: Include::Existing, ..Query::default() };
        let recorded = self.catalog.layer_versions(&query).await.unwrap();
        let contents = recorded
            .iter()
            .map(|version| (version.arn.to_string(), digest(&version.build).to_base64()));
        assert_eq!(there, contents.collect());
        let latest = recorded.iter().filter(|version| version.status == Status::Latest);
        let pointers = latest.map(|version| {
            let Build { target, package, .. } = &version.build;
            let name = format!("{} /klayers/{target}/{package}/latest", version.region());
            (name, version.arn.to_string())
        });
        assert_eq!(boto_pointers(endpoint, account, &REGIONS), pointers.collect());
    }

    /// Replaces the account's number in an output with that of the folder publisher.
    pub(crate) fn anonymous(&self, said: &str) -> String {
        match &self.account {
            Some((account, _)) => said.replace(account.id(), "000000000000"),
            None => said.to_owned(),
        }
    }

    /// Returns the visits of failpoints by a command, in order.
    pub(crate) fn visits(&self, arguments: &[&str], code: i32) -> Vec<String> {
        let seen = self.home.path("seen");
        let mut command = self.home.command(arguments);
        command.env("KLAYERS_FAILPOINTS_SEEN", &seen);
        self.home.finish(command.spawn().unwrap()).ended_with(code);
        let visits = std::fs::read_to_string(&seen).unwrap();
        visits.lines().map(str::to_owned).collect()
    }

    /// Kills a command at a visit of a failpoint.
    #[track_caller]
    pub(crate) fn kill_at(&self, arguments: &[&str], visit: &str) {
        let mut command = self.home.command(arguments);
        command.env("KLAYERS_FAILPOINT", visit);
        assert_eq!(command.output().unwrap().status.signal(), Some(9), "{visit}");
    }

    /// Returns all existing versions in a region.
    pub(crate) async fn there(&self, place: &str) -> Vec<String> {
        let mut found = Vec::new();
        for layer in self.publisher.layers(&region(place)).await.unwrap() {
            let listed = self.publisher.list(&region(place), &layer).await.unwrap();
            found.extend(listed.iter().map(|version| short(&version.arn)));
        }
        found
    }
}

/// A short form of an ARN: `eu-west-1 requests 3`.
pub(crate) fn short(arn: &LayerVersionArn) -> String {
    let layer = arn.name().as_str();
    let name = layer.rsplit('-').next().unwrap();
    format!("{} {name} {}", arn.region(), arn.version())
}

/// A build for p3.12 that matches an existing zip in digest and size.
pub(crate) fn sound(name: &str, version: &str) -> Build {
    sound_for("p3.12", name, version)
}

/// The same for another target.
pub(crate) fn sound_for(target: &str, name: &str, version: &str) -> Build {
    let build = build(target, name, version);
    let zip = content(&build);
    let size = zip.len() as u64;
    with_content(build, Content { digest: Digest::of(&zip), size, unzipped_size: 4_194_304 })
}

fn content(build: &Build) -> Vec<u8> {
    empty_zip(&format!("{} {} {}", build.target, build.package, build.version))
}

/// The time in this many days.
pub(crate) fn days(days: i64) -> Timestamp {
    now() + SignedDuration::from_hours(24 * days)
}

#[expect(clippy::disallowed_methods, reason = "tests are an edge, too")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
