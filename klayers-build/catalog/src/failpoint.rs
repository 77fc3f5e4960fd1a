//! Failpoints: places between an effect and its record where a test can kill the process.
//!
//! They exist only with the feature `failpoints`, and do nothing until they are armed.

#[cfg(feature = "failpoints")]
pub use armed::arm;

/// Marks a failpoint. If this failpoint is armed and this is the chosen visit, the process is
/// killed with SIGKILL, so nothing is cleaned up.
#[cfg(not(feature = "failpoints"))]
pub fn reach(_: &'static str) {}

#[cfg(feature = "failpoints")]
pub use armed::reach;

#[cfg(feature = "failpoints")]
mod armed {
    use std::collections::BTreeMap;
    use std::fs::OpenOptions;
    use std::io::Write as _;
    use std::path::PathBuf;
    use std::sync::{Mutex, OnceLock, PoisonError};

    use rustix::process::{Signal, getpid, kill_process};

    static ARMED: OnceLock<Armed> = OnceLock::new();

    #[derive(Debug)]
    struct Armed {
        fatal: Option<(String, u64)>,
        seen: Option<PathBuf>,
        visits: Mutex<BTreeMap<&'static str, u64>>,
    }

    /// Arms the failpoints of this process, once. `fatal` names a failpoint and a visit:
    /// `published:2` kills the process at the second visit of `published`. Every visit is appended
    /// to the file `seen` as a line.
    pub fn arm(fatal: Option<&str>, seen: Option<PathBuf>) {
        let fatal = fatal.map(|fatal| {
            let (place, visit) = fatal.rsplit_once(':').unwrap_or((fatal, "1"));
            (place.to_owned(), visit.parse().unwrap_or(1))
        });
        // The first call wins; nothing calls this twice.
        let _ = ARMED.set(Armed { fatal, seen, visits: Mutex::default() });
    }

    /// Comes by a place. If it is armed and this is the chosen visit, the process is killed.
    pub fn reach(place: &'static str) {
        let Some(armed) = ARMED.get() else { return };
        let visit = {
            let mut visits = armed.visits.lock().unwrap_or_else(PoisonError::into_inner);
            let visit = visits.entry(place).or_default();
            *visit += 1;
            *visit
        };
        if let Some(seen) = &armed.seen {
            let file = OpenOptions::new().create(true).append(true).open(seen);
            // A test that misses this visit fails by itself.
            let _ = file.and_then(|mut file| writeln!(file, "{place}:{visit}"));
        }
        if armed.fatal.as_ref().is_some_and(|(name, number)| name == place && *number == visit) {
            let _ = kill_process(getpid(), Signal::KILL);
            loop {
                std::thread::park();
            }
        }
    }
}
