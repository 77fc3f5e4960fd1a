//! Whatever is refused is told in five rows of a terminal, and the last of them say what to do.

use klayers_layer::LayerError;
use std::path::PathBuf;

use klayers_core::{LayerName, PackageName};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::pipeline::RunLockError;
use crate::plan::PlanError;
use klayers_catalog::CatalogError;
use klayers_catalog::message::ROWS;
use klayers_core::UnknownRuntimeError;
use klayers_layer::assemble::AssembleError;
use klayers_layer::gate::{
    Basis, Finding, GateReport, ImportReport, LayerFile, TooLargeError, Weight,
};
use klayers_layer::import::{HandMadeZipError, ImportError};
use klayers_layer::lock::LockError;
use klayers_layer::verify::VerifyError;
use klayers_publish::PublishError;
use klayers_wheel::{FramingError, RuleError, WheelError};

/// The longest name of a wheel that was met: that of sentry-cli 3.8.0.
const LONG_WHEEL: &str = "sentry_cli-3.8.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.\
                          musllinux_1_2_x86_64.whl";

fn layer() -> LayerName {
    LayerName::new("Klayers", target(), "nvidia-nvimgcodec-cu12").unwrap()
}

fn long_path() -> PathBuf {
    format!("/home/user/{}/klayers.toml", "a-rather-long-folder/".repeat(6)).into()
}

fn wheel(rule: RuleError) -> Error {
    VerifyError::Wheel(WheelError::new(&LONG_WHEEL.parse().unwrap(), rule)).into()
}

fn record_faults() -> RuleError {
    let fault = |number: usize| {
        let path = format!("psycopg2/.dylibs/a/rather/long/path/libcom_err.{number}.0.dylib");
        json!({ "path": path, "flaw": "not-listed" })
    };
    let first: Vec<_> = (0..10).map(fault).collect();
    let faults = serde_json::from_value(json!({ "count": 111, "first": first })).unwrap();
    RuleError::RecordFaults { package: "nvidia-nvimgcodec-cu12".to_owned(), faults }
}

fn gate(findings: Vec<Finding>) -> Error {
    let imports = ImportReport::NotRun { reason: "there is no interpreter".to_owned() };
    let report = GateReport { findings, imports };
    Error::Layer(LayerError::Refused(Box::new(GateError { layer: layer(), report })))
}

fn missing_libraries(count: usize) -> Vec<Finding> {
    let missing = |number: usize| Finding::MissingLibrary {
        file: LayerFile { wheel: LONG_WHEEL.to_owned(), path: "a/very/long/path.so".repeat(8) },
        library: format!("liba-library-with-a-long-name-{number}.so.{number}"),
        loaded: true,
    };
    (0..count).map(missing).collect()
}

fn too_large(names: &[&str]) -> Error {
    let weight = |name: &&str| Weight {
        distribution: (*name).to_owned(),
        size: 539_200_000,
        ..Weight::default()
    };
    let weights: Vec<Weight> = names.iter().map(weight).collect();
    let error = TooLargeError::new(&layer(), &weights, 262_144_000, Basis::Wheels);
    Error::Layer(LayerError::TooLarge(Box::new(error)))
}

/// One of each kind, with names and paths that are as long as they come.
fn refusals() -> Vec<Error> {
    let io = |kind| io::Error::from(kind);
    let pin = || Box::new("mysqlclient==2.2.7".parse().unwrap());
    let build = |output: &str| {
        let log = Some(format!("{}/mysqlclient.log", long_path().display()).into());
        ResolveError::from(SdistError::Failed { pin: pin(), output: output.to_owned(), log }).into()
    };
    let compiler = format!("gcc -c {}\n", "-I/usr/include/a ".repeat(30));
    let mut all = failures_of_uv();
    all.extend([
        wheel(record_faults()),
        wheel(RuleError::Framing(FramingError::Zip64Disagrees)),
        wheel(RuleError::Name { name: "x".repeat(900), reason: "it leaves its folder" }),
        too_large(&["torch", "nvidia-cudnn-cu13", "nvidia-cublas", "triton", "nvidia-cusolver"]),
        too_large(&["boto3", "botocore"]),
        gate(missing_libraries(1)),
        gate(missing_libraries(30)),
        gate(vec![Finding::Empty]),
        build(&format!("{compiler}fatal error: mysql.h: No such file\n{compiler}{compiler}")),
        build("OSError: [Errno 28] No space left on device"),
        ResolveError::from(SdistError::NotAllowed("gdal".parse().unwrap())).into(),
        ResolveError::from(SdistError::Wheels { pin: pin(), found: 2 }).into(),
        ResolveError::Failed { tool: "uv", message: "what a day ".repeat(100) }.into(),
        ResolveError::Missing { tool: "uv", advice: ResolveError::INSTALL_UV }.into(),
        AssembleError::Conflict {
            path: format!("sample/{}/core.py", "folder/".repeat(20)),
            first: "sample 1.0".to_owned(),
            second: "another-distribution 2.0".to_owned(),
            more: 7,
        }
        .into(),
        AssembleError::Write { path: long_path(), source: io(io::ErrorKind::StorageFull) }.into(),
        ConfigError::Read { path: long_path(), source: io(io::ErrorKind::NotFound) }.into(),
        ConfigError::Toml {
            path: long_path(),
            message: "TOML parse error at line 3, column 1\n  |\n3 | [publsh]\n  | ^^^^^^\n\
                      unknown field `publsh`, expected one of `config_dir`, `catalog`"
                .to_owned(),
        }
        .into(),
        ConfigError::Lock { path: long_path(), source: LockError::Version("2.0".to_owned()) }
            .into(),
        UnknownRuntimeError { target: "p3.99".parse().unwrap() }.into(),
        LockError::Version("2.0".to_owned()).into(),
        PlanError::UnknownTarget(target()).into(),
        RunLockError::Locked { catalog: long_path() }.into(),
        RunLockError::Io { path: long_path(), source: io(io::ErrorKind::PermissionDenied) }.into(),
        ImportError::Io { path: long_path(), source: io(io::ErrorKind::NotFound) }.into(),
        ImportError::Refused { path: long_path(), reason: Box::new(HandMadeZipError::Empty) }
            .into(),
        CatalogError::Empty { location: long_path().display().to_string() }.into(),
        PublishError::Overdue {
            region: "us-east-1".parse().unwrap(),
            layer: layer(),
            deadline: std::time::Duration::from_mins(5),
            trouble: None,
        }
        .into(),
        Error::Layer(LayerError::NoInterpreter(target().python)),
    ]);
    all
}

