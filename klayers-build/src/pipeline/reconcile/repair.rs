//! Decides how a difference can be repaired, and repairs it.

use jiff::Timestamp;
use klayers_core::{Build, Digest, LayerVersion, LayerVersionArn, Status};
use tracing::info;

use super::{Difference, DifferenceKind, Reconciler};
use crate::Error;
use crate::pipeline::completion::{Completion, Settlement};
use crate::pipeline::pointers::{Pointers, pointer_of};
use klayers_catalog::failpoint;
use klayers_catalog::{Include, Query, obstacle};
use klayers_publish::{PublishError, stated_digest};

/// Which repairs to apply.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Repairs {
    /// None.
    #[default]
    None,
    /// Repairs that delete nothing: make versions public, record them, or record them as lost.
    Careful,
    /// All careful repairs; also deletes versions that are not recorded and cannot be.
    DeletingOrphans,
}

/// How a difference can be repaired.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Remedy {
    /// Make the version public.
    MakePublic,
    /// Record the version as deleted, so that nobody starts to use it. If it was the latest, the
    /// next run publishes again.
    RecordLoss,
    /// Record the version as the latest of its layer: it contains a recorded build, and no newer
    /// version is recorded.
    Adopt(Box<Build>),
    /// Complete its publication: make it public, if it should be, and record it.
    Complete,
    /// Delete the version.
    Delete,
    /// Move the pointer to the recorded latest version of its layer, or remove it.
    Point,
}

/// A difference and its outcome.
#[derive(Debug)]
pub struct ReconciledDifference {
    /// The difference.
    pub difference: Difference,
    /// How it can be repaired; `None` if a person has to decide.
    pub remedy: Option<Remedy>,
    /// Whether the repair succeeded; `None` if it was not requested.
    pub outcome: Option<Result<(), Error>>,
}

impl ReconciledDifference {
    /// Returns whether the difference no longer exists.
    pub fn is_repaired(&self) -> bool {
        matches!(self.outcome, Some(Ok(())))
    }
}

impl Reconciler {
    /// Repairs a difference as far as requested. Does not try if the region is closed for a reason.
    pub(super) async fn treat(
        &self,
        difference: Difference,
        repairs: Repairs,
        closed: Option<&str>,
        now: Timestamp,
    ) -> ReconciledDifference {
        let remedy = match self.remedy(&difference).await {
            Ok(remedy) => remedy,
            Err(error) => {
                return ReconciledDifference {
                    difference,
                    remedy: None,
                    outcome: Some(Err(error)),
                };
            }
        };
        let outcome = match (&remedy, repairs) {
            (Some(Remedy::Delete), Repairs::None | Repairs::Careful)
            | (Some(_), Repairs::None)
            | (None, _) => None,
            (Some(remedy), _) => Some(match closed {
                None => self.apply(&difference, remedy, now).await,
                Some(reason) => {
                    let (region, reason) = (difference.arn.region().clone(), reason.to_owned());
                    Err(PublishError::Closed { region, reason }.into())
                }
            }),
        };
        ReconciledDifference { difference, remedy, outcome }
    }

    async fn remedy(&self, Difference { arn, kind }: &Difference) -> Result<Option<Remedy>, Error> {
        Ok(match kind {
            DifferenceKind::Private => Some(Remedy::MakePublic),
            DifferenceKind::Missing { .. } | DifferenceKind::WrongHash { .. } => {
                Some(Remedy::RecordLoss)
            }
            DifferenceKind::Orphan { description, sha256, created } => {
                let adopted = if stated_digest(description) == Some(*sha256) {
                    self.adoptable(arn, *sha256, *created).await?
                } else {
                    None
                };
                Some(adopted.map_or(Remedy::Delete, |build| Remedy::Adopt(Box::new(build))))
            }
            DifferenceKind::Doubled { recorded: false, .. } | DifferenceKind::Undeleted { .. } => {
                Some(Remedy::Delete)
            }
            DifferenceKind::Pointer { .. } => Some(Remedy::Point),
            DifferenceKind::Stuck { .. } => Some(Remedy::Complete),
            // A person has to decide which of two versions to keep, and whether to revoke access.
            DifferenceKind::Doubled { recorded: true, .. } | DifferenceKind::Public => None,
        })
    }

