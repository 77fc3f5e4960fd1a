use klayers_layer::LayerError;
use std::io;

use klayers_core::{PackageName, Requirement, Target};

use super::*;
use crate::config::ConfigError;
use klayers_core::UnknownRuntimeError;
use klayers_layer::resolve::{Alternatives, Explanation, Requirements, SdistError};

mod refusals;

/// What a terminal of 80 columns shows.
const TERMINAL: Shape = Shape { width: Some(80), whole: false };

fn target() -> Target {
    "p3.12".parse().unwrap()
}

fn unsolvable(requirements: &[&str], uv: &str, alternatives: Alternatives) -> Error {
    let requirements: Vec<Requirement> =
        requirements.iter().map(|requirement| requirement.parse().unwrap()).collect();
    let mut explanation = Box::new(Explanation::parse(uv));
    explanation.alternatives = alternatives;
    ResolveError::Unsolvable {
        requirements: Requirements(requirements),
        target: target(),
        explanation,
    }
    .into()
}

/// How each failure is told, one below the other.
fn told(errors: impl IntoIterator<Item = Error>, settings: Settings) -> String {
    let texts = errors.into_iter().map(|error| {
        let text = explain(&error, settings).to_text(TERMINAL);
        assert!(text.lines().count() <= 5, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        text
    });
    texts.collect::<Vec<_>>().join("\n\n")
}

fn names(names: &[&str]) -> std::collections::BTreeSet<PackageName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// What uv 0.13 says about packages of the public index.
fn failures_of_uv() -> Vec<Error> {
    let none = Alternatives::default;
    let zappa = Alternatives { to_build: names(&["kappa", "placebo"]), ..none() };
    let numpy = Alternatives {
        to_build: names(&["numpy"]),
        targets: vec!["p3.8".parse().unwrap(), "p3.9".parse().unwrap()],
        allowed: names(&["gdal"]),
        version: Some("numpy==2.5.5".parse().unwrap()),
    };
    vec![
        unsolvable(&["zappa"], include_str!("uv/zappa.txt"), zappa),
        unsolvable(&["gdal"], include_str!("uv/gdal.txt"), none()),
        unsolvable(
            &["numpy==1.21.0"],
            &include_str!("uv/gdal.txt").replace("gdal", "numpy"),
            numpy,
        ),
        unsolvable(&["apache-airflow==2.0.0"], include_str!("uv/dependency.txt"), none()),
        unsolvable(&["tensorflow==1.15"], include_str!("uv/tags.txt"), none()),
        unsolvable(&["pywin32"], include_str!("uv/platforms.txt"), none()),
        unsolvable(&["ipython==9.0"], include_str!("uv/other_python.txt"), none()),
        unsolvable(&["no-such-package"], include_str!("uv/absent.txt"), none()),
        unsolvable(&["six"], include_str!("uv/no_index.txt"), none()),
        unsolvable(&["numpy==99"], include_str!("uv/pinned.txt"), none()),
        unsolvable(&["numpy>99"], include_str!("uv/newest.txt"), none()),
        unsolvable(&["requests<1,>2"], include_str!("uv/contradiction.txt"), none()),
        unsolvable(&["botocore==1.30", "boto3==1.34"], include_str!("uv/conflict.txt"), none()),
        unsolvable(&["tensorflow", "numpy<1.20"], include_str!("uv/versions.txt"), none()),
    ]
}

#[test]
fn what_uv_cannot_resolve_is_told_in_few_lines_with_what_to_do() {
    insta::assert_snapshot!("arguments", told(failures_of_uv(), Settings::Arguments));
    insta::assert_snapshot!("file", told(failures_of_uv(), Settings::File));
}

#[test]
fn an_index_that_does_not_answer_is_named() {
    let failed = |causes: &str| -> Error {
        let message = format!(
            "Request failed after 3 retries in 7.0s: Failed to fetch: \
             http://index.example/simple/six/: {causes}"
        );
        ResolveError::Failed { tool: "uv", message }.into()
    };
    insta::assert_snapshot!(told(
        [
            failed(
                "error sending request: client error (Connect): Connection refused (os error 111)"
            ),
            failed(
                "HTTP status client error (401 Unauthorized) for url (http://index.example/simple/six/)"
            ),
        ],
        Settings::File
    ));
}

#[test]
fn other_failures_are_told_with_their_causes_and_what_to_do() {
    let read = |kind| -> Error {
        let path = "klayers.toml".into();
        ConfigError::Read { path, source: io::Error::from(kind) }.into()
    };
    let output = "running build\n[stderr]\ngcc -c x.c\nx.c:1: fatal error: mysql.h: No such file\n\
                  compilation terminated.\nerror: command '/usr/bin/gcc' failed with exit code 1\n\n\
                  hint: This usually indicates a problem with the package";
    let pin = || Box::new("mysqlclient==2.2.7".parse().unwrap());
    let failed = |output: &str| -> Error {
        let log = Some("/home/user/.cache/klayers/logs/mysqlclient-2.2.7-p3.12.log".into());
        ResolveError::from(SdistError::Failed { pin: pin(), output: output.to_owned(), log }).into()
    };
    let full = "Traceback (most recent call last):\n  File \"a.py\", line 1\n\
                OSError: [Errno 28] No space left on device";
    insta::assert_snapshot!(told(
        [
            read(io::ErrorKind::NotFound),
            read(io::ErrorKind::PermissionDenied),
            read(io::ErrorKind::StorageFull),
            failed(output),
            failed(full),
            ResolveError::from(SdistError::NotAllowed("gdal".parse().unwrap())).into(),
            UnknownRuntimeError { target: "p3.99".parse().unwrap() }.into(),
            Error::Layer(LayerError::NoInterpreter(target().python)),
        ],
        Settings::Arguments
    ));
}

#[test]
fn what_is_long_is_cut_unless_all_is_to_be_told() {
    let long = ResolveError::Failed { tool: "uv", message: "what a day ".repeat(100) };
    let message = explain(&long.into(), Settings::Arguments);
    let text = message.to_text(TERMINAL);
    assert!(text.contains(" … (all of it: --verbose)\nhelp: "), "{text}");
    assert_eq!(text.lines().count(), 5, "{text}");
    let whole = message.to_text(Shape { whole: true, ..TERMINAL });
    assert_eq!(whole.matches("day").count(), 100);
    // Where it is not known how wide a terminal is, lines are left to it.
    assert_eq!(message.to_text(Shape::default()).lines().count(), 2);
}

#[test]
fn what_others_wrote_cannot_steer_the_terminal() {
    let error = ResolveError::Failed { tool: "uv", message: "red \u{1b}[31mtext\u{7}".to_owned() };
    let text = explain(&error.into(), Settings::File).to_text(TERMINAL);
    assert!(text.starts_with("error: uv failed: red  [31mtext\nhelp: "), "{text}");
}
