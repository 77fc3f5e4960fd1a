//! New layers as an [Atom feed](https://www.rfc-editor.org/rfc/rfc4287).

use std::cmp::Reverse;
use std::fmt::Write as _;

use atom_syndication::{
    ContentBuilder, Entry, EntryBuilder, Feed, FeedBuilder, FixedDateTime, LinkBuilder,
    PersonBuilder, Text,
};
use klayers_core::{Build, Digest, LayerVersion, Timestamp};

use klayers_catalog::{Catalog, CatalogError, Query};

/// The largest number of entries: more than the layers that change in a month's run.
const ENTRIES: usize = 100;

/// The feed of the newest layers. Each entry lists the layer's ARNs in all regions.
pub(super) async fn atom(catalog: &dyn Catalog) -> Result<String, CatalogError> {
    let mut builds = catalog.latest_builds(None).await?;
    builds.sort_by_key(|build| Reverse(build.created_at));
    let mut entries = Vec::new();
    let mut newest = Timestamp::UNIX_EPOCH;
    for build in builds.iter().take(ENTRIES) {
        let query = Query {
            target: Some(build.target),
            package: Some(build.package.clone()),
            ..Query::default()
        };
        let mut versions = catalog.layer_versions(&query).await?;
        versions.retain(|version| facts(&version.build) == facts(build));
        // A build may not be published yet, and an adopted version may have no publication time.
        let published = versions.iter().map(|version| version.created_at).max();
        if let Some(updated) = published.and_then(|published| published.or(build.created_at)) {
            newest = newest.max(updated);
            entries.push(entry(build, &versions, updated));
        }
    }
    let feed: Feed = FeedBuilder::default()
        .title("Klayers: new Lambda layers")
        .id(urn("feed"))
        .updated(time(newest))
        .author(PersonBuilder::default().name("Klayers").build())
        .link(LinkBuilder::default().rel("self").href("feed.atom").build())
        .link(LinkBuilder::default().rel("alternate").href("./").build())
        .entries(entries)
        .build();
    Ok(feed.to_string())
}

/// What distinguishes a build from the other builds of its layer: its content, or the requirements of
/// an adopted layer, whose content is unknown.
fn facts(build: &Build) -> (Option<Digest>, Digest) {
    match build.content_digest() {
        Some(content) => (Some(content), content),
        None => (None, build.requirements_hash),
    }
}

fn entry(build: &Build, versions: &[LayerVersion], updated: Timestamp) -> Entry {
    let Build { target, package, version, .. } = build;
    let (_, holds) = facts(build);
    let mut arns = String::new();
    for version in versions {
        let _ = writeln!(arns, "{}", version.arn);
    }
    let page = format!("packages/{}", package.normalized());
    EntryBuilder::default()
        .title(Text::plain(format!("{package} {version} for {target}")))
        .id(urn(&format!("{target} {} {holds}", package.normalized())))
        .updated(time(updated))
        .published(build.created_at.map(time))
        .link(LinkBuilder::default().rel("alternate").href(page).build())
        .content(ContentBuilder::default().content_type("text".to_owned()).value(arns).build())
        .build()
}

/// A reproducible identifier: a UUID of version 8 made from the digest of `of`
/// ([RFC 9562](https://www.rfc-editor.org/rfc/rfc9562#section-5.8)).
fn urn(of: &str) -> String {
    let mut hex: Vec<char> = Digest::of(of.as_bytes()).to_string().chars().take(32).collect();
    hex[12] = '8';
    hex[16] = 'a';
    let part = |from: usize, to: usize| hex[from..to].iter().collect::<String>();
    let parts = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)];
    format!("urn:uuid:{}", parts.join("-"))
}

/// Converts a time to the type of `atom_syndication`, by way of RFC 3339.
fn time(time: Timestamp) -> FixedDateTime {
    time.to_string().parse().unwrap_or_default()
}
