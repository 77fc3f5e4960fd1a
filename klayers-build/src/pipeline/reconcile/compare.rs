//! What differs between what is recorded of a region and what there is. Nothing is asked or done
//! here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use klayers_core::{Digest, LayerArn, LayerName, LayerVersionArn, PackageName, Region, Target};
use serde::Serialize;

use super::{InspectedVersion, Life, ListedVersion, Record};
use crate::publish::stated_digest;

/// Something that is recorded otherwise than it is.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Difference {
    /// The layer version.
    pub arn: LayerVersionArn,
    /// What differs.
    #[serde(flatten)]
    pub kind: DifferenceKind,
}

/// What differs of a layer version.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(tag = "difference", rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// It exists, and is not recorded.
    Orphan {
        /// What it says of itself.
        description: String,
        /// SHA-256 of its zip.
        sha256: Digest,
        /// When it was published.
        created: Timestamp,
    },
    /// A run made it, and cannot list it.
    Stuck {
        /// The region.
        region: Region,
        /// The layer.
        layer: LayerName,
        /// Why not.
        reason: String,
    },
    /// It has the content of another version of its layer, which is recorded.
    Doubled {
        /// The other.
        of: LayerVersionArn,
        /// Whether it is recorded, too.
        recorded: bool,
    },
    /// It is recorded as one that exists, and is not there.
    Missing {
        /// Whether it is recorded as the latest.
        latest: bool,
    },
    /// It is recorded as deleted, and is there.
    Undeleted {
        /// Whether the catalog once had it as the latest of its layer. Not known of adopted ones.
        once_latest: bool,
    },
    /// Not everybody may use it.
    Private,
    /// Everybody may use it, though the collection is not public.
    Public,
    /// It does not hold what is recorded.
    WrongHash {
        /// SHA-256 of the zip that is recorded.
        recorded: Digest,
        /// SHA-256 of the one that is there.
        sha256: Digest,
    },
    /// What points to the latest of its layer points elsewhere, or is not there.
    Pointer {
        /// Whether it is recorded as the latest. If not, none is, and nothing should be pointed to.
        latest: bool,
        /// What is pointed to; none if there is no pointer.
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
            // Somebody else may have written it, so it is shown as text.
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

/// What is recorded of a region, and what there is.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) recorded: BTreeMap<LayerVersionArn, Record>,
    pub(super) listed: BTreeMap<LayerVersionArn, ListedVersion>,
    /// What each is that was asked for; none of those that could not be found out.
    pub(super) inspected: BTreeMap<LayerVersionArn, Option<InspectedVersion>>,
    /// What the pointers say, of the layers that were asked for.
    pub(super) pointers: BTreeMap<(Target, PackageName), Option<String>>,
    /// Publications that an interrupted run left under way, which the next one settles; and why it
    /// could not, if it tried.
    pub(super) being_published: BTreeMap<(LayerName, Digest), Option<String>>,
    /// Deletions that were interrupted. The next expiry ends them.
    pub(super) being_deleted: BTreeSet<LayerVersionArn>,
}

impl View {
    pub(super) fn add(&mut self, arn: LayerVersionArn, inspected: Option<InspectedVersion>) {
        self.inspected.insert(arn, inspected);
    }

    /// How many were compared that are recorded as existing.
    pub(super) fn existing(&self) -> usize {
        let exists =
            |arn| self.recorded.get(arn).is_some_and(|record| record.life != Life::Deleted);
        self.inspected.keys().filter(|arn| exists(*arn)).count()
    }

    /// Of each layer that is recorded its latest version, or the newest if it has no latest.
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

    /// What differs, what was published first coming first, and the pointers last: where they
    /// should point to may follow from the rest.
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
            let latest = self.recorded.get(arn)?.life == Life::Latest;
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
            let latest = record.life == Life::Latest;
            return (record.life != Life::Deleted).then_some(DifferenceKind::Missing { latest });
        };
        if record.life == Life::Deleted {
            let once_latest = record.content.is_some();
            let is_left = !self.being_deleted.contains(arn);
            return is_left.then_some(DifferenceKind::Undeleted { once_latest });
        }
        if let Some(recorded) = record.content
            && inspected.digest != recorded
        {
            // It is not said who may use it: nobody should.
            return Some(DifferenceKind::WrongHash { recorded, sha256: inspected.digest });
        }
        match (inspected.is_public, public) {
            // One that was withdrawn before it was made public stays private.
            (false, true) if record.life == Life::Withdrawn => None,
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

    /// Those of the recorded versions that have one content with a newer one, or with the latest.
    /// Adopted ones are none of them: that collection had its own reasons to publish again.
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

    /// What is recorded as existing, and does, with the content that is recorded, if one is; and
    /// that content.
    fn sound(&self) -> impl Iterator<Item = (&LayerVersionArn, &Record, Digest)> {
        self.recorded.iter().filter_map(|(arn, record)| {
            let digest = self.inspected.get(arn)?.as_ref()?.digest;
            let is_sound = record.life != Life::Deleted
                && record.content.is_none_or(|recorded| recorded == digest);
            is_sound.then_some((arn, record, digest))
        })
    }
}

/// By this the newest of several versions is the last, and the latest is newer than all.
fn age(arn: &LayerVersionArn, record: &Record) -> (bool, Option<Timestamp>, u64) {
    (record.life == Life::Latest, record.created_at, arn.version())
}

#[cfg(test)]
mod tests;
