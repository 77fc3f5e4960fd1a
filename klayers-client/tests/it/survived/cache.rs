//! Cache folders that are damaged, locked, full or shared.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use klayers_client::{Cache, Client};
use klayers_core::Digest;

use super::{ARN, Category, Injector, Outcome, Tally, ask};
use crate::builder;
use crate::command::{NO_SERVER, klayers};
use crate::fixture::{Server, collection, respond};

const FRESH: &str = "Cache-Control: max-age=300\r\n";

/// Damages a file of the cache, or replaces it.
type Damage = fn(&Path);

/// Each with the number of requests of the next client, and of the client after that.
const DAMAGES: [(&str, Damage, usize, usize); 7] = [
    ("a file that is cut", |file| rewrite(file, |good| good[..good.len() / 2].to_vec()), 1, 0),
    ("a file that is empty", |file| rewrite(file, |_| Vec::new()), 1, 0),
    ("a file with a flipped bit", |file| rewrite(file, flipped), 1, 0),
    ("a file of another region, whole", |file| rewrite(file, of_another_region), 1, 0),
    ("a folder in the place of the file", replaced_by_a_folder, 1, 1),
    ("a file in the place of the folder", replacing_the_folder, 1, 1),
    ("a pipe in the place of the file", replaced_by_a_pipe, 1, cfg!(unix) as usize),
];

fn rewrite(file: &Path, change: impl Fn(&[u8]) -> Vec<u8>) {
    let good = fs::read(file).expect("a file");
    let bad = change(&good);
    assert_ne!(good, bad);
    fs::write(file, bad).expect("written");
}

fn flipped(good: &[u8]) -> Vec<u8> {
    let mut bad = good.to_vec();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    bad
}

/// The digest is correct, so only the content shows that the answer is wrong.
fn of_another_region(good: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(good.to_vec()).expect("text");
    let (_, rest) = text.split_once('\n').expect("a digest");
    let rest = rest.replace("us-east-1:", "us-west-2:");
    format!("{}\n{rest}", Digest::of(rest.as_bytes())).into_bytes()
}

fn replaced_by_a_folder(file: &Path) {
    fs::remove_file(file).expect("removed");
    fs::create_dir(file).expect("a folder");
}

/// Opening a pipe blocks until there is a writer. On systems without pipes, the file is missing.
fn replaced_by_a_pipe(file: &Path) {
    fs::remove_file(file).expect("removed");
    if cfg!(unix) {
        assert!(Command::new("mkfifo").arg(file).status().expect("mkfifo").success());
    }
}

fn replacing_the_folder(file: &Path) {
    let folder = file.parent().expect("a folder");
    fs::remove_dir_all(folder).expect("removed");
    fs::write(folder, "").expect("written");
}

fn client(server: &Injector, folder: &Path) -> Client {
    builder(&server.server).cache(Cache::memory().folder(folder)).build().expect("a client")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.expect("a file").path()).collect()
}

pub(super) async fn damaged_files(tally: &mut Tally) {
    for (name, damage, first, second) in DAMAGES {
        let above = tempfile::tempdir().expect("a folder");
        let folder = above.path().join("cache");
        let mut server = Injector::new(FRESH);
        let file = filled(&server, &folder).await;
        damage(&file);
        tally.injected += 1;
        server.requests();
        for requests in [first, second] {
            let outcome = ask(&client(&server, &folder)).await;
            let right = matches!(outcome, Outcome::Fresh) && server.requests() == requests;
            tally.judge(Category::Cache, name, &outcome, right);
        }
    }
}

/// A lock is a fault on Windows only, where other processes cannot read a locked file.
#[expect(clippy::incompatible_msrv, reason = "tests are built with the newest Rust")]
pub(super) async fn locked_file(tally: &mut Tally) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Injector::new(FRESH);
    let file = filled(&server, folder.path()).await;
    let file = File::options().read(true).write(true).open(file).expect("a file");
    file.lock().expect("a lock");
    let outcome = ask(&client(&server, folder.path())).await;
    let right = matches!(outcome, Outcome::Fresh);
    tally.judge(Category::Cache, "a file that another process locked", &outcome, right);
    tally.injected += 1;
}

/// Fills the cache, and returns the file of the answer.
async fn filled(server: &Injector, folder: &Path) -> PathBuf {
    assert!(matches!(ask(&client(server, folder)).await, Outcome::Fresh));
    let [file] = &files(folder)[..] else { unreachable!("one file") };
    file.clone()
}

