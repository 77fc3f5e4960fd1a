//! What a run did is written down, shown, logged and told.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};

use klayers_catalog::report::RunReport;
use klayers_catalog::{Catalog as _, SqliteCatalog};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::WheelFile;
use crate::support::command::{Home, Outcome, environment, uv_is_there};
use crate::support::hook::{Hook, Taken};

/// A collection of two layers that can be built, and one that cannot.
fn home() -> Home {
    let home = sound();
    home.collection(&[("p3.12", &["absent", "Alpha", "beta"])], &["us-east-1", "eu-west-1"]);
    home
}

/// The same without the one that cannot be built.
fn sound() -> Home {
    let home = Home::new();
    home.wheels(&[
        WheelFile::new("Alpha", "1.0").file("alpha.py", "x = 1\n"),
        WheelFile::new("beta", "1.0").file("beta.py", "y = 1\n"),
    ]);
    home.collection(&[("p3.12", &["Alpha", "beta"])], &["us-east-1", "eu-west-1"]);
    home
}

/// The reports of a catalog, the newest first.
fn reports(home: &Home) -> Vec<(u64, RunReport)> {
    let catalog = SqliteCatalog::open_read_only(home.path("klayers.db")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(catalog.runs(100)).unwrap()
}

/// What differs from run to run put out of the way: times, and which of them was slowest.
fn steady(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once("  slowest    ") {
        Some((head, slowest)) => {
            let mut names: Vec<&str> =
                slowest.split(", ").map(|layer| layer.rsplitn(3, ' ').last().unwrap()).collect();
            names.sort_unstable();
            format!("{head}  slowest    {}", names.join(", "))
        }
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_run_is_summed_up_and_its_report_is_kept() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    let ran = home.run(&["run"]).ended_with(1);
    let (said, summary) = ran.stderr.split_at(ran.stderr.find("3 layers").unwrap());
    let failed = "error: p3.12 absent: there is no package absent in find_links\n\
                  help: check its spelling; leave out no_index under [build] to ask the package \
                  index\n";
    assert_eq!(said, format!("p3.12 absent: failed\n{failed}"));
    let summary = steady(summary);
    insta::assert_snapshot!("summary", summary);

    home.run(&["run", "--package", "beta", "--force-publish"]).ended_with(0);
    let [(2, second), (1, first)] = &reports(&home)[..] else { panic!("{:?}", reports(&home)) };
    assert_eq!((first.layers, first.built.len(), first.failed), (3, 2, 1));
    assert!(first.whole && !first.scheduled && !first.is_complete());
    assert!(first.built.iter().all(|layer| layer.milliseconds > 0 && layer.code_size > 0));
    assert!(first.milliseconds >= first.built[0].milliseconds);
    assert_eq!((second.layers, second.built.len(), second.published.len()), (1, 0, 2));
    assert!(!second.whole && second.is_complete());

    let last = home.run(&["report"]).ended_with(0);
    assert!(last.stdout.starts_with("run 2 of "), "{}", last.stdout);
    assert!(last.stdout.contains(", of a part, took "), "{}", last.stdout);
    let shown = home.run(&["report", "1"]).ended_with(0);
    let (head, body) = shown.stdout.split_once('\n').unwrap();
    assert!(head.ends_with(" s") && head.contains(", not complete, took "), "{head}");
    assert_eq!(steady(body), format!("{summary}\n{}", failed.trim_end()));
    let listed = home.run(&["report", "--last", "9"]).ended_with(0);
    let lines: Vec<&str> = listed.stdout.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("run 2 of ") && lines[1].starts_with("run 1 of "), "{lines:?}");

    let json = |arguments: &[&str]| -> Value {
        let outcome = home.run(&[&["report", "--json"], arguments].concat()).ended_with(0);
        serde_json::from_str(&outcome.stdout).unwrap()
    };
    let one = json(&["1"]);
    assert_eq!((&one["run"], &one["complete"]), (&1.into(), &false.into()));
    assert_eq!(serde_json::from_value::<RunReport>(one.clone()).unwrap(), *first);
    assert_eq!(json(&["--last", "2"])[1], one);
    let none = home.run(&["report", "3"]);
    none.refused(1, "error: the catalog has no run 3\n");
}

#[test]
fn the_run_of_a_month_is_tried_until_it_is_complete_and_then_no_more() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    let scheduled = ["run", "--scheduled"];
    home.run(&scheduled).ended_with(1);
    home.run(&scheduled).ended_with(1);
    home.collection(&[("p3.12", &["Alpha", "beta"])], &["us-east-1", "eu-west-1"]);
    // What somebody does by hand is not the run of the month.
    home.run(&["run"]).ended_with(0);
    home.run(&scheduled).ended_with(0);
    let kept = reports(&home);
    let kinds: Vec<(bool, bool)> =
        kept.iter().map(|(_, report)| (report.scheduled, report.is_complete())).collect();
    assert_eq!(kinds, [(true, true), (false, true), (true, false), (true, false)]);

    let done = home.run(&scheduled).ended_with(0);
    let next = done.stdout.strip_prefix("the run of this month is done; the next begins at ");
    assert!(next.is_some_and(|next| next.ends_with("T02:00:00Z\n")), "{}", done.stdout);
    assert_eq!(done.stderr, "");
    assert_eq!(reports(&home).len(), kept.len());

    let selected = home.run(&["run", "--scheduled", "--package", "beta"]).ended_with(2);
    assert!(selected.stderr.contains("cannot be used with"), "{}", selected.stderr);
}