/// How many rows a terminal of 80 columns shows.
fn rows_shown(text: &str) -> usize {
    text.lines().map(|line| line.chars().count().div_ceil(80).max(1)).sum()
}

/// Whether the end of a text says what to do: a help, or the words of errors that hold it.
fn ends_with_advice(text: &str) -> bool {
    const OWN_WORDS: [&str; 1] = ["wait until it ends"];
    let rest = text.rsplit_once("\nhelp: ").map(|(_, rest)| rest);
    rest.is_some_and(|rest| !rest.trim().is_empty()) || OWN_WORDS.iter().any(|w| text.ends_with(w))
}

#[test]
fn each_refusal_has_five_rows_at_most_and_ends_with_what_to_do() {
    for settings in [Settings::Arguments, Settings::File] {
        for error in refusals() {
            let message = explain(&error, settings);
            let layer = "p3.12 nvidia-nvimgcodec-cu12 in eu-central-1 and us-east-1";
            for text in [message.to_text(TERMINAL), message.about(layer, TERMINAL)] {
                assert!(rows_shown(&text) <= ROWS, "{text}");
                assert!(ends_with_advice(&text), "{text}");
                assert!(text.starts_with("error: "), "{text}");
            }
            let unknown = message.to_text(Shape::default());
            assert!(unknown.lines().count() <= ROWS, "{unknown}");
            assert!(ends_with_advice(&unknown), "{unknown}");
        }
    }
}

#[test]
fn settings_that_are_to_be_copied_are_shown_whole() {
    for settings in [Settings::Arguments, Settings::File] {
        let text = explain(&wheel(record_faults()), settings).to_text(TERMINAL);
        let setting = "\n[wheels] accept = { \"nvidia-nvimgcodec-cu12\" = [\"record\"] }";
        assert!(text.ends_with(setting), "{text}");
        assert!(text.contains("RECORD does not list psycopg2/"), "{text}");
        assert!(text.contains("sentry_cli-3.8.0-py3"), "{text}");
    }
    let names: Vec<PackageName> = vec!["kappa".parse().unwrap(), "placebo".parse().unwrap()];
    let text = explain(&failures_of_uv()[0], Settings::Arguments).to_text(TERMINAL);
    for name in names {
        assert!(text.contains(&format!("--allow-sdist {name}")), "{text}");
    }
}

fn words() -> impl Strategy<Value = String> {
    let words = prop::collection::vec("[a-z/._-]{1,12}|[a-z]{60,200}", 1..40);
    words.prop_map(|words| words.join(" "))
}

proptest! {
    /// No message can have more rows than five, whatever it says.
    #[test]
    fn no_message_has_more_rows(
        summary in words(),
        details in prop::collection::vec(words(), 0..6),
        help in prop::collection::vec(words(), 0..4),
        width in prop::option::of(40_usize..120),
    ) {
        let first_help = help.first().cloned();
        let message = Message { summary, details, help, ..Message::default() };
        let text = message.to_text(Shape { width, whole: false });
        let shown = |row: &str| width.map_or(1, |width| row.chars().count().div_ceil(width).max(1));
        let rows: usize = text.lines().map(shown).sum();
        prop_assert!(rows <= ROWS, "{rows} rows:\n{text}");
        prop_assert_eq!(first_help.is_some(), text.contains("\nhelp: "), "{}", text);
        let whole = message.to_text(Shape { width: None, whole: true });
        for part in message.details.iter().chain(&message.help) {
            prop_assert!(whole.contains(part.as_str()));
        }
    }
}
