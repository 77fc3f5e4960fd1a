//! Compares the records of a region with its existing versions. Performs no calls and changes
//! nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use klayers_core::{Digest, LayerArn, LayerName, LayerVersionArn, PackageName, Region, Target};
use serde::Serialize;

use super::{InspectedVersion, ListedVersion, Record, RecordedStatus};
use klayers_publish::stated_digest;

/// A difference between the record and the actual state of a layer version.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Difference {
    /// The layer version.
    pub arn: LayerVersionArn,
    /// Kind of the difference.
    #[serde(flatten)]
    pub kind: DifferenceKind,
}

/// Kind of a difference of a layer version.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(tag = "difference", rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// It exists but is not recorded.
    Orphan {
        /// Its description.
        description: String,
        /// SHA-256 of its zip.
        sha256: Digest,
        /// Time of publication.
        created: Timestamp,
    },
    /// A run created it but cannot list it.
    Stuck {
        /// Region of the version.
        region: Region,
        /// Name of the layer.
        layer: LayerName,
        /// Why it cannot be listed.
        reason: String,
    },
    /// It has the same content as another version of its layer, which is recorded.
    Doubled {
        /// The other version.
        of: LayerVersionArn,
        /// Whether this version is recorded as well.
        recorded: bool,
    },
    /// It is recorded as existing but does not exist.
    Missing {
        /// Whether it is recorded as the latest.
        latest: bool,
    },
    /// It is recorded as deleted but exists.
    Undeleted {
        /// Whether the catalog once recorded it as the latest of its layer. Always false for
        /// adopted versions.
        once_latest: bool,
    },
    /// It is not public.
    Private,
    /// It is public, although the collection is not.
    Public,
    /// Its content differs from the record.
    WrongHash {
        /// SHA-256 of the recorded zip.
        recorded: Digest,
        /// SHA-256 of the existing zip.
        sha256: Digest,
    },
    /// The pointer to the latest version of its layer is wrong or missing.
    Pointer {
        /// Whether this version is recorded as the latest. If not, there is no latest, and the
        /// pointer should not exist.
        latest: bool,
        /// The value of the pointer; `None` if it does not exist.
        names: Option<String>,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { arn, kind } = self;
        match kind {
            DifferenceKind::Orphan { description, .. } if description.is_empty() => {
                write!(formatter, "orphan {arn}: not recorded")
            }
            // Somebody else may have written the description, so it is escaped.
            DifferenceKind::Orphan { description, .. } => {
                write!(formatter, "orphan {arn}: not recorded; it says {description:?}")
            }
            DifferenceKind::Stuck { region, layer, reason } => write!(
                formatter,
                "stuck {arn}: a run made this version of {layer} in {region}, and cannot list it: \
                 {reason}"
            ),
            DifferenceKind::Doubled { of, recorded: true } => {
                write!(formatter, "doubled {arn}: recorded, with the content of {of}")
            }
            DifferenceKind::Doubled { of, recorded: false } => {
                write!(formatter, "doubled {arn}: not recorded, with the content of {of}")
            }
            DifferenceKind::Missing { latest: true } => {
                write!(formatter, "missing {arn}: recorded as the latest")
            }
            DifferenceKind::Missing { latest: false } => {
                write!(formatter, "missing {arn}: recorded as deprecated")
            }
            DifferenceKind::Undeleted { once_latest: false } => {
                write!(formatter, "undeleted {arn}: recorded as deleted")
            }
            DifferenceKind::Undeleted { once_latest: true } => {
                write!(formatter, "undeleted {arn}: once the latest, and recorded as deleted")
            }
            DifferenceKind::Private => {
                write!(formatter, "private {arn}: not everybody may use it")
            }
            DifferenceKind::Public => {
                write!(formatter, "public {arn}: everybody may use it")
            }
            DifferenceKind::WrongHash { recorded, sha256 } => write!(
                formatter,
                "wrong-hash {arn}: recorded with the SHA-256 {recorded}, but has {sha256}"
            ),
            DifferenceKind::Pointer { latest: true, names: None } => {
                write!(formatter, "pointer {arn}: the latest, and there is no pointer to it")
            }
            DifferenceKind::Pointer { latest: true, names: Some(names) } => {
                write!(formatter, "pointer {arn}: the latest, but the pointer says {names:?}")
            }
            DifferenceKind::Pointer { latest: false, names } => {
                let names = names.as_deref().unwrap_or_default();
                write!(
                    formatter,
                    "pointer {arn}: no latest is left, but the pointer says {names:?}"
                )
            }
        }
    }
}

