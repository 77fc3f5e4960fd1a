use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tracing::warn;

use super::{RunLock, RunLockError};
use crate::Error;
use klayers_catalog::{Catalog, Lease};

/// How often others may win the race for the lease before this process gives up.
const ATTEMPTS: u32 = 10;

/// The process that works on a collection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holder {
    /// Host name of the machine. It must be unique among machines that share a catalog.
    pub host: String,
    /// Process ID on that machine.
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

/// Duration and renewal of a lease.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LeaseTerms {
    /// How long others wait for a process that stopped renewing. The clocks of the machines may
    /// differ by this duration minus the renewal interval.
    pub lasts: Duration,
    /// Renewal interval.
    pub renewed_every: Duration,
}

impl Default for LeaseTerms {
    /// 90 seconds, renewed every 20 seconds.
    fn default() -> Self {
        Self { lasts: Duration::from_secs(90), renewed_every: Duration::from_secs(20) }
    }
}

/// The exclusive right to work on a collection, renewed while this value lives.
#[derive(Debug)]
pub struct RunLease {
    /// The renewing task, which ends with this value.
    renewing: JoinSet<RunLockError>,
    returned: LeaseReturn,
    /// Released last: fields are dropped in their order.
    _lock: Option<RunLock>,
}

impl RunLease {
    /// Takes the lease of a collection.
    ///
    /// A lease of another machine is taken over after it has expired. A lease of a process on this
    /// machine is taken over at once: whoever holds the lock file beside the catalog knows that the
    /// process has ended. A catalog that is not a file has no lock file.
    ///
    /// # Errors
    ///
    /// [`RunLockError::LeaseHeld`] if another process holds the lease. Also if the catalog cannot be
    /// read or written.
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
                    return Err(RunLockError::LeaseHeld { host, process, until }.into());
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

    /// Returns a handle that gives the lease back when the work is dropped early, for example when
    /// the process is asked to end.
    pub fn returned(&self) -> LeaseReturn {
        self.returned.clone()
    }

    /// Works while holding the lease, then gives it back.
    ///
    /// # Errors
    ///
    /// The error of the work, or an error of the lease, such as [`RunLockError::LeaseLost`], if another
    /// process takes it before the work is done. The work is then dropped.
    pub async fn during<T>(
        mut self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let outcome = tokio::select! {
            biased;
            outcome = work => outcome,
            lost = self.renewing.join_next() => Err(match lost {
                Some(Ok(why)) => why.into(),
                // The task ends in no other way.
                Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
                None => RunLockError::LeaseRemoved.into(),
            }),
        };
        self.renewing.shutdown().await;
        self.returned.give_back().await;
        outcome
    }
}

/// Gives a lease back.
#[derive(Clone, Debug)]
pub struct LeaseReturn {
    catalog: Arc<dyn Catalog>,
    holder: Holder,
}

impl LeaseReturn {
    /// Gives the lease back, unless another process holds it by now. If that fails, the lease
    /// expires.
    pub async fn give_back(&self) {
        if let Err(error) = self.try_to_give_back().await {
            warn!(%error, "could not give back the lease; it will expire");
        }
    }

    async fn try_to_give_back(&self) -> Result<(), Error> {
        let current = self.catalog.lease().await?;
        if let Some(lease) = current.filter(|lease| self.holder.has(lease)) {
            // Fails if another process holds it by now.
            self.catalog.replace_lease(Some(&lease), None).await?;
        }
        Ok(())
    }
}

/// Renews a lease repeatedly, until another process holds it.
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
            // Written by an earlier attempt that seemed to fail.
            Ok(Some(current)) if holder.has(&current) => lease = current,
            Ok(Some(Lease { host, process, .. })) => {
                return RunLockError::LeaseLost { host, process };
            }
            Ok(None) => return RunLockError::LeaseRemoved,
            // There is time to try again.
            Err(error) if clock() < lease.until => {
                warn!(%error, until = %lease.until, "could not renew the lease");
            }
            Err(error) => {
                return RunLockError::LeaseNotRenewed {
                    until: lease.until,
                    source: Box::new(error),
                };
            }
        }
    }
}

fn after(now: Timestamp, time: Duration) -> Timestamp {
    now.saturating_add(time).unwrap_or(Timestamp::MAX)
}