/// Folders that nobody can create or write, not even the superuser.
pub(super) async fn unusable_folders(tally: &mut Tally) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut folders = vec![
        ("a folder below a file", file.path().join("cache")),
        ("a folder with too long a name", std::env::temp_dir().join("x".repeat(5_000))),
    ];
    if cfg!(target_os = "linux") {
        folders.push(("a file system without files", "/proc/klayers".into()));
    }
    for (name, folder) in folders {
        let mut server = Injector::new(FRESH);
        for _ in 0..2 {
            let outcome = ask(&client(&server, &folder)).await;
            let right = matches!(outcome, Outcome::Fresh) && server.requests() == 1;
            tally.judge(Category::Cache, name, &outcome, right);
        }
        tally.injected += 1;
    }
}

const PLACE: [&str; 6] = ["latest-arn", "requests", "--region", "us-east-1", "--python", "3.13"];

/// Runs the command. The outcome is wrong unless `right` accepts the printed ARN.
fn outcome(mut command: Command, right: impl Fn(&str) -> bool) -> Outcome {
    let output = command.args(PLACE).output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    if output.status.success() && right(&text) {
        Outcome::Fresh
    } else {
        Outcome::Wrong(format!("{output:?}"))
    }
}

fn at_home(url: &str, home: &Path) -> Command {
    let mut command = klayers(url);
    command.env("HOME", home).env("XDG_CACHE_HOME", home.join("cache")).stderr(Stdio::piped());
    command
}

/// Two processes repeatedly write the same file, each time with another answer.
pub(super) fn simultaneous_processes(tally: &mut Tally) {
    let name = "two processes that write the same file";
    let number = AtomicU64::new(4);
    let server = Server::start(move |path, stream| {
        let next = number.fetch_add(1, Ordering::SeqCst);
        let body = collection(path).expect("a known path");
        let body = body.replace("requests:4", &format!("requests:{next}"));
        respond(stream, 200, "application/json", &body)
    });
    let home = tempfile::tempdir().expect("a folder");
    let (url, layer) = (server.url(), ARN.trim_end_matches('4'));
    // The file must be from one of the processes, never a mixture.
    let sent = |text: &str, last: u64| {
        let number = text.strip_prefix(layer).and_then(|number| number.parse::<u64>().ok());
        number.is_some_and(|number| (4..=last).contains(&number))
    };
    for round in 1..=5 {
        let last = 3 + 2 * round;
        let run = || outcome(at_home(&url, home.path()), |text| sent(text, last));
        let outcomes = std::thread::scope(|scope| {
            let both = [scope.spawn(run), scope.spawn(run)];
            both.map(|one| one.join().expect("no panic"))
        });
        let mut offline = at_home(NO_SERVER, home.path());
        offline.env("KLAYERS_API_URL", &url).arg("--offline");
        let kept = outcome(offline, |text| sent(text, last));
        for outcome in outcomes.iter().chain([&kept]) {
            tally.judge(Category::Cache, name, outcome, matches!(outcome, Outcome::Fresh));
        }
        tally.injected += 1;
        assert_eq!(files(&home.path().join("cache/klayers")).len(), 1, "{name}: round {round}");
    }
}

/// A process that cannot write a single byte, as on a full disk.
pub(super) fn full_disk(tally: &mut Tally) {
    if !cfg!(unix) {
        return;
    }
    let name = "a disk that is full";
    let mut server = Injector::new(FRESH);
    let home = tempfile::tempdir().expect("a folder");
    let url = server.server.url();
    let mut full = Command::new("sh");
    full.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""]);
    full.arg(env!("CARGO_BIN_EXE_klayers")).current_dir("/").stdin(Stdio::null());
    full.env_clear().env("KLAYERS_API_URL", &url).env("HOME", home.path());
    full.env("XDG_CACHE_HOME", home.path().join("cache"));
    let answers = |text: &str| text == ARN;
    let outcomes = [outcome(full, answers), outcome(at_home(&url, home.path()), answers)];
    // The second run can write again: it finds no answer and caches its own.
    assert_eq!(server.requests(), 2, "{name}");
    assert_eq!(files(&home.path().join("cache/klayers")).len(), 1, "{name}");
    for outcome in &outcomes {
        tally.judge(Category::Cache, name, outcome, matches!(outcome, Outcome::Fresh));
    }
    tally.injected += 1;
}