/// The records and the existing versions of a region.
#[derive(Debug, Default)]
pub(super) struct RegionView {
    pub(super) recorded: BTreeMap<LayerVersionArn, Record>,
    pub(super) listed: BTreeMap<LayerVersionArn, ListedVersion>,
    /// The answer for each version that was inspected. Failed inspections are absent.
    pub(super) inspected: BTreeMap<LayerVersionArn, Option<InspectedVersion>>,
    /// The values of the pointers that were read.
    pub(super) pointers: BTreeMap<(Target, PackageName), Option<String>>,
    /// Publications that an interrupted run left under way and the next run settles. The value
    /// tells why they are stuck, if they are.
    pub(super) being_published: BTreeMap<(LayerName, Digest), Option<String>>,
    /// Deletions that were interrupted. The next expiry finishes them.
    pub(super) being_deleted: BTreeSet<LayerVersionArn>,
}

impl RegionView {
    pub(super) fn add(&mut self, arn: LayerVersionArn, inspected: Option<InspectedVersion>) {
        self.inspected.insert(arn, inspected);
    }

    /// Returns the number of compared versions that are recorded as existing.
    pub(super) fn existing(&self) -> usize {
        let exists = |arn| {
            self.recorded.get(arn).is_some_and(|record| record.status != RecordedStatus::Deleted)
        };
        self.inspected.keys().filter(|arn| exists(*arn)).count()
    }

    /// Returns the latest version of each recorded layer, or the newest one if there is no latest.
    pub(super) fn newest(&self) -> BTreeMap<(Target, &PackageName), &LayerVersionArn> {
        let mut newest: BTreeMap<_, (&LayerVersionArn, &Record)> = BTreeMap::new();
        for (arn, record) in &self.recorded {
            let layer = (record.target, &record.package);
            let other = newest.entry(layer).or_insert((arn, record));
            if age(arn, record) > age(other.0, other.1) {
                *other = (arn, record);
            }
        }
        newest.into_iter().map(|(layer, (arn, _))| (layer, arn)).collect()
    }

    /// Returns the differences by time of publication, oldest first. Pointers come last, because
    /// their values may follow from the other differences.
    pub(super) fn compare(&self, public: bool) -> Vec<Difference> {
        let mut differences = Vec::new();
        let twins: BTreeMap<(&LayerArn, Digest), &LayerVersionArn> =
            self.sound().map(|(arn, _, digest)| ((arn.layer(), digest), arn)).collect();
        for (arn, inspected) in &self.inspected {
            let kind = match (self.recorded.get(arn), inspected) {
                (Some(record), inspected) => {
                    self.of_recorded(arn, record, inspected.as_ref(), public)
                }
                (None, Some(inspected)) => self.of_unrecorded(arn, inspected, &twins),
                // Deleted since it was listed.
                (None, None) => None,
            };
            differences.extend(kind.map(|kind| Difference { arn: arn.clone(), kind }));
        }
        differences.extend(self.doubled());
        differences.sort_by_key(|difference| {
            let listed = self.listed.get(&difference.arn);
            (listed.map(|version| version.created_at), difference.arn.version())
        });
        differences.extend(self.of_pointers());
        differences
    }

    fn of_pointers(&self) -> impl Iterator<Item = Difference> {
        let being_published: BTreeSet<&LayerName> =
            self.being_published.keys().map(|(layer, _)| layer).collect();
        self.newest().into_iter().filter_map(move |((target, package), arn)| {
            let names = self.pointers.get(&(target, package.clone()))?;
            let latest = self.recorded.get(arn)?.status == RecordedStatus::Latest;
            let is_right = match names {
                Some(names) => latest && *names == arn.to_string(),
                None => !latest,
            };
            if is_right || being_published.contains(arn.name()) {
                return None;
            }
            let kind = DifferenceKind::Pointer { latest, names: names.clone() };
            Some(Difference { arn: arn.clone(), kind })
        })
    }

