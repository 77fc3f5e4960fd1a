use std::collections::BTreeMap;

use klayers_layer::gate::{
    Finding, GateReport, ImportReport, LayerFile, ModuleOutcome, Network, UNPACKED_LIMIT,
    check_size,
};

fn imports(outcomes: &[(&str, ModuleOutcome)]) -> ImportReport {
    let modules = outcomes.iter().map(|(name, outcome)| ((*name).to_owned(), outcome.clone()));
    ImportReport::Run {
        modules: modules.collect(),
        tolerated: BTreeMap::new(),
        undeclared: BTreeMap::new(),
        network: Network::Absent,
        gaps: [].into(),
    }
}

fn failed(message: &str) -> ModuleOutcome {
    ModuleOutcome::Failed { message: message.to_owned(), missing: None }
}

fn lacks(wheel: &str, path: &str, library: &str, loaded: bool) -> Finding {
    let file = LayerFile { wheel: wheel.to_owned(), path: path.to_owned() };
    Finding::MissingLibrary { file, library: library.to_owned(), loaded }
}

fn missing() -> Finding {
    let file = LayerFile { wheel: "p-1-py3-none-any.whl".to_owned(), path: "p/x.so".to_owned() };
    Finding::MissingLibrary { file, library: "libexpat.so.1".to_owned(), loaded: true }
}

fn nearly_full() -> Finding {
    check_size(&[("numpy".to_owned(), 250_000_000)], 250_000_000, UNPACKED_LIMIT)
        .expect("a finding")
}

#[test]
fn errors_and_failed_imports_forbid_publishing() {
    let passed = imports(&[("p", ModuleOutcome::Passed)]);
    let not_run = ImportReport::NotRun { reason: "no Python 3.12".to_owned() };
    let failed = imports(&[("p", failed("no"))]);
    let timed_out = imports(&[("p", ModuleOutcome::TimedOut)]);
    let table = [
        (vec![], &passed, true),
        (vec![nearly_full()], &passed, true),
        (vec![nearly_full()], &not_run, true),
        (vec![nearly_full(), missing()], &passed, false),
        (vec![missing()], &not_run, false),
        (vec![], &failed, false),
        (vec![], &timed_out, false),
    ];
    for (findings, imports, expected) in table {
        let report = GateReport { findings, imports: imports.clone() };
        assert_eq!(report.passed(), expected, "{report}");
    }
    assert!(passed.all_passed());
    assert!(!not_run.all_passed(), "what was not run has not passed");
}

