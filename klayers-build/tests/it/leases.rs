//! The exclusive right of one process to work on a collection.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use klayers_build::Error;
use klayers_build::pipeline::{Holder, LeaseTerms, RunLease, RunLock, RunLockError};
use klayers_catalog::{Catalog, Lease, SqliteCatalog};
use klayers_core::Timestamp;
use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::samples::at;
use crate::support::aws::Account;
use crate::support::command::uv_is_there;
use crate::support::staged::{Staged, days, now};

/// Short enough to wait for several renewals.
const TERMS: LeaseTerms =
    LeaseTerms { lasts: Duration::from_secs(90), renewed_every: Duration::from_millis(20) };

/// A catalog used by two machines, with a clock that is moved by hand.
struct Shared {
    folder: TempDir,
    clock: Arc<Mutex<Timestamp>>,
}

impl Shared {
    fn new() -> Self {
        let clock = Arc::new(Mutex::new(at("2026-11-01T02:00:00Z")));
        Self { folder: tempfile::tempdir().unwrap(), clock }
    }

    fn catalog(&self) -> Arc<dyn Catalog> {
        Arc::new(SqliteCatalog::open(self.folder.path().join("klayers.db")).unwrap())
    }

    async fn take(&self, host: &str, process: u32) -> Result<RunLease, Error> {
        // Each machine has its own files.
        let lock = RunLock::take(&self.folder.path().join(host))?;
        let (clock, holder) = (self.clock.clone(), Holder { host: host.to_owned(), process });
        let clock = move || *clock.lock().unwrap();
        RunLease::take(Some(lock), self.catalog(), holder, TERMS, clock).await
    }

    fn advance(&self, seconds: i64) {
        *self.clock.lock().unwrap() += SignedDuration::from_secs(seconds);
    }

    async fn lease(&self) -> Option<Lease> {
        self.catalog().lease().await.unwrap()
    }
}

async fn some_renewals() -> Result<(), Error> {
    tokio::time::sleep(TERMS.renewed_every * 10).await;
    Ok(())
}

