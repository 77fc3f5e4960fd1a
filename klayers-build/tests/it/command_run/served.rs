//! The command `serve` beside runs, and the command `next-run`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use klayers_core::Timestamp;
use klayers_core::api::{LatestRow, VersionRow};
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;

use super::{arn, home};
use crate::support::WheelFile;
use crate::support::command::{Home, uv_is_there};

/// A running `serve` command, which is killed on drop.
struct Served {
    child: Child,
    address: SocketAddr,
}

impl Served {
    fn of(home: &Home) -> Self {
        let mut child = home.command(&["serve", "--listen", "127.0.0.1:0"]).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://").map(str::parse);
        Self { child, address: address.expect("an address").unwrap() }
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let url = format!("http://{}{path}", self.address);
        let body = tokio::runtime::Runtime::new().unwrap().block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            client.get(url).send().await.unwrap().text().await.unwrap()
        });
        serde_json::from_str(&body).unwrap()
    }

    /// Sends a signal and returns the exit code.
    fn stop(mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let code = self.child.wait().unwrap().code();
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "");
        code
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Killing fails only if the process has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn serve_shows_published_layers_and_exits_cleanly_on_a_signal() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    home.run(&["run"]).ended_with(0);
    let served = Served::of(&home);
    let latest = |served: &Served| -> Vec<String> {
        let rows: Vec<LatestRow> = served.get("/api/v2/p3.12/layers/latest/eu-west-1");
        rows.into_iter().map(|row| row.arn.to_string()).collect()
    };
    let beta = |number| arn("eu-west-1", "p312-beta", number);
    assert_eq!(latest(&served), [arn("eu-west-1", "p312-Alpha", 1), beta(1)]);

    // The server soon shows what another run publishes.
    home.wheels(&[WheelFile::new("beta", "1.1").file("beta.py", "y = 2\n")]);
    home.run(&["run"]).ended_with(0);
    let deadline = Instant::now() + Duration::from_secs(20);
    while latest(&served) != [arn("eu-west-1", "p312-Alpha", 1), beta(2)] {
        assert!(Instant::now() < deadline, "{:?}", latest(&served));
        thread::sleep(Duration::from_millis(20));
    }
    let versions: Vec<VersionRow> = served.get("/api/v2/p3.12/layers/eu-west-1/beta");
    let versions: Vec<String> = versions.into_iter().map(|row| row.arn.to_string()).collect();
    assert_eq!(versions, [beta(1), beta(2)]);
    assert_eq!(served.stop(Signal::TERM), Some(0));
    assert_eq!(Served::of(&home).stop(Signal::INT), Some(0));
}

#[test]
fn next_run_is_at_two_on_the_first_sunday_of_a_month() {
    let home = Home::new();
    let said = home.run(&["next-run"]).ended_with(0);
    let next: Timestamp = said.stdout.trim_end().parse().unwrap();
    let time = next.to_zoned(jiff::tz::TimeZone::UTC);
    assert_eq!(time.weekday(), jiff::civil::Weekday::Sunday);
    assert!(time.day() <= 7);
    assert_eq!(time.time(), jiff::civil::time(2, 0, 0, 0));
    let cron = home.run(&["next-run", "--cron"]).ended_with(0);
    assert_eq!(cron.stdout, "cron(0 2 ? * SUN#1 *)\n");
}