#[test]
fn report_is_printed_with_errors_first() {
    let outcomes = [
        ("a", ModuleOutcome::Passed),
        ("b", ModuleOutcome::TimedOut),
        ("c", failed("ImportError: no d")),
    ];
    let report =
        GateReport { findings: vec![nearly_full(), missing()], imports: imports(&outcomes) };
    insta::assert_snapshot!(report, @r#"
    error: libexpat.so.1, needed by p, is not in Lambda's runtime
    error: importing b fails: it did not finish in time
    error: importing c fails: ImportError: no d
    help: add the library in another layer, or, if no function uses it, allow that: [gate] allow_missing = ["libexpat.so.1"]
    warning: the layer unpacks to 250.0 MB; Lambda takes 262.1 MB for a function and all its layers; the biggest are numpy (250.0 MB)
    imports: 1 of 3 passed
    "#);
    insta::assert_snapshot!(report.details(), @r"
    error: p/x.so of p-1-py3-none-any.whl needs libexpat.so.1, which is neither in the layer nor in the runtime
    warning: the layer unpacks to 250.0 MB; Lambda takes 262.1 MB for a function and all its layers; the biggest are numpy (250.0 MB)
    error: import b: it did not finish in time
    error: import c: ImportError: no d
    imports: 1 of 3 passed
    ");
}

#[test]
fn report_survives_serialization() {
    let report = GateReport {
        findings: vec![nearly_full(), missing(), Finding::Empty],
        imports: imports(&[("b", ModuleOutcome::TimedOut)]),
    };
    let text = serde_json::to_string(&report).expect("JSON");
    assert_eq!(serde_json::from_str::<GateReport>(&text).expect("the same"), report);
    let report = GateReport {
        imports: ImportReport::NotRun { reason: "another processor".to_owned() },
        ..report
    };
    let text = serde_json::to_string(&report).expect("JSON");
    assert_eq!(serde_json::from_str::<GateReport>(&text).expect("the same"), report);
    assert!(text.contains("not-run") && !text.contains("passed"), "{text}");
}

#[test]
fn libraries_of_one_distribution_share_one_line() {
    let wheel = "opencv_python-5.0.0.93-cp37-abi3-manylinux_2_28_x86_64.whl";
    let files = ["a.so", "b.so", "c.so", "d.so"];
    let libraries = ["libX11.so.6", "libGL.so.1", "libxcb.so.1", "libglib-2.0.so.0"];
    let mut findings: Vec<Finding> = Vec::new();
    for file in files {
        findings.extend(libraries.map(|library| lacks(wheel, file, library, true)));
    }
    findings.push(lacks(
        "numba-0.68.1-cp312-cp312-linux_x86_64.whl",
        "t.so",
        "libtbb.so.12",
        false,
    ));
    let outside = |library: &str, modules: [&str; 1]| Finding::OutsideLibrary {
        library: library.to_owned(),
        modules: modules.map(str::to_owned).to_vec(),
    };
    findings.push(outside("libgomp.so.1", ["lightgbm"]));
    findings.push(outside("libusb-1.0.so.0", ["lightgbm"]));
    let report = GateReport { findings, imports: imports(&[("cv2", failed("ImportError: no"))]) };
    insta::assert_snapshot!(report, @r"
    error: libGL.so.1, libX11.so.6 and 2 others, needed by opencv-python, are not in Lambda's runtime
    error: libgomp.so.1 and libusb-1.0.so.0, loaded by importing lightgbm, are not in Lambda's runtime
    error: importing cv2 fails: ImportError: no
    help: use opencv-python-headless, which is opencv-python without windows
    warning: libtbb.so.12, needed by numba, is not in Lambda's runtime, but no import loads what needs it
    imports: 0 of 1 passed
    ");
    let name = "Klayers-p312-opencv-python".parse().unwrap();
    let error = report.clone().required(&name).expect_err("it is not fit").to_string();
    insta::assert_snapshot!(error, @r"
    Klayers-p312-opencv-python would not work on Lambda:
    error: libGL.so.1, libX11.so.6 and 2 others, needed by opencv-python, are not in Lambda's runtime
    error: libgomp.so.1 and libusb-1.0.so.0, loaded by importing lightgbm, are not in Lambda's runtime
    error: importing cv2 fails: ImportError: no
    help: use opencv-python-headless, which is opencv-python without windows
    ");
    assert_eq!(report.details().lines().count(), 16 + 1 + 2 + 1 + 1);
}

#[test]
fn many_errors_are_shortened_to_a_few_lines() {
    let outcomes: Vec<(String, ModuleOutcome)> =
        (0..40).map(|n| (format!("m{n:02}"), failed(&"long ".repeat(1_000)))).collect();
    let outcomes: Vec<(&str, ModuleOutcome)> =
        outcomes.iter().map(|(name, outcome)| (name.as_str(), outcome.clone())).collect();
    let report = GateReport { findings: vec![], imports: imports(&outcomes) };
    let shown = report.to_string();
    assert_eq!(shown.lines().count(), 6, "{shown}");
    assert!(shown.contains("and 37 more; --json has all"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() < 400), "{shown}");
}

#[test]
fn reports_of_earlier_releases_are_read() {
    let stored = r#"{
        "findings": [
            { "machine": { "file": { "wheel": "p-1-py3-none-any.whl", "path": "p/x.so" },
                "machine": "Aarch64", "class": "Elf64", "target": "p3.12" } },
            { "missing-library": { "file": { "wheel": "p-1-py3-none-any.whl", "path": "p/y.so" },
                "library": "libexpat.so.1", "loaded": false } }
        ],
        "imports": { "run": { "network": "absent",
            "modules": { "p": "passed", "q": { "failed": { "message": "no" } } } } }
    }"#;
    let report: GateReport = serde_json::from_str(stored).expect("a report");
    let severities: Vec<String> =
        report.findings.iter().map(|finding| finding.severity().to_string()).collect();
    assert_eq!(severities, ["error", "warning"]);
    assert_eq!(report.imports.failures().map(|(module, _)| module).collect::<Vec<_>>(), ["q"]);
    assert!(!report.passed());
}
