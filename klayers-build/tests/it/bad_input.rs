//! What cannot be done is said in one clear message, and nothing of it is left half done.

use std::fs;
use std::net::TcpListener;

use klayers_build::pipeline::RunLock;

use crate::support::WheelFile;
use crate::support::command::{Home, uv_is_there};

mod disks;
mod half_started;
mod nesting;
mod pipes;
mod secrets;

/// A collection of one layer in one region.
fn home() -> Home {
    let home = Home::new();
    home.wheels(&[WheelFile::new("alpha", "1.0").file("alpha.py", "x = 1\n")]);
    home.collection(&[("p3.12", &["alpha"])], &["us-east-1"]);
    home
}

/// That commands end with a message and the code for bad configuration, and touch nothing.
#[track_caller]
fn unusable(home: &Home, commands: &[&[&str]], stderr: &str) {
    let before = home.contents();
    for command in commands {
        home.run(command).refused(2, stderr);
    }
    assert_eq!(home.contents(), before);
}

const BOTH: [&[&str]; 2] = [&["plan"], &["run"]];

#[test]
fn an_unknown_package_is_named() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    let offline = ["--find-links", "wheels", "--no-index", "--out", "out"];
    let build = |wanted: &[&str]| {
        let before = home.contents();
        let outcome = home.run(&[&["build"], wanted, &offline].concat()).ended_with(1);
        assert_eq!(outcome.stdout, "");
        assert!(outcome.stderr.lines().count() <= 3, "{}", outcome.stderr);
        assert_eq!(home.contents(), before);
        outcome.stderr
    };
    let said = build(&["requestz", "--python", "3.13"]);
    assert_eq!(
        said,
        "error: there is no package requestz in --find-links\n\
         help: check its spelling; leave out --no-index to ask the package index\n"
    );
    let said = build(&["alpha>=2", "--python", "3.13"]);
    let expected = "error: only alpha==1.0 is available\n  you require alpha>=2\nhelp: ";
    assert!(said.starts_with(expected), "{said}");

    // A program is told all of it.
    let json = ["build", "alpha>=2", "--python", "3.13", "--json"];
    let outcome = home.run(&[&json[..], &offline].concat()).ended_with(1);
    let told: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(told["error"]["message"], "only alpha==1.0 is available");
    assert_eq!(told["error"]["details"], serde_json::json!(["you require alpha>=2"]));
    let whole = told["error"]["whole"].as_str().unwrap();
    assert!(whole.contains("we can conclude that your requirements are unsatisfiable"), "{whole}");
    let verbose =
        home.run(&[&["-v", "build", "alpha>=2", "--python", "3.13"], &offline[..]].concat());
    assert!(verbose.stderr.contains("we can conclude that"), "{}", verbose.stderr);

    home.wheels(&[
        WheelFile::new("native", "1.0").tag("cp312-cp312-manylinux_2_28_x86_64"),
        WheelFile::new("native", "1.0").tag("cp313-cp313-macosx_14_0_arm64"),
    ]);
    for arguments in
        [&["native", "--python", "3.13"][..], &["native", "--python", "3.12", "--arch", "arm64"]]
    {
        let said = build(arguments);
        assert!(said.starts_with("error: no wheels of native for Python 3.1"), "{said}");
        assert!(said.contains("\n  native 1.0 has wheels for "), "{said}");
    }
}

#[test]
fn a_packages_list_that_cannot_be_read_is_named_with_the_line() {
    let home = home();
    let header = "Package_Name,License,Authors/Maintainers\n";
    for (list, reason) in [
        (
            format!("{header}alpha,MIT,x\nnot a name,MIT,x\n"),
            "line 3: \"not a name\" is not a requirement: version specifiers expected after the \
             name, as in >=2.31,<3",
        ),
        (
            format!("{header}\"alpha, MIT, x\nbeta, MIT, x\n"),
            "line 2: a quote is opened on this line and not closed on it",
        ),
        (
            format!("{header}alpha,MIT,x\nAlpha[extra],MIT,x\n"),
            "line 3: Alpha[extra] would be the same layer as alpha on line 2; keep one of them",
        ),
        (
            "name\nalpha\n".to_owned(),
            "line 1: the header must begin with Package_Name, but is \"name\"",
        ),
    ] {
        home.write("config/packages_p3.12.csv", list);
        let expected = format!(
            "error: config/packages_p3.12.csv cannot be used\n  caused by: {reason}\nhelp: correct the file\n"
        );
        unusable(&home, &BOTH, &expected);
    }
}