fn held(error: &Error) -> (&str, u32, Timestamp) {
    match error {
        Error::RunLock(RunLockError::LeaseHeld { host, process, until }) => {
            (host, *process, *until)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lease_is_renewed_during_work_and_given_back_afterwards() {
    let shared = Shared::new();
    let first = shared.take("one", 1).await.unwrap();
    let error = shared.take("two", 2).await.unwrap_err();
    assert_eq!(held(&error), ("one", 1, at("2026-11-01T02:01:30Z")));
    assert!(error.to_string().contains("process 1 on one"), "{error}");
    let work = async {
        // The lease is renewed during the work, so passing time does not end it.
        for _ in 0..4 {
            shared.advance(60);
            some_renewals().await?;
            let error = shared.take("two", 2).await.unwrap_err();
            let (host, _, until) = held(&error);
            assert_eq!(host, "one");
            assert!(until > *shared.clock.lock().unwrap());
        }
        Ok(7)
    };
    assert_eq!(first.during(work).await.unwrap(), 7);
    assert_eq!(shared.lease().await, None);
    shared.take("two", 2).await.unwrap().during(some_renewals()).await.unwrap();
    // Failing work gives the lease back too.
    let failing = async { Err::<(), Error>(RunLockError::LeaseRemoved.into()) };
    shared.take("one", 1).await.unwrap().during(failing).await.unwrap_err();
    assert_eq!(shared.lease().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lease_of_dead_process_is_taken_over_at_once_here_and_after_expiry_elsewhere() {
    let shared = Shared::new();
    let left = Lease { host: "one".to_owned(), process: 1, until: at("2026-11-01T02:01:30Z") };
    let leave = async || {
        let catalog = shared.catalog();
        let current = catalog.lease().await.unwrap();
        assert!(catalog.replace_lease(current.as_ref(), Some(&left)).await.unwrap());
    };
    leave().await;
    assert_eq!(held(&shared.take("two", 2).await.unwrap_err()).0, "one");
    let taken_over = shared.take("one", 9).await.unwrap();
    assert_eq!(shared.lease().await.unwrap().process, 9);
    // A second process of the same machine does not get it.
    let error = shared.take("one", 10).await.unwrap_err();
    assert!(matches!(error, Error::RunLock(RunLockError::Locked { .. })), "{error:?}");
    taken_over.during(some_renewals()).await.unwrap();

    leave().await;
    shared.advance(89);
    shared.take("two", 2).await.unwrap_err();
    shared.advance(1);
    shared.take("two", 2).await.unwrap().during(some_renewals()).await.unwrap();

    // Without a lock file beside the catalog, nothing tells that a process of this machine has
    // ended.
    leave().await;
    *shared.clock.lock().unwrap() = at("2026-11-01T02:00:00Z");
    let holder = Holder { host: "one".to_owned(), process: 9 };
    let now = || at("2026-11-01T02:00:00Z");
    let without = RunLease::take(None, shared.catalog(), holder, TERMS, now).await;
    assert_eq!(held(&without.unwrap_err()).1, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_ends_when_lease_is_lost() {
    for stolen in [
        Some(Lease { host: "two".to_owned(), process: 2, until: at("2030-01-01T00:00:00Z") }),
        None,
    ] {
        let shared = Shared::new();
        let lease = shared.take("one", 1).await.unwrap();
        let work = async {
            let catalog = shared.catalog();
            loop {
                let current = catalog.lease().await.unwrap();
                if catalog.replace_lease(current.as_ref(), stolen.as_ref()).await.unwrap() {
                    break;
                }
            }
            std::future::pending::<Result<(), Error>>().await
        };
        let ended = tokio::time::timeout(Duration::from_secs(20), lease.during(work)).await;
        match ended.expect("in time").unwrap_err() {
            Error::RunLock(RunLockError::LeaseLost { host, process }) => {
                assert_eq!((host.as_str(), process, stolen.is_some()), ("two", 2, true));
            }
            Error::RunLock(RunLockError::LeaseRemoved) => assert_eq!(stolen, None),
            other => panic!("{other:?}"),
        }
        // A lease of another process stays.
        assert_eq!(shared.lease().await, stolen);
    }
}

/// A collection with work for three commands, in an AWS that accepts calls and never answers.
async fn stuck() -> (Staged, TcpListener) {
    let mut staged = Staged::new("[publish]\ntarget = \"aws\"");
    staged.three("requests", "eu-west-1").await;
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    for (variable, value) in Account::new().environment() {
        staged.home.tell(variable, value);
    }
    let address = format!("http://{}", silent.local_addr().unwrap());
    staged.home.tell("AWS_ENDPOINT_URL", &address);
    (staged, silent)
}

#[tokio::test]
async fn interrupted_command_gives_lease_back() {
    let (staged, silent) = stuck().await;
    for arguments in
        [&["expire"][..], &["yank", "requests==3", "--reason", "x"], &["reconcile", "--repair"]]
    {
        for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
            let child = staged.home.command(arguments).spawn().unwrap();
            let _call = silent.accept().await.unwrap();
            let lease = staged.catalog.lease().await.unwrap().expect("it works");
            assert_eq!(lease.process, child.id());
            kill_process(Pid::from_child(&child), signal).unwrap();
            staged.home.finish(child).ended_with(code);
            assert_eq!(staged.catalog.lease().await.unwrap(), None, "{arguments:?}");
        }
    }
}

#[tokio::test]
async fn command_interrupted_twice_ends_at_once() {
    let (staged, silent) = stuck().await;
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let child = staged.home.command(&["expire"]).spawn().unwrap();
        let _call = silent.accept().await.unwrap();
        // While another process writes, giving back the lease waits for ten seconds.
        let writer = Connection::open(staged.home.path("klayers.db")).unwrap();
        writer.execute_batch("BEGIN IMMEDIATE").unwrap();
        let process = Pid::from_child(&child);
        kill_process(process, Signal::INT).unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let begun = std::time::Instant::now();
        kill_process(process, signal).unwrap();
        staged.home.finish(child).ended_with(code);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        drop(writer);
        // The lease expires, or the next process on this machine takes it over.
        assert!(staged.catalog.lease().await.unwrap().is_some());
    }
}

#[tokio::test]
async fn command_refuses_to_run_while_other_machine_holds_lease() {
    let staged = Staged::new("");
    staged.three("requests", "eu-west-1").await;
    let before = staged.recorded().await;
    let lease = |until| Lease { host: "elsewhere".to_owned(), process: 77, until };
    let held = lease(days(1));
    assert!(staged.catalog.replace_lease(None, Some(&held)).await.unwrap());
    let mut commands = vec![
        &["expire"][..],
        &["yank", "requests==3", "--reason", "x"],
        &["reconcile", "--repair"],
    ];
    // It checks for required tools first.
    if uv_is_there() {
        commands.push(&["run"]);
    }
    for arguments in commands {
        let refused = staged.home.run(arguments).ended_with(1);
        let said = "another run is working on the collection: process 77 on elsewhere";
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
        assert_eq!(refused.stdout, "");
    }
    assert_eq!(staged.recorded().await, before);
    // Commands that only read work meanwhile.
    staged.home.run(&["expire", "--dry-run"]).ended_with(0);
    staged.home.run(&["reconcile"]).ended_with(0);
    // An expired lease is taken over.
    let expired = lease(now());
    assert!(staged.catalog.replace_lease(Some(&held), Some(&expired)).await.unwrap());
    staged.home.run(&["expire"]).ended_with(0);
    assert_eq!(staged.catalog.lease().await.unwrap(), None);
}
