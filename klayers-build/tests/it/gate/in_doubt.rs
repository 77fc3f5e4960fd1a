//! Layers whose files alone do not show whether they work on Lambda.

use std::fs;

use super::elf::{AARCH64, Elf, X86_64};
use crate::bytecode::pythons::any_python;
use crate::support::WheelFile;
use crate::support::command::{Home, Outcome, uv_is_there};

/// The ELF type of programs.
const PROGRAM: u16 = 2;

/// A collection for a Python of this machine, whose layers are imported.
struct Collection {
    home: Home,
}

impl Collection {
    /// `more` is appended to the configuration.
    fn new(wheels: &[WheelFile], packages: &[&str], more: &str) -> Option<Self> {
        let interpreter = any_python().filter(|_| uv_is_there())?;
        let python = interpreter.version().python();
        let arm64 = interpreter.machine() == "aarch64";
        let target = format!("p{python}{}", if arm64 { "-arm64" } else { "" });
        let home = Home::new();
        home.wheels(wheels);
        home.collection(&[(target.as_str(), packages)], &["us-east-1"]);
        let text = fs::read_to_string(home.path("klayers.toml")).unwrap();
        let text = text.replace("imports = false", "imports = true");
        let path = interpreter.path().display();
        let interpreters = format!("[build.interpreters]\n\"{python}\" = \"{path}\"\n");
        // The libraries of Lambda's runtimes, without a C++ library.
        let runtime = format!(
            "[[runtime]]\npython = \"{python}\"\nos = \"here\"\nglibc = \"2.17\"\nlibraries = []\n"
        );
        home.write("klayers.toml", format!("{text}{interpreters}{runtime}{more}"));
        Some(Self { home })
    }

    fn run(&self) -> Outcome {
        self.home.run(&["run"])
    }
}

#[test]
fn libraries_loaded_by_name_must_be_in_the_runtime() {
    let source = "import ctypes\nctypes.CDLL('libstdc++.so.6')\n";
    let alpha = WheelFile::new("alpha", "1.0").file("alpha.py", source);
    let Some(collection) = Collection::new(&[alpha], &["alpha"], "") else { return };
    let done = collection.run().ended_with(1);
    let said = "  libstdc++.so.6, loaded by importing alpha, is not in Lambda's runtime";
    assert!(done.stderr.contains(said), "{}", done.stderr);
    assert!(done.stderr.lines().count() <= 7, "{}", done.stderr);
}

#[test]
fn left_out_packages_are_available_during_imports() {
    let alpha = WheelFile::new("alpha", "1.0")
        .requires("beta")
        .file("alpha.py", "import beta, gamma\nassert beta.version == 1\n");
    let beta = WheelFile::new("beta", "1.0").requires("gamma").file("beta.py", "version = 1\n");
    let gamma = WheelFile::new("gamma", "1.0").file("gamma.py", "");
    let slim = "[slim]\nleave_out = [\"beta\"]\n";
    let Some(collection) = Collection::new(&[alpha, beta, gamma], &["alpha"], slim) else { return };
    let done = collection.run().ended_with(0);
    assert!(done.stderr.contains("imports: 1 of 1 passed"), "{}", done.stderr);
}

#[test]
fn other_modules_may_lack_undeclared_dependencies() {
    let alpha = WheelFile::new("alpha", "1.0")
        .requires("beta")
        .file("alpha/__init__.py", "import beta\n")
        .file("alphad/__init__.py", "import no_such_package\n")
        .file("shared/part.py", "")
        .file("alpha_extra.py", "import shared.part\nfrom shared import no_such_part\n");
    let beta = WheelFile::new("beta", "1.0")
        .file("beta.py", "")
        .file("beta_plugin.py", "import no_such_host\n");
    let Some(collection) = Collection::new(&[alpha, beta], &["alpha"], "") else { return };
    let done = collection.run().ended_with(0);
    for module in ["alphad", "alpha_extra", "beta_plugin"] {
        let said = format!("warning: importing {module} fails");
        assert!(done.stderr.contains(&said), "{}", done.stderr);
    }
}

#[test]
fn missing_undeclared_dependency_is_refused_with_help() {
    let alpha = WheelFile::new("alpha", "1.0").file("alpha.py", "import numpy\n");
    let Some(collection) = Collection::new(&[alpha], &["alpha"], "") else { return };
    let done = collection.run().ended_with(1);
    for said in [
        "it needs numpy (distribution numpy), which alpha does not require",
        "help: put alpha and numpy into one [[bundle]], or skip this import: \
         [gate] skip_modules = [\"alpha\"]",
    ] {
        assert!(done.stderr.contains(said), "{}", done.stderr);
    }
}

