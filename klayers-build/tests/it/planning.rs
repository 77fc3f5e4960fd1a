//! Plans a month against a catalog, like `make bench` does with a million layer versions, but with
//! few.

use std::collections::BTreeMap;
use std::sync::Arc;

use klayers_build::pipeline::{PlannedLayer, Records};
use klayers_build::plan::{BuildStep, Contents, Force, PublishReason, Republish, Wanted};
use klayers_catalog::report::BuildReason;
use klayers_catalog::{Catalog, Include, Query, SqliteCatalog};
use klayers_core::{Build, Digest, LayerName, Origin, Region, Yank};
use klayers_layer::lock::Lock;

use crate::samples::{at, build, intent, package, published, region, target};
use crate::support::parse;

const PACKAGES: [&str; 4] = ["alpha", "beta", "gamma", "delta"];
const TARGETS: [&str; 3] = ["p3.12", "p3.12-arm64", "p3.13"];
const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-5"];

/// All layers of the collection.
fn wanted() -> Vec<Wanted> {
    let layers = TARGETS.iter().flat_map(|of| PACKAGES.map(|name| (target(of), name)));
    layers
        .map(|(target, name)| Wanted {
            target,
            contents: Contents::Package(name.parse().unwrap()),
            layer: LayerName::new("Klayers", target, name).unwrap(),
        })
        .collect()
}

fn regions() -> Vec<Region> {
    REGIONS.map(region).to_vec()
}

/// The lock of a layer when its package has this version.
fn lock(wanted: &Wanted, version: &str) -> Lock {
    let name = wanted.contents.name();
    let file = format!("{name}-{version}-py3-none-any.whl");
    let digest = Digest::of(format!("{file} for {}", wanted.target).as_bytes());
    let text = format!(
        "lock-version = \"1.0\"\n[[packages]]\nname = \"{name}\"\nversion = \"{version}\"\n\
         wheels = [{{ name = \"{file}\", url = \"https://index.example/{file}\", \
         hashes = {{ sha256 = \"{digest}\" }} }}]\n"
    );
    parse(&text, wanted.target)
}

fn build_of(wanted: &Wanted, version: &str) -> Build {
    let lock = lock(wanted, version);
    let sample = build(&wanted.target.to_string(), wanted.contents.name().normalized(), version);
    Build {
        dependencies: lock.pins(),
        requirements_hash: lock.requirements_hash(),
        origin: Origin::Locked {
            wheels_hash: lock.wheels_hash(),
            lock_digest: Digest::of(version.as_bytes()),
            content: *sample.content().unwrap(),
        },
        ..sample
    }
}

/// A catalog in which every layer was published twice in every region.
async fn catalog() -> SqliteCatalog {
    let catalog = SqliteCatalog::in_memory().unwrap();
    for (number, version) in [(1, "1.0"), (2, "2.0")] {
        for wanted in wanted() {
            let build = build_of(&wanted, version);
            catalog.record_build(&build).await.unwrap();
            for region in REGIONS {
                catalog.begin(&intent(&build, region)).await.unwrap();
                let made = published(&build, region, number);
                catalog.complete(&made, at("2027-11-01T02:00:00Z")).await.unwrap();
            }
        }
    }
    catalog
}

/// Plans all layers. One of them is resolved to another version.
async fn plans(
    catalog: &dyn Catalog,
    regions: &[Region],
    changed: Option<(&str, &str)>,
) -> Vec<PlannedLayer> {
    let records = Records::new(catalog, Republish::Wheels);
    let mut plans = Vec::new();
    for wanted in wanted() {
        let changed = changed.filter(|(of, name)| {
            wanted.target == target(of) && *wanted.contents.name() == package(name)
        });
        let lock = lock(&wanted, changed.map_or("2.0", |_| "3.0"));
        let planned = records.plan_lock(&wanted, lock, regions, Force::default()).await.unwrap();
        plans.push(planned);
    }
    plans
}

fn is_kept(planned: &PlannedLayer) -> bool {
    matches!(planned.plan.build, BuildStep::Reuse(_))
}

#[tokio::test]
async fn month_without_changes_plans_nothing() {
    let catalog = catalog().await;
    let plans = plans(&catalog, &regions(), None).await;
    assert_eq!(plans.len(), PACKAGES.len() * TARGETS.len());
    for planned in &plans {
        assert!(is_kept(planned), "{:?}", planned.plan);
        assert!(planned.plan.publish.is_empty(), "{:?}", planned.plan);
        // The layer is only compared with its own latest version.
        let expected = Arc::new(build_of(&planned.plan.wanted, "2.0"));
        let everywhere = regions().into_iter().map(|region| (region, Arc::clone(&expected)));
        assert_eq!(planned.latest, everywhere.collect());
    }
}

#[tokio::test]
async fn only_the_changed_layer_is_published() {
    let catalog = catalog().await;
    let plans = plans(&catalog, &regions(), Some(("p3.12-arm64", "gamma"))).await;
    let (kept, changed): (Vec<_>, Vec<_>) = plans.iter().partition(|planned| is_kept(planned));
    assert!(kept.iter().all(|planned| planned.plan.publish.is_empty()));
    let [changed] = changed[..] else { panic!("{changed:?}") };
    assert_eq!(changed.plan.wanted.layer.as_str(), "Klayers-p312-arm64-gamma");
    assert_eq!(changed.plan.build, BuildStep::Build(BuildReason::Changed));
    let everywhere = regions().into_iter().map(|region| (region, PublishReason::Changed));
    assert_eq!(changed.plan.publish, everywhere.collect());
}

#[tokio::test]
async fn only_publications_in_the_new_region_are_planned() {
    let catalog = catalog().await;
    let regions = [regions(), vec![region("eu-west-2")]].concat();
    for planned in plans(&catalog, &regions, None).await {
        assert!(is_kept(&planned));
        let expected = BTreeMap::from([(region("eu-west-2"), PublishReason::New)]);
        assert_eq!(planned.plan.publish, expected);
    }
}

#[tokio::test]
async fn withdrawn_version_is_withheld_only_for_its_layer() {
    let catalog = catalog().await;
    let (withdrawn, everywhere) =
        (&wanted()[5], Query { include: Include::All, ..Query::default() });
    for version in catalog.layer_versions(&everywhere).await.unwrap() {
        let layer = (version.build.target, &version.build.package, version.arn.version());
        if layer == (withdrawn.target, withdrawn.contents.name(), 2) {
            let yank = Yank { reason: "x".to_owned(), at: at("2026-11-02T02:00:00Z") };
            catalog.yank(&version.arn, &yank, at("2027-11-01T02:00:00Z")).await.unwrap();
        }
    }
    for planned in plans(&catalog, &regions(), None).await {
        let is_it = planned.plan.wanted == *withdrawn;
        assert_eq!(planned.plan.withheld, is_it, "{:?}", planned.plan.wanted);
        assert!(is_kept(&planned) && planned.plan.publish.is_empty());
        let version = if is_it { "1.0" } else { "2.0" };
        let expected = Arc::new(build_of(&planned.plan.wanted, version));
        assert!(planned.latest.values().all(|latest| *latest == expected));
    }
}
