//! A collection in a home, whose layer versions were published when a test says so.

use std::sync::Arc;

use jiff::SignedDuration;
use klayers_build::catalog::{Catalog, Include, Query, SqliteCatalog};
use klayers_build::publish::{FolderPublisher, LayerUpload, Publisher, describe};
use klayers_core::{Build, Content, Digest, LayerVersion, LayerVersionArn, Status, Timestamp};

use super::command::Home;
use crate::samples::{build, digest, intent, layer, region, with_content};

/// A home whose catalog and folder of published layers are filled by hand.
pub(crate) struct Staged {
    pub(crate) home: Home,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) publisher: Arc<dyn Publisher>,
}

impl Staged {
    /// With these lines at the end of its `klayers.toml`.
    pub(crate) fn new(settings: &str) -> Self {
        let home = Home::new();
        home.collection(&[("p3.12", &["requests"])], &["eu-west-1", "us-east-1"]);
        let file = std::fs::read_to_string(home.path("klayers.toml")).unwrap();
        home.write("klayers.toml", format!("{file}{settings}\n"));
        let catalog = Arc::new(SqliteCatalog::open(home.path("klayers.db")).unwrap());
        let publisher = Arc::new(FolderPublisher::open(home.path("published")).unwrap());
        Self { home, catalog, publisher }
    }

    /// Publishes without recording it.
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

    /// Publishes and records; the version before expires when it is said.
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
        self.catalog.complete(&version, predecessor_expires).await.unwrap();
        version.arn
    }

    /// Versions 1 to 3 of a package in a region: one that expired ten days ago, one that expires in
    /// ten days, and the latest.
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

    /// All that is recorded, as lines without times.
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

    /// All versions that are there in a region.
    pub(crate) async fn there(&self, place: &str) -> Vec<String> {
        let mut found = Vec::new();
        for layer in self.publisher.layers(&region(place)).await.unwrap() {
            let listed = self.publisher.list(&region(place), &layer).await.unwrap();
            found.extend(listed.iter().map(|version| short(&version.arn)));
        }
        found
    }
}

/// What of an ARN tells it from others here: `eu-west-1 requests 3`.
pub(crate) fn short(arn: &LayerVersionArn) -> String {
    let layer = arn.name().as_str();
    let name = layer.rsplit('-').next().unwrap();
    format!("{} {name} {}", arn.region(), arn.version())
}

/// A build for p3.12 whose digest and size are those of a zip that is there.
pub(crate) fn sound(name: &str, version: &str) -> Build {
    let build = build("p3.12", name, version);
    let zip = content(&build);
    let size = zip.len() as u64;
    with_content(build, Content { digest: Digest::of(&zip), size, unzipped_size: 4_194_304 })
}

fn content(build: &Build) -> Vec<u8> {
    format!("{} {} {}", build.target, build.package, build.version).into_bytes()
}

/// The time in so many days.
pub(crate) fn days(days: i64) -> Timestamp {
    now() + SignedDuration::from_hours(24 * days)
}

#[expect(clippy::disallowed_methods, reason = "tests are an edge, too")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