#[test]
fn an_interrupted_run_is_reported_as_far_as_it_came() {
    if !uv_is_there() {
        return;
    }
    let home = sound();
    // The second layer never ends, so the first is done when the signal comes.
    let waits = home.path("waits");
    let search = environment("PATH").unwrap();
    let mut places = std::env::split_paths(&search).map(|folder| folder.join("uv"));
    let real = places.find(|uv| uv.is_file()).unwrap();
    home.fake_uv(&format!(
        "[ \"$1\" = pip ] || exec {real} \"$@\"\n\
         input=$(cat)\n\
         [ \"$input\" != beta ] || {{ touch {waits}; exec sleep 600; }}\n\
         printf '%s' \"$input\" | {real} \"$@\"",
        real = real.display(),
        waits = waits.display(),
    ));
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let _ = fs::remove_file(&waits);
        let mut child = home.command(&["run"]).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(said.next().unwrap().unwrap().starts_with("p3.12 Alpha 1.0: "));
        wait_for(&waits);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let outcome = home.finish(child).ended_with(code);
        assert!(outcome.stderr.contains("error: it was interrupted\n"), "{outcome:?}");
        let catalog = SqliteCatalog::open_read_only(home.path("klayers.db")).unwrap();
        let lease = tokio::runtime::Runtime::new().unwrap().block_on(catalog.lease());
        assert_eq!(lease.unwrap(), None);
        let (_, report) = &reports(&home)[0];
        assert_eq!((report.layers, report.is_complete()), (1, false));
    }
    assert_eq!(reports(&home).len(), 2);
}

/// Waits until there is a file.
fn wait_for(file: &Path) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !file.exists() {
        assert!(Instant::now() < deadline, "{} never came", file.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Each line of what was said on stderr, all of them JSON.
fn events(outcome: &Outcome) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    outcome.stderr.lines().map(parse).collect()
}

#[test]
fn the_log_is_json_alone_with_fields_that_stay() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    let events = events(&home.run(&["run", "--log-format", "json"]).ended_with(1));
    for event in &events {
        let text = |name: &str| event[name].as_str().unwrap_or_default();
        assert!(text("timestamp").parse::<jiff::Timestamp>().is_ok(), "{event}");
        assert!(["info", "warn", "error"].contains(&text("level")), "{event}");
        assert!(text("module").starts_with("klayers_"), "{event}");
    }
    let with = |message: &str| -> Vec<&Value> {
        events.iter().filter(|event| event["message"] == message).collect()
    };
    let published = with("published");
    assert_eq!(published.len(), 4);
    for event in published {
        assert_eq!(event["target"], "p3.12");
        let arn = event["arn"].as_str().unwrap();
        let part =
            format!(":{}:000000000000:layer:Klayers-p312-", event["region"].as_str().unwrap());
        assert!(arn.contains(&part) && arn.contains(event["package"].as_str().unwrap()), "{event}");
    }
    let [failed] = with("failed")[..] else { panic!("{events:?}") };
    assert_eq!((&failed["level"], &failed["package"]), (&"error".into(), &"absent".into()));
    assert_eq!(failed.get("region"), None);
    assert!(failed["error"].as_str().unwrap().starts_with("no wheels for p3.12 meet absent: "));
    let [ended] = with("run ended")[..] else { panic!("{events:?}") };
    assert_eq!(
        (&ended["run"], &ended["built"], &ended["failed"]),
        (&1.into(), &2.into(), &1.into())
    );

    // Nothing else says anything either.
    let unknown = home.run(&["run", "--log-format", "json", "--package", "delta"]).ended_with(2);
    assert_eq!(unknown.stderr.lines().count(), 1);
    let error: Value = serde_json::from_str(&unknown.stderr).unwrap();
    assert_eq!(error["level"], "error");
}