    fn of_recorded(
        &self,
        arn: &LayerVersionArn,
        record: &Record,
        inspected: Option<&InspectedVersion>,
        public: bool,
    ) -> Option<DifferenceKind> {
        let Some(inspected) = inspected else {
            let latest = record.status == RecordedStatus::Latest;
            return (record.status != RecordedStatus::Deleted)
                .then_some(DifferenceKind::Missing { latest });
        };
        if record.status == RecordedStatus::Deleted {
            let once_latest = record.content.is_some();
            let is_left = !self.being_deleted.contains(arn);
            return is_left.then_some(DifferenceKind::Undeleted { once_latest });
        }
        if let Some(recorded) = record.content
            && inspected.digest != recorded
        {
            // Visibility is not compared: nobody should use this version.
            return Some(DifferenceKind::WrongHash { recorded, sha256: inspected.digest });
        }
        match (inspected.is_public, public) {
            // A version that was withdrawn before it was made public stays private.
            (false, true) if record.status == RecordedStatus::Withdrawn => None,
            (false, true) => Some(DifferenceKind::Private),
            (true, false) => Some(DifferenceKind::Public),
            (true, true) | (false, false) => None,
        }
    }

    fn of_unrecorded(
        &self,
        arn: &LayerVersionArn,
        inspected: &InspectedVersion,
        twins: &BTreeMap<(&LayerArn, Digest), &LayerVersionArn>,
    ) -> Option<DifferenceKind> {
        let listed = self.listed.get(arn)?;
        let stated = stated_digest(&listed.description).unwrap_or(inspected.digest);
        if let Some(stuck) = self.being_published.get(&(arn.name().clone(), stated)) {
            return stuck.as_ref().map(|reason| DifferenceKind::Stuck {
                region: arn.region().clone(),
                layer: arn.name().clone(),
                reason: reason.clone(),
            });
        }
        Some(match twins.get(&(arn.layer(), inspected.digest)) {
            Some(&of) => DifferenceKind::Doubled { of: of.clone(), recorded: false },
            None => DifferenceKind::Orphan {
                description: listed.description.clone(),
                sha256: inspected.digest,
                created: listed.created_at,
            },
        })
    }

    /// Returns the recorded versions that have the same content as a newer one or as the latest.
    /// Adopted versions are excluded: the other collection may have had its reasons to publish
    /// again.
    fn doubled(&self) -> Vec<Difference> {
        let mut by_content: BTreeMap<(Target, &PackageName, Digest), Vec<_>> = BTreeMap::new();
        for (arn, record, content) in self.sound() {
            if record.content.is_some() {
                let content = (record.target, &record.package, content);
                by_content.entry(content).or_default().push((arn, record));
            }
        }
        let mut doubled = Vec::new();
        for mut versions in by_content.into_values() {
            versions.sort_by_key(|(arn, record)| age(arn, record));
            let Some((of, _)) = versions.pop() else { continue };
            doubled.extend(versions.into_iter().map(|(arn, _)| Difference {
                arn: arn.clone(),
                kind: DifferenceKind::Doubled { of: of.clone(), recorded: true },
            }));
        }
        doubled
    }

    /// Returns the versions that are recorded as existing and exist with the recorded content, if
    /// any is recorded, together with their actual content.
    fn sound(&self) -> impl Iterator<Item = (&LayerVersionArn, &Record, Digest)> {
        self.recorded.iter().filter_map(|(arn, record)| {
            let digest = self.inspected.get(arn)?.as_ref()?.digest;
            let is_sound = record.status != RecordedStatus::Deleted
                && record.content.is_none_or(|recorded| recorded == digest);
            is_sound.then_some((arn, record, digest))
        })
    }
}

/// Sort key by which the newest version comes last. The latest counts as newer than all others.
fn age(arn: &LayerVersionArn, record: &Record) -> (bool, Option<Timestamp>, u64) {
    (record.status == RecordedStatus::Latest, record.created_at, arn.version())
}

#[cfg(test)]
mod tests;
