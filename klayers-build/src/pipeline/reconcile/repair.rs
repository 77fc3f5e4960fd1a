//! What can be done about a difference, and doing it.

use jiff::Timestamp;
use klayers_core::{Build, Digest, LayerVersion, LayerVersionArn, Status};
use tracing::info;

use super::{Difference, DifferenceKind, Reconciler};
use crate::Error;
use crate::catalog::{Include, Query, obstacle};
use crate::failpoint;
use crate::pipeline::completion::{Completion, Settlement};
use crate::pipeline::pointers::{Pointers, pointer_of};
use crate::publish::stated_digest;

/// What is done about differences.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Repairs {
    /// Nothing.
    #[default]
    None,
    /// What takes nothing away: versions are made public, recorded, or recorded as lost.
    Careful,
    /// That, and what is not recorded is deleted where it cannot be recorded.
    DeletingOrphans,
}

/// What can be done about a difference.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Remedy {
    /// Letting everybody use the version.
    MakePublic,
    /// Recording it as deleted, so that nobody begins to use it. If it was the latest, the next run
    /// publishes again.
    RecordLoss,
    /// Recording it as the latest of its layer: it is what was built, and nothing newer is.
    Adopt(Box<Build>),
    /// Completing its publication: letting everybody use it, if it is for everybody, and recording
    /// it.
    Complete,
    /// Deleting it.
    Delete,
    /// Pointing to what is recorded as the latest of its layer, if something is.
    Point,
}

/// A difference, and what became of it.
#[derive(Debug)]
pub struct Reconciled {
    /// The difference.
    pub difference: Difference,
    /// What can be done about it; none if that is for a person to decide.
    pub remedy: Option<Remedy>,
    /// Whether it was done; none if it was not to be.
    pub outcome: Option<Result<(), Error>>,
}

impl Reconciled {
    /// Whether there is no difference any more.
    pub fn is_repaired(&self) -> bool {
        matches!(self.outcome, Some(Ok(())))
    }
}

impl Reconciler {
    /// Does about a difference what is to be done about it.
    pub(super) async fn treat(
        &self,
        difference: Difference,
        repairs: Repairs,
        now: Timestamp,
    ) -> Reconciled {
        let remedy = match self.remedy(&difference).await {
            Ok(remedy) => remedy,
            Err(error) => {
                return Reconciled { difference, remedy: None, outcome: Some(Err(error)) };
            }
        };
        let outcome = match (&remedy, repairs) {
            (Some(Remedy::Delete), Repairs::None | Repairs::Careful)
            | (Some(_), Repairs::None)
            | (None, _) => None,
            (Some(remedy), _) => Some(self.apply(&difference, remedy, now).await),
        };
        Reconciled { difference, remedy, outcome }
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
            // Which of two to keep, and who may use what they use already, is for people to say.
            DifferenceKind::Doubled { recorded: true, .. } | DifferenceKind::Public => None,
        })
    }

    /// The build that a version holds which is not recorded, if it can take its place as the latest
    /// of its layer: it was not withdrawn, nothing newer is recorded, and it is not there already.
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
        let is_twin = |version: &LayerVersion| {
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
        let is_adopted = may_be_latest && !recorded.iter().any(is_twin);
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
                    self.pointers().pay(pointer).await?;
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
                self.pointers().pay(&pointer).await?;
            }
            Remedy::Point => {
                if let Some(of) = self.catalog.layer_version(arn).await? {
                    self.pointers().pay(&pointer_of(&of.build, arn.region())).await?;
                }
            }
        }
        failpoint::reach("repaired");
        info!(region = %arn.region(), %arn, ?kind, "repaired");
        Ok(())
    }

    /// Tries once more to list the version that an interrupted publication made.
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