#[test]
fn a_config_folder_with_something_missing_is_refused() {
    let home = home();
    home.regions(&["us-east-1", "mars-north-1x"]);
    let outcome = home.run(&["run"]).ended_with(2);
    let expected = "error: config/regions.csv cannot be used\n  \
         caused by: line 3: \"mars-north-1x\" is not an AWS region";
    assert!(outcome.stderr.starts_with(expected), "{}", outcome.stderr);

    let config = r#"{"python_versions": ["p3.12"], "p3.12": {"packages_file": "elsewhere.csv"}}"#;
    home.write("config/config.json", config);
    let no_file = "caused by: No such file or directory (os error 2)\nhelp: check the path, or create \
                   the file";
    let expected = format!("error: could not read config/elsewhere.csv\n  {no_file}\n");
    unusable(&home, &BOTH, &expected);

    home.write("config/config.json", r#"{"python_versions": ["p3.12"]}"#);
    unusable(
        &home,
        &BOTH,
        "error: config/config.json cannot be used\n  caused by: target p3.12 is listed under \
         \"python_versions\", but has no entry with its \"packages_file\"\nhelp: correct the file\n",
    );
    home.write("config/config.json", "{\"python_versions\": [");
    let outcome = home.run(&["plan"]).ended_with(2);
    let expected = "error: config/config.json cannot be used\n  \
         caused by: not a collection's config.json: EOF";
    assert!(outcome.stderr.starts_with(expected), "{}", outcome.stderr);

    fs::remove_file(home.path("config/config.json")).unwrap();
    let expected = format!("error: could not read config/config.json\n  {no_file}\n");
    unusable(&home, &BOTH, &expected);
}

#[test]
fn a_configuration_that_is_missing_or_not_understood_is_named() {
    let home = Home::new();
    let all: [&[&str]; 3] = [&["plan"], &["run"], &["serve", "--listen", "127.0.0.1:0"]];
    let missing = "error: could not read klayers.toml\n  caused by: No such file or directory (os error 2)\n\
         help: check the path, or create the file\n";
    unusable(&home, &all, missing);
    // Nothing of a name, or of any other text, is obeyed by a terminal.
    let evil: [&[&str]; 1] = [&["run", "--config", "no\u{1b}[2Jne\u{9b}.toml"]];
    unusable(&home, &evil, &missing.replace("klayers.toml", "no [2Jne .toml"));
    let elsewhere: [&[&str]; 1] = [&["run", "--config", "elsewhere/klayers.toml"]];
    unusable(&home, &elsewhere, &missing.replace("klayers.toml", "elsewhere/klayers.toml"));

    for (text, message) in [
        ("config_dir = \"config\"\n[publsh]\n", "unknown field `publsh`"),
        ("config_dir = \"config\"\n[expiry]\ndays = -1\n", "invalid value"),
        ("config_dir = \"config\"\n[publish]\ntarget = \"moon\"\n", "unknown variant `moon`"),
        ("config_dir = \"config\n", "invalid basic string"),
        ("[catalog]\n", "missing field `config_dir`"),
    ] {
        home.write("klayers.toml", text);
        for command in all {
            let outcome = home.run(command).ended_with(2);
            assert!(outcome.stderr.starts_with("error: klayers.toml: "), "{}", outcome.stderr);
            assert!(outcome.stderr.contains(message), "{}", outcome.stderr);
        }
    }
    home.write("klayers.toml", "config_dir = \"config\"\n[catalog]\nurl = \"postgres:x\"\n");
    let expected = "error: klayers.toml: could not use the location \"postgres:x\"; its form is \
         sqlite:PATH\nhelp: correct the file\n";
    unusable(&home, &all, expected);
}

#[test]
fn arguments_that_are_not_understood_are_named() {
    let home = home();
    let before = home.contents();
    for (arguments, message) in [
        (&["publish"][..], "unrecognized subcommand 'publish'"),
        (&["run", "--fast"], "unexpected argument '--fast' found"),
        (&["build", "--python", "3.13", "--out", "out"], "<REQUIREMENT>..."),
        (&["build", "alpha", "--python", "3.13"], "--out <DIR>"),
        (&["build", "alpha", "--python", "two", "--out", "out"], "\"two\" is not a Python version"),
        (&["build", "a b", "--python", "3.13", "--out", "out"], "\"a b\" is not a requirement"),
        (
            &["build", "a", "--python", "3.13", "--arch", "sparc", "--out", "out"],
            "\"sparc\" is not an architecture: x86_64 or arm64 expected",
        ),
        (&["run", "--target", "3.13"], "\"3.13\" is not a target"),
        (&["run", "--region", "moon"], "\"moon\" is not an AWS region"),
        (&["run", "--package", "a b"], "\"a b\" is not a package name"),
        (&["serve", "--listen", "nowhere"], "invalid socket address"),
        (
            &["build", "a", "--python", "3.13", "--out", "o", "--lock", "l", "--no-index"],
            "cannot be used with",
        ),
    ] {
        let outcome = home.run(arguments).ended_with(2);
        assert_eq!(outcome.stdout, "");
        assert!(outcome.stderr.starts_with("error: "), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(message), "{}", outcome.stderr);
    }
    unusable(
        &home,
        &[&["build", "a", "--python", "3.99", "--out", "out"]],
        "error: no runtime is known for p3.99\nhelp: add a [[runtime]] for it to a klayers.toml, \
         and name that with --config\n",
    );
    assert_eq!(home.contents(), before);
}

#[test]
fn a_lock_that_cannot_be_used_is_named() {
    let home = Home::new();
    let build = ["build", "alpha", "--python", "3.13", "--out", "out", "--lock", "pylock.toml"];
    let expected = "error: could not read pylock.toml\n  caused by: No such file or directory (os error 2)\n\
         help: check the path, or create the file\n";
    unusable(&home, &[&build], expected);
    for (text, reason) in [
        ("lock-version = \"2.0\"\n", "its lock-version is \"2.0\"; version 1 is known\n"),
        ("lock-version = \"1.0\"\n", "it holds no package for p3.13\n"),
        ("lock-version", "not a pylock.toml\n  caused by: TOML parse error at line 1"),
    ] {
        home.write("pylock.toml", text);
        let outcome = home.run(&build).ended_with(2);
        let expected = format!("error: pylock.toml cannot be used\n  caused by: {reason}");
        assert!(outcome.stderr.starts_with(&expected), "{}", outcome.stderr);
        assert!(!home.path("out").exists());
    }
}

#[test]
fn a_port_in_use_is_named() {
    let home = home();
    if !uv_is_there() {
        return;
    }
    home.run(&["run"]).ended_with(0);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let expected = format!(
        "error: another program listens on {address}; choose another port, or 0 for a free one\n"
    );
    home.run(&["serve", "--listen", &address]).refused(1, &expected);
}

#[test]
fn a_catalog_of_another_program_is_left_alone() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    let all: [&[&str]; 3] = [&["plan"], &["run"], &["serve", "--listen", "127.0.0.1:0"]];
    let tables = rusqlite::Connection::open(home.path("klayers.db")).unwrap();
    tables.execute_batch("CREATE TABLE customers (name)").unwrap();
    drop(tables);
    for (content, reason) in [
        (fs::read(home.path("klayers.db")).unwrap(), "it is the database of another program"),
        (b"Dear diary, ".repeat(500), "it is not a SQLite database"),
    ] {
        home.write("klayers.db", &content);
        for command in all {
            let expected = format!(
                "error: klayers.db is not a catalog that this release can read: {reason}\nhelp: check \
                 the catalog's url in klayers.toml\n"
            );
            home.run(command).refused(2, &expected);
        }
        assert_eq!(fs::read(home.path("klayers.db")).unwrap(), content);
        let made = ["artifacts", "published"].map(|folder| home.path(folder).exists());
        assert_eq!(made, [false, false]);
    }
}