    /// Returns the build in an unrecorded version, if that version can become the latest of its
    /// layer: the build was not withdrawn, no newer version is recorded, and no recorded version
    /// has the same content.
    async fn adoptable(
        &self,
        arn: &LayerVersionArn,
        content: Digest,
        created: Timestamp,
    ) -> Result<Option<Build>, Error> {
        let builds = self.catalog.builds_of(content).await?;
        let is_it = |build: &Build| arn.name().is_for(build.target, &build.package);
        let Some(build) = builds.into_iter().rev().find(is_it) else { return Ok(None) };
        let withdrawn = self.catalog.yanked_builds(build.target).await?;
        let query = Query {
            target: Some(build.target),
            region: Some(arn.region().clone()),
            package: Some(build.package.clone()),
            include: Include::All,
        };
        let recorded = self.catalog.layer_versions(&query).await?;
        let has_same_content = |version: &LayerVersion| {
            let deleted = matches!(version.status, Status::Deleted { .. });
            !deleted && version.build.content_digest() == Some(content)
        };
        let candidate = LayerVersion {
            arn: arn.clone(),
            build,
            created_at: Some(created),
            status: Status::Latest,
        };
        let may_be_latest = obstacle(&candidate, &recorded, &withdrawn).is_none();
        let is_adopted = may_be_latest && !recorded.iter().any(has_same_content);
        Ok(is_adopted.then_some(candidate.build))
    }

    async fn apply(
        &self,
        Difference { arn, kind }: &Difference,
        remedy: &Remedy,
        now: Timestamp,
    ) -> Result<(), Error> {
        failpoint::reach("repair intended");
        match remedy {
            Remedy::MakePublic => self.publisher.make_public(arn).await?,
            Remedy::Delete => {
                self.pointers().release(arn).await?;
                self.publisher.delete(arn).await?;
            }
            Remedy::Complete => self.complete(arn, now).await?,
            Remedy::RecordLoss => {
                let lost = self.catalog.layer_version(arn).await?;
                let pointer = lost.map(|lost| pointer_of(&lost.build, arn.region()));
                if let Some(pointer) = &pointer {
                    self.pointers().owe(pointer).await?;
                }
                self.catalog.record_loss(arn, now).await?;
                failpoint::reach("loss recorded");
                if let Some(pointer) = &pointer {
                    self.pointers().move_to_latest(pointer).await?;
                }
            }
            Remedy::Adopt(build) => {
                if self.public {
                    self.publisher.make_public(arn).await?;
                }
                failpoint::reach("orphan made public");
                let created_at = match kind {
                    DifferenceKind::Orphan { created, .. } => *created,
                    _ => now,
                };
                let version = LayerVersion {
                    arn: arn.clone(),
                    build: (**build).clone(),
                    created_at: Some(created_at),
                    status: Status::Latest,
                };
                let expires_at = self.expiry.expires_at(&build.package, now);
                let pointer = pointer_of(build, arn.region());
                self.pointers().owe(&pointer).await?;
                self.catalog.complete(&version, expires_at).await?;
                failpoint::reach("orphan recorded");
                self.pointers().move_to_latest(&pointer).await?;
            }
            Remedy::Point => {
                if let Some(of) = self.catalog.layer_version(arn).await? {
                    self.pointers().move_to_latest(&pointer_of(&of.build, arn.region())).await?;
                }
            }
        }
        failpoint::reach("repaired");
        info!(region = %arn.region(), %arn, ?kind, "repaired");
        Ok(())
    }

    /// Tries again to complete the interrupted publication of a version.
    async fn complete(&self, arn: &LayerVersionArn, now: Timestamp) -> Result<(), Error> {
        let completion = Completion {
            catalog: &*self.catalog,
            publisher: &*self.publisher,
            expiry: &self.expiry,
            public: self.public,
        };
        for intent in self.catalog.under_way().await? {
            if (&intent.region, &intent.layer) != (arn.region(), arn.name()) {
                continue;
            }
            let recorded = completion.recorded(&intent).await?;
            if let Some(made) = completion.find(&intent, &recorded).await? {
                let settled = completion.settle(&intent, made, &recorded, now).await;
                if let Settlement::Completed(done) = completion.or_stuck(&intent, settled).await? {
                    done.pointed?;
                }
            }
        }
        Ok(())
    }

    fn pointers(&self) -> Pointers<'_> {
        Pointers { catalog: &*self.catalog, publisher: &*self.publisher }
    }
}
