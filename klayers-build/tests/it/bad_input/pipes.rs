//! Tests named pipes where files are expected: no command waits for a writer.

use std::fs;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::home;
use crate::support::WheelFile;
use crate::support::command::{Home, uv_is_there};

const NO_FILE: &str = "it is a pipe, not a file";
const CHECK: &str = "check the file and its folder, then run the command again";
const BUILD: [&str; 9] =
    ["build", "alpha", "--python", "3.12", "--find-links", "wheels", "--no-index", "--out", "out"];

/// Creates a pipe at a path.
fn pipe(home: &Home, path: &str) {
    let path = home.path(path);
    let _ = fs::remove_file(&path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

#[test]
fn pipes_among_the_configuration_are_named() {
    for (path, code) in [
        ("klayers.toml", 2),
        ("config/config.json", 2),
        ("config/packages_p3.12.csv", 2),
        ("config/regions.csv", 2),
    ] {
        let home = home();
        pipe(&home, path);
        let expected =
            format!("error: could not read {path}\n  caused by: {NO_FILE}\nhelp: check the path\n");
        for command in ["plan", "run"] {
            home.run(&[command]).refused(code, &expected);
        }
    }
}

#[test]
fn pipes_in_place_of_archives_and_locks_are_named() {
    let home = home();
    pipe(&home, "pipe");
    let lock = ["build", "alpha", "--python", "3.12", "--out", "out", "--lock", "pipe"];
    let import = ["import", "pipe", "--name", "mine", "--version", "1.0", "--target", "p3.12"];
    for command in [&lock[..], &import, &["verify", "pipe"]] {
        let outcome = home.run(command);
        assert_ne!(outcome.code, Some(0), "{command:?}");
        assert!(outcome.stderr.contains(NO_FILE), "{command:?}: {}", outcome.stderr);
    }
    assert!(!home.path("out").exists());
}

#[test]
fn pipe_among_the_wheels_of_a_folder_is_named() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    pipe(&home, "wheels/alpha-2.0-py3-none-any.whl");
    let expected = "error: could not read HOME/wheels/alpha-2.0-py3-none-any.whl\n  \
                    caused by: it is a pipe, not a file\nhelp: check the path\n";
    home.run(&BUILD).refused(1, expected);
}

#[test]
fn pipes_in_the_cache_block_nothing() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    home.run(&BUILD).ended_with(0);
    let cached: Vec<String> = home.files("caches/klayers");
    assert!(cached.iter().any(|path| path.starts_with("wheels/")), "{cached:?}");
    for path in cached {
        fs::remove_dir_all(home.path("out")).unwrap();
        pipe(&home, &format!("caches/klayers/{path}"));
        let outcome = home.run(&BUILD);
        // Files that can be made again are made again; a pipe in place of a wheel is an error that
        // names it.
        let named = outcome.code == Some(1) && outcome.stderr.contains(NO_FILE);
        assert!(outcome.code == Some(0) || named, "{path}: {}", outcome.stderr);
        let _ = fs::remove_file(home.path(&format!("caches/klayers/{path}")));
    }
    home.run(&BUILD).ended_with(0);
}

#[test]
fn pipe_in_place_of_the_run_lock_is_named() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    pipe(&home, "klayers.db.lock");
    let expected =
        format!("error: could not lock klayers.db.lock\n  caused by: {NO_FILE}\nhelp: {CHECK}\n");
    home.run(&["run"]).refused(1, &expected);
}

#[test]
fn pipe_in_place_of_the_catalog_is_refused() {
    if !uv_is_there() {
        return;
    }
    let home = home();
    pipe(&home, "klayers.db");
    for command in [&["plan"][..], &["run"], &["serve", "--listen", "127.0.0.1:0"]] {
        let outcome = home.run(command);
        assert!(matches!(outcome.code, Some(1 | 2)), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("klayers.db"), "{}", outcome.stderr);
    }
}

#[test]
fn pipe_in_place_of_a_locked_wheel_is_refused() {
    let home = Home::new();
    let wheel = WheelFile::new("alpha", "1.0").file("alpha.py", "");
    let lock = crate::support::package(&wheel, "alpha.whl").replace("url = ", "path = ");
    home.write("pylock.toml", format!("lock-version = \"1.0\"\n{lock}"));
    pipe(&home, "alpha.whl");
    let build = ["build", "alpha", "--python", "3.12", "--out", "out", "--lock", "pylock.toml"];
    let expected =
        format!("error: could not read HOME/alpha.whl\n  caused by: {NO_FILE}\nhelp: {CHECK}\n");
    home.run(&build).refused(1, &expected);
}