#[test]
fn programs_for_other_processors_are_allowed_if_nothing_loads_them() {
    let other = if cfg!(target_arch = "aarch64") { X86_64 } else { AARCH64 };
    let program = Elf { machine: other, kind: PROGRAM, ..Elf::default() };
    let alpha = WheelFile::new("alpha", "1.0")
        .file("alpha/__init__.py", "")
        .file("alpha/flac-other", program.bytes());
    let Some(collection) = Collection::new(&[alpha], &["alpha"], "") else { return };
    let done = collection.run().ended_with(0);
    assert!(done.stderr.contains("warning: alpha/flac-other of alpha-1.0-py3"), "{}", done.stderr);
    assert!(done.stderr.contains("; nothing loads it"), "{}", done.stderr);
}

#[test]
fn build_imports_modules_if_files_are_inconclusive() {
    let plugin = Elf { needed: vec!["libtbb.so.12"], ..Elf::default() };
    let alpha = WheelFile::new("alpha", "1.0")
        .file("alpha/__init__.py", "import ctypes\nctypes.CDLL('libstdc++.so.6')\nimport no\n")
        .file("alpha/plugin.so", plugin.bytes());
    let Some(collection) = Collection::new(&[alpha], &["alpha"], "") else { return };
    let arguments = ["build", "alpha", "--find-links=wheels", "--no-index", "--out=out"];
    let interpreter = any_python().unwrap();
    let python = format!("--python={}", interpreter.version().python());
    let program = format!("--interpreter={}", interpreter.path().display());
    let build = [&arguments[..], &[python.as_str(), program.as_str(), "--bytecode=off"]].concat();
    let done = collection.home.run(&build).ended_with(1);
    assert!(done.stderr.contains("importing alpha fails: it needs no"), "{}", done.stderr);
    let done = collection.home.run(&[&build[..], &["--json"]].concat()).ended_with(1);
    let result: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let library = &result["gate"]["findings"][0]["missing-library"]["library"];
    assert_eq!(library, "libtbb.so.12", "{result}");
    assert_eq!(collection.home.files("out"), [""; 0]);
}

#[test]
fn run_notes_layers_that_were_never_imported() {
    let alpha = WheelFile::new("alpha", "1.0").file("alpha.py", "");
    let Some(collection) = Collection::new(&[alpha], &["alpha"], "") else { return };
    let home = &collection.home;
    let with_imports = fs::read_to_string(home.path("klayers.toml")).unwrap();
    let without = with_imports.replace("imports = true", "imports = \"off\"");
    home.write("klayers.toml", &without);
    home.run(&["run"]).ended_with(0);
    let told = "warning: of these layers, 1 were never imported, although there is an interpreter";
    let done = home.run(&["plan"]).ended_with(0);
    assert!(!done.stderr.contains("never imported"), "it is turned off: {}", done.stderr);
    home.write("klayers.toml", &with_imports);
    let done = home.run(&["plan"]).ended_with(0);
    assert!(done.stderr.contains(told), "{}", done.stderr);
    let command = done.stderr.lines().find(|line| line.contains("--force-build")).unwrap();
    let arguments: Vec<&str> = command.split_whitespace().skip(1).collect();
    assert_eq!(arguments[4..], ["--package", "alpha"]);
    home.run(&arguments).ended_with(0);
    let done = home.run(&["plan"]).ended_with(0);
    assert!(!done.stderr.contains("never imported"), "{}", done.stderr);
}

#[test]
fn run_first_lists_pythons_without_interpreter() {
    let alpha = WheelFile::new("alpha", "1.0").file("alpha.py", "");
    let Some(collection) = Collection::new(&[alpha], &["alpha"], "") else { return };
    let home = &collection.home;
    home.collection(&[("p3.97", &["alpha"]), ("p3.98", &["alpha"])], &["us-east-1"]);
    let text = fs::read_to_string(home.path("klayers.toml")).unwrap();
    let runtime = |python: &str| {
        format!("[[runtime]]\npython = \"{python}\"\nos = \"here\"\nglibc = \"2.17\"\n")
    };
    let auto = text.replace("imports = false", "imports = \"auto\"");
    let runtimes = [runtime("3.97"), runtime("3.98")].concat();
    home.write("klayers.toml", format!("{auto}{runtimes}"));
    let done = home.run(&["run"]).ended_with(0);
    let said = "warning: no interpreter of Python 3.97, 3.98, so new builds of 2 layers are not \
                imported; install with `uv python install 3.97 3.98`";
    assert_eq!(done.stderr.lines().next(), Some(said), "{}", done.stderr);
    let required = text.replace("imports = false", "imports = \"required\"");
    home.write("klayers.toml", format!("{required}{runtimes}"));
    let done = home.run(&["run", "--force-build"]).ended_with(1);
    let said = "[gate] imports is \"required\", but no interpreter of Python 3.97 was found";
    assert!(done.stderr.contains(said), "{}", done.stderr);
}
