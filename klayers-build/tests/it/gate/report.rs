use klayers_build::gate::{
    Finding, GateReport, ImportReport, LayerFile, ModuleOutcome, Network, UNPACKED_LIMIT,
    check_size,
};

fn imports(outcomes: &[(&str, ModuleOutcome)]) -> ImportReport {
    let modules = outcomes.iter().map(|(name, outcome)| ((*name).to_owned(), outcome.clone()));
    ImportReport::Run { modules: modules.collect(), network: Network::Absent }
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
    let failed = imports(&[("p", ModuleOutcome::Failed { message: "no".to_owned() })]);
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
fn a_report_is_printed_with_its_errors_first() {
    let outcomes = [
        ("a", ModuleOutcome::Passed),
        ("b", ModuleOutcome::TimedOut),
        ("c", ModuleOutcome::Failed { message: "ImportError: no d".to_owned() }),
    ];
    let report =
        GateReport { findings: vec![nearly_full(), missing()], imports: imports(&outcomes) };
    insta::assert_snapshot!(report, @r"
    error: p/x.so of p-1-py3-none-any.whl needs libexpat.so.1, which is neither in the layer nor in the runtime
    warning: the layer unpacks to 250000000 bytes; Lambda takes 262144000 for a function and all its layers; the biggest are numpy (250000000)
    error: import b: it did not come to its end in time
    error: import c: ImportError: no d
    imports: 1 of 3 passed
    ");
}

#[test]
fn a_report_is_kept_as_it_is() {
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