#[test]
fn how_much_is_told_is_chosen() {
    if !uv_is_there() {
        return;
    }
    let home = sound();
    let told = |arguments: &[&str], level: Option<&str>| {
        let mut command = home.command(&[&["run", "--force-publish"], arguments].concat());
        command.envs(level.map(|level| ("KLAYERS_LOG", level)));
        let outcome = home.finish(command.spawn().unwrap()).ended_with(0);
        let of = |level: &str| outcome.stderr.lines().filter(|l| l.starts_with(level)).count();
        (of("info: published "), of("debug: resolving "))
    };
    assert_eq!(told(&[], None), (0, 0));
    assert_eq!(told(&["--verbose"], None), (4, 0));
    assert_eq!(told(&["-vv"], None), (4, 2));
    assert_eq!(told(&[], Some("debug")), (4, 2));
    assert_eq!(told(&["-vv"], Some("warn")), (0, 0));
}

/// Runs with an address in the environment, and says that nobody saw it.
fn run_told(home: &Home, arguments: &[&str], url: &str) -> Outcome {
    let mut command = home.command(arguments);
    command.env("KLAYERS_NOTIFY_URL", url).env("NO_PROXY", "127.0.0.1");
    let outcome = home.finish(command.spawn().unwrap());
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(!said.contains(Hook::SECRET), "{said}");
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_to_be_told_of_a_run_is_told() {
    if !uv_is_there() {
        return;
    }
    let hook = Hook::start([]).await;
    let home = home();
    run_told(&home, &["run"], &hook.url()).ended_with(1);
    let [body] = &hook.told()[..] else { panic!("not told once") };
    assert_eq!((&body["run"], &body["failed"]), (&1.into(), &1.into()));
    assert_eq!(body["failures"][0]["package"], "absent");
    run_told(&home, &["run", "--package", "beta"], &hook.url()).ended_with(0);
    assert_eq!(hook.told().len(), 0);

    // What the file says, with the address there, too.
    let config = fs::read_to_string(home.path("klayers.toml")).unwrap();
    let section =
        format!("[notify]\nurl = \"{}\"\nformat = \"slack\"\non = \"always\"\n", hook.url());
    home.write("klayers.toml", config + &section);
    home.run(&["run", "--package", "beta"]).ended_with(0);
    let [body] = &hook.told()[..] else { panic!("not told once") };
    assert!(body["text"].as_str().unwrap().starts_with("Klayers run 3 of "), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn that_nobody_could_be_told_is_a_warning() {
    if !uv_is_there() {
        return;
    }
    let hook = Hook::start([Taken::Status(404)]).await;
    let home = home();
    let outcome = run_told(&home, &["run"], &hook.url()).ended_with(1);
    let warning = "warning: could not send a notification: the URL in [notify] answered with the \
                   status 404 Not Found\n";
    assert!(outcome.stderr.ends_with(warning), "{}", outcome.stderr);
    assert_eq!(hook.told().len(), 1);

    let before = home.contents();
    let secret = format!("ftp://index.example/{}", Hook::SECRET);
    run_told(&home, &["run"], &secret).refused(
        2,
        "error: KLAYERS_NOTIFY_URL: the URL for notifications must begin with http:// or https:// \
         (not shown here)\nhelp: correct it; its form is https://HOST/PATH\n",
    );
    assert_eq!(home.contents(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn that_the_run_of_a_month_cannot_begin_is_told() {
    let hook = Hook::start([]).await;
    let home = sound();
    let told_of = |arguments: &[&str]| {
        let mut command = home.command(arguments);
        // There is no uv.
        command.env("PATH", home.path("bin")).env("KLAYERS_NOTIFY_URL", hook.url());
        home.finish(command.spawn().unwrap()).ended_with(2);
        hook.told()
    };
    // Who calls it by hand sees that it does not begin.
    assert_eq!(told_of(&["run"]).len(), 0);
    let [body] = &told_of(&["run", "--scheduled"])[..] else { panic!("not told once") };
    assert_eq!(body["run"], Value::Null);
    assert!(body["failures"][0]["reason"].as_str().unwrap().contains("uv"), "{body}");
    assert!(!home.path("klayers.db").exists());
}