#[test]
fn a_catalog_that_is_not_there_cannot_be_served() {
    let home = home();
    let before = home.contents();
    let outcome = home.run(&["serve", "--listen", "127.0.0.1:0"]).ended_with(1);
    let expected = "error: could not open the catalog klayers.db\n  caused by: ";
    assert!(outcome.stderr.starts_with(expected), "{}", outcome.stderr);
    assert_eq!(home.contents(), before);
}

#[test]
fn a_second_run_at_the_same_time_says_so_and_ends() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    let first = RunLock::take(&home.path("klayers.db")).unwrap();
    home.run(&["run"]).refused(
        1,
        "error: another run is working on the catalog klayers.db; wait until it ends\n",
    );
    let made = ["klayers.db", "artifacts", "published"].map(|path| home.path(path).exists());
    assert_eq!(made, [false, false, false]);
    // Looking is allowed meanwhile.
    home.run(&["plan"]).ended_with(0);
    drop(first);
    home.run(&["run"]).ended_with(0);
}

#[test]
fn two_runs_at_once_publish_once() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    let children = [(); 3].map(|()| home.command(&["run"]).spawn().unwrap());
    let outcomes = children.map(|child| home.finish(child));
    for outcome in &outcomes {
        let taken = outcome.code == Some(1) && outcome.stderr.starts_with("error: another run");
        assert!(outcome.code == Some(0) || taken, "{outcome:?}");
    }
    assert!(outcomes.iter().any(|outcome| outcome.code == Some(0)));
    let records = home.files("published/us-east-1");
    assert_eq!(records, ["Klayers-p312-alpha/1.json"]);
}
