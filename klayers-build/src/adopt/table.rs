//! Reading the DynamoDB table of the public collection: it is scanned, in several parts at once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use klayers_core::{LayerVersionArn, PackageName, Partition, Region, Target};

use super::{AdoptError, BuildClaim, Claim, LeftOut, ReadLayer, Reason};
use crate::plan::Selection;
use klayers_publish::{Access, AwsError, AwsErrorKind, Call, aws_settings};

mod item;

use item::{Key, Pins};

/// In how many parts a table is read at once.
const PARTS: i32 = 4;

/// An item as it is stored: its attributes by their names.
type Item = HashMap<String, AttributeValue>;

/// The DynamoDB table in which the public collection keeps its records.
#[derive(Debug)]
pub struct TableSource {
    client: Client,
    table: String,
    region: Region,
    access: Arc<Access>,
}

/// What a table holds.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) layers: Vec<ReadLayer>,
    pub(super) left_out: Vec<LeftOut>,
}

impl TableSource {
    /// A table in a region, or in the one that AWS's tools would take. Credentials and endpoints are
    /// found as for publishing; a partition may have a profile. No request may take longer than the
    /// deadline, with all its attempts.
    ///
    /// # Errors
    ///
    /// [`AdoptError::NoRegion`] if no region is known.
    pub async fn connect(
        table: &str,
        region: Option<&Region>,
        profiles: &BTreeMap<Partition, String>,
        deadline: Duration,
    ) -> Result<Self, AdoptError> {
        let profile_of = |region: &Region| profiles.get(&region.partition()).map(String::as_str);
        let settings = aws_settings(region, region.and_then(profile_of)).await;
        let found: Option<Region> =
            settings.region().and_then(|region| region.as_ref().parse().ok());
        let found = found.ok_or_else(|| AdoptError::NoRegion(table.to_owned()))?;
        let client = Client::new(&settings);
        Ok(Self {
            client,
            table: table.to_owned(),
            region: found,
            access: Arc::new(Access::new(deadline)),
        })
    }

    /// Reads all of it, and takes of that what is selected.
    pub(super) async fn read(&self, selection: &Selection) -> Result<Table, AdoptError> {
        let parts: Vec<Vec<Item>> = stream::iter(0..PARTS)
            .map(|part| self.part(part))
            .buffer_unordered(PARTS.unsigned_abs() as usize)
            .try_collect()
            .await?;
        Ok(Found::of(parts.into_iter().flatten()).selected(selection))
    }

    async fn part(&self, part: i32) -> Result<Vec<Item>, AdoptError> {
        let call = Call::new("Scan", &self.region, Arc::clone(&self.access));
        let mut items = Vec::new();
        let mut start = None;
        loop {
            let page = call
                .repeated(|| {
                    let scan = self.client.scan().table_name(&self.table);
                    let scan = scan.segment(part).total_segments(PARTS);
                    scan.set_exclusive_start_key(start.clone()).send()
                })
                .await
                .map_err(|source| self.failed(source))?;
            items.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(items);
            }
        }
    }

    fn failed(&self, source: Box<AwsError>) -> AdoptError {
        let (table, region) = (self.table.clone(), self.region.clone());
        match source.kind() {
            AwsErrorKind::NotFound => AdoptError::NoTable { table, region },
            AwsErrorKind::Denied | AwsErrorKind::NoCredentials => {
                AdoptError::Credentials { table, region, source }
            }
            _ => AdoptError::Table { table, source },
        }
    }
}

/// A layer in a region.
type Place = (Target, PackageName, Region);

/// What items say, by what they are of. What is scanned in parts may come twice, and counts once.
#[derive(Debug, Default)]
struct Found {
    /// By the collection's own numbers.
    versions: BTreeMap<Place, BTreeMap<u64, Result<Claim, Reason>>>,
    /// The versions that pointers point to.
    pointers: BTreeMap<Place, Result<LayerVersionArn, Reason>>,
    builds: BTreeMap<(Target, PackageName), Result<BuildClaim, Reason>>,
    left_out: BTreeMap<String, Reason>,
}

impl Found {
    fn of(items: impl Iterator<Item = Item>) -> Self {
        let mut found = Self::default();
        let mut pins = Pins::default();
        for item in items {
            match Key::of(&item) {
                Ok(Key::Version { layer, number }) => {
                    let claim = item::claim(&item, &layer, &mut pins);
                    found.versions.entry(layer).or_default().insert(number, claim);
                }
                Ok(Key::Pointer(layer)) => {
                    found.pointers.insert(layer, item::pointed(&item));
                }
                Ok(Key::LatestBuild(target, package)) => {
                    let claim = item::build(&item, &package, &mut pins);
                    found.builds.insert((target, package), claim);
                }
                // Of builds, the catalog keeps the latest; and other things are no records of
                // layers.
                Ok(Key::Build | Key::Other) => {}
                Err(reason) => {
                    found.left_out.insert(reason.to_string(), reason);
                }
            }
        }
        found
    }

    fn selected(self, selection: &Selection) -> Table {
        let Self { versions, pointers, builds, left_out } = self;
        let mut dangling = Vec::new();
        for (place, arn) in pointers {
            match arn {
                // An item that cannot be read may be the one, and is told anyhow.
                Ok(arn)
                    if versions.get(&place).is_some_and(|numbers| {
                        numbers
                            .values()
                            .any(|claim| claim.as_ref().map_or(true, |it| it.arn == arn))
                    }) => {}
                Ok(arn) => dangling.push((place, Reason::Dangling(arn))),
                Err(reason) => dangling.push((place, reason)),
            }
        }
        let mut layers = Layers::default();
        for ((target, package, region), claims) in versions {
            if !selection.includes_region(&region) {
                continue;
            }
            let layer = layers.of(target, &package);
            for claim in claims.into_values() {
                match claim {
                    Ok(claim) => layer.versions.push(claim),
                    Err(reason) => layer.leave_out(&region, reason),
                }
            }
        }
        for ((target, package, region), reason) in dangling {
            if selection.includes_region(&region) {
                layers.of(target, &package).leave_out(&region, reason);
            }
        }
        for ((target, package), build) in builds {
            let layer = layers.of(target, &package);
            match build {
                Ok(build) => layer.build = Some(build),
                Err(reason) => layer.left_out.push(LeftOut::of(target, package, None, reason)),
            }
        }
        let mut layers: Vec<ReadLayer> = layers.0.into_values().collect();
        layers.retain(|layer| selection.includes_layer(layer.target, &layer.package));
        let of = |reason| LeftOut { target: None, package: None, region: None, reason };
        Table { layers, left_out: left_out.into_values().map(of).collect() }
    }
}

#[derive(Debug, Default)]
struct Layers(BTreeMap<(Target, PackageName), ReadLayer>);

impl Layers {
    fn of(&mut self, target: Target, package: &PackageName) -> &mut ReadLayer {
        self.0.entry((target, package.clone())).or_insert_with(|| ReadLayer {
            target,
            package: package.clone(),
            versions: Vec::new(),
            build: None,
            left_out: Vec::new(),
        })
    }
}
