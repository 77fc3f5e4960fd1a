use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tracing::warn;

use super::{RunLock, RunLockError};
use crate::Error;
use crate::catalog::{Catalog, Lease};

/// How often somebody else may be quicker before this one gives way.
const ATTEMPTS: u32 = 10;

/// Who works on a collection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holder {
    /// The name of the machine. No two machines that share a catalog may have the same.
    pub host: String,
    /// The number of the process there.
    pub process: u32,
}

impl Holder {
    fn has(&self, lease: &Lease) -> bool {
        (lease.host.as_str(), lease.process) == (self.host.as_str(), self.process)
    }

    fn until(&self, until: Timestamp) -> Lease {
        Lease { host: self.host.clone(), process: self.process, until }
    }
}

/// For how long the right to work on a collection is taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LeaseTerms {
    /// How long others wait for a process that said nothing more. The clocks of the machines may
    /// differ by this, less the time until it is renewed.
    pub lasts: Duration,
    /// How often it is renewed.
    pub renewed_every: Duration,
}

impl Default for LeaseTerms {
    /// 90 seconds, renewed every 20.
    fn default() -> Self {
        Self { lasts: Duration::from_secs(90), renewed_every: Duration::from_secs(20) }
    }
}

/// The right to work on a collection, renewed while this value lives.
#[derive(Debug)]
pub struct RunLease {
    /// The task that renews it, which ends with this value.
    renewing: JoinSet<RunLockError>,
    returned: LeaseReturn,
    /// Given back last, as fields are dropped in their order.
    _lock: Option<RunLock>,
}

impl RunLease {
    /// Takes the lease of a collection.
    ///
    /// What another machine has is taken over once it expired. What a process of this machine has
    /// is taken over at once: whoever holds the lock beside the catalog knows that it ended. A
    /// catalog that is no file has no such lock.
    ///
    /// # Errors
    ///
    /// [`RunLockError::Held`] if somebody else has it, or if the catalog cannot be read or written.
    pub async fn take(
        lock: Option<RunLock>,
        catalog: Arc<dyn Catalog>,
        holder: Holder,
        terms: LeaseTerms,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let mut attempt = 1;
        let lease = loop {
            let current = catalog.lease().await?;
            let now = clock();
            if let Some(other) = &current {
                let ended = lock.is_some() && other.host == holder.host;
                if !ended && (other.until > now || attempt >= ATTEMPTS) {
                    let Lease { host, process, until } = other.clone();
                    return Err(RunLockError::Held { host, process, until }.into());
                }
            }
            let lease = holder.until(after(now, terms.lasts));
            if catalog.replace_lease(current.as_ref(), Some(&lease)).await? {
                break lease;
            }
            attempt += 1;
        };
        let mut renewing = JoinSet::new();
        renewing.spawn(renew(Arc::clone(&catalog), holder.clone(), lease, terms, clock));
        Ok(Self { renewing, returned: LeaseReturn { catalog, holder }, _lock: lock })
    }

    /// Gives it back when the work is dropped where it stands, as when the process is told to end.
    pub fn returned(&self) -> LeaseReturn {
        self.returned.clone()
    }

    /// Does work that nobody else does meanwhile, and gives the lease back.
    ///
    /// # Errors
    ///
    /// The work's, or [`RunLockError::Lost`] and the like if somebody else has the lease before the
    /// work is done, which is then dropped where it stands.
    pub async fn during<T>(
        mut self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let outcome = tokio::select! {
            biased;
            outcome = work => outcome,
            lost = self.renewing.join_next() => Err(match lost {
                Some(Ok(why)) => why.into(),
                // It ends in no other way.
                Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
                None => RunLockError::Gone.into(),
            }),
        };
        self.renewing.shutdown().await;
        self.returned.give_back().await;
        outcome
    }
}

/// How a lease is given back.
#[derive(Clone, Debug)]
pub struct LeaseReturn {
    catalog: Arc<dyn Catalog>,
    holder: Holder,
}

impl LeaseReturn {
    /// Gives the lease back, if it is not somebody else's by now. Where that fails it expires.
    pub async fn give_back(&self) {
        if let Err(error) = self.try_to_give_back().await {
            warn!(%error, "the lease was not given back; it expires");
        }
    }

    async fn try_to_give_back(&self) -> Result<(), Error> {
        let current = self.catalog.lease().await?;
        if let Some(lease) = current.filter(|lease| self.holder.has(lease)) {
            // If it is another's by now, it is not given away.
            self.catalog.replace_lease(Some(&lease), None).await?;
        }
        Ok(())
    }
}

/// Renews a lease again and again, until it is somebody else's.
async fn renew(
    catalog: Arc<dyn Catalog>,
    holder: Holder,
    mut lease: Lease,
    terms: LeaseTerms,
    clock: impl Fn() -> Timestamp,
) -> RunLockError {
    loop {
        tokio::time::sleep(terms.renewed_every).await;
        let renewed = holder.until(after(clock(), terms.lasts));
        let outcome = match catalog.replace_lease(Some(&lease), Some(&renewed)).await {
            Ok(true) => {
                lease = renewed;
                continue;
            }
            Ok(false) => catalog.lease().await,
            Err(error) => Err(error),
        };
        match outcome {
            // What an earlier attempt wrote, although it seemed to fail.
            Ok(Some(current)) if holder.has(&current) => lease = current,
            Ok(Some(Lease { host, process, .. })) => return RunLockError::Lost { host, process },
            Ok(None) => return RunLockError::Gone,
            // There is time to try again.
            Err(error) if clock() < lease.until => {
                warn!(%error, until = %lease.until, "the lease was not renewed");
            }
            Err(error) => {
                return RunLockError::NotRenewed { until: lease.until, source: Box::new(error) };
            }
        }
    }
}

fn after(now: Timestamp, time: Duration) -> Timestamp {
    now.saturating_add(time).unwrap_or(Timestamp::MAX)
}
