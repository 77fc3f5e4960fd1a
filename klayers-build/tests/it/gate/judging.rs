//! Which failed imports stop a layer, and the messages about them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use klayers_core::{Architecture, PackageName, Runtimes};
use klayers_layer::gate::{
    Dependency, Distribution, Finding, GateReport, GateRules, ImportMode, ImportReport, Imported,
    JudgedLayer, LayerFile, LoadedFiles, Missing, ModuleOutcome, Network, RootModule, Severity,
    judge,
};
use klayers_wheel::{Class, Machine};

use crate::samples::{package, target};

fn distribution(name: &str, modules: &[&str], requires: &[(&str, Option<&str>)]) -> Distribution {
    let module = |name: &&str| RootModule { name: (*name).to_owned(), size: 1, namespace: false };
    let dependency = |(name, extra): &(&str, Option<&str>)| Dependency {
        package: package(name),
        always: extra.is_none(),
        extra: extra.map(str::to_owned),
    };
    Distribution {
        package: package(name),
        wheel: format!("{name}-1-py3-none-any.whl"),
        modules: modules.iter().map(module).collect(),
        requires: requires.iter().map(dependency).collect(),
    }
}

/// A layer of a package with two modules, and of a dependency with two.
fn distributions() -> Vec<Distribution> {
    vec![
        distribution(
            "alpha",
            &["alpha", "alphad", "tests"],
            &[("beta", None), ("extra-thing", Some("more")), ("declared", None)],
        ),
        distribution("beta", &["beta", "beta_plugin"], &[]),
        distribution("cloud-gamma", &["cloud.gamma", "test.import_test"], &[]),
    ]
}

const LACKS: &str = "ModuleNotFoundError: No module named";

fn lacks(module: &str) -> ModuleOutcome {
    let missing = Some(Missing::Module(module.to_owned()));
    ModuleOutcome::Failed { message: format!("{LACKS} '{module}'"), missing }
}

fn raises() -> ModuleOutcome {
    ModuleOutcome::Failed { message: "RuntimeError: no".to_owned(), missing: None }
}

fn run(failed: &[(&str, ModuleOutcome)]) -> ImportReport {
    let all = ["alpha", "alphad", "beta", "beta_plugin", "tests"];
    let mut modules: BTreeMap<String, ModuleOutcome> =
        all.map(|module| (module.to_owned(), ModuleOutcome::Passed)).into();
    for (module, outcome) in failed {
        modules.insert((*module).to_owned(), outcome.clone());
    }
    let (tolerated, undeclared) = (BTreeMap::new(), BTreeMap::new());
    ImportReport::Run { modules, tolerated, undeclared, network: Network::Absent, gaps: [].into() }
}

struct Layer {
    requested: Vec<PackageName>,
    left_out: BTreeSet<PackageName>,
    rules: GateRules,
    loaded: Option<LoadedFiles>,
}

impl Default for Layer {
    fn default() -> Self {
        Self {
            requested: vec![package("alpha")],
            left_out: BTreeSet::new(),
            rules: GateRules::default(),
            loaded: None,
        }
    }
}

impl Layer {
    fn judge(&self, findings: Vec<Finding>, report: ImportReport) -> GateReport {
        let target = target("p3.12");
        let runtimes = Runtimes::default();
        let image = runtimes.get(target.python).unwrap().base_image(Architecture::X86_64);
        let judged = JudgedLayer {
            distributions: &distributions(),
            requested: &self.requested,
            left_out: &self.left_out,
            image: &image,
            rules: &self.rules,
        };
        judge(findings, Imported { report, loaded: self.loaded.clone() }, judged)
    }
}

#[test]
fn failures_unrelated_to_requested_packages_are_warnings() {
    let table: [(&str, ModuleOutcome, bool); 15] = [
        ("alpha", raises(), false),
        ("alpha", lacks("numpy"), false),
        ("alpha", lacks("beta.no_such"), false),
        ("alpha", ModuleOutcome::TimedOut, false),
        // Every runtime has it.
        ("alpha", lacks("boto3.session"), true),
        ("alphad", lacks("numpy"), true),
        ("alphad", lacks("extra_thing"), true),
        // A package requires this module, but it is missing.
        ("alphad", lacks("declared"), false),
        ("alphad", raises(), false),
        ("tests", raises(), true),
        ("beta", lacks("numpy"), true),
        ("beta", lacks("alpha.no_such"), false),
        ("beta_plugin", lacks("winreg"), true),
        ("beta", raises(), false),
        // The standard library also has a module `test`.
        ("test.import_test", lacks("test.import_test"), true),
    ];
    for (module, outcome, passes) in table {
        let report = Layer::default().judge(vec![], run(&[(module, outcome.clone())]));
        assert_eq!(report.passed(), passes, "{module}: {outcome}");
        let said = report.imports.tolerated().map(|(module, ..)| module).collect::<Vec<_>>();
        assert_eq!(said, if passes { vec![module] } else { vec![] });
        assert!(report.to_string().contains(&format!("importing {module} fails")), "{report}");
    }
}

#[test]
fn each_package_of_a_bundle_must_be_importable() {
    let both = Layer { requested: vec![package("alpha"), package("beta")], ..Layer::default() };
    assert!(!both.judge(vec![], run(&[("beta", lacks("numpy"))])).passed());
    assert!(both.judge(vec![], run(&[("beta_plugin", lacks("numpy"))])).passed());
    // If the main module does not work, no other failure is tolerated.
    let report = both.judge(vec![], run(&[("beta", raises()), ("beta_plugin", lacks("numpy"))]));
    assert_eq!(report.imports.failures().count(), 2);
}

#[test]
fn packages_that_the_runtime_has_may_be_missing() {
    let layer = Layer { left_out: BTreeSet::from([package("gamma")]), ..Layer::default() };
    assert!(layer.judge(vec![], run(&[("alpha", lacks("gamma.x"))])).passed());
    assert!(!layer.judge(vec![], run(&[("alpha", lacks("delta"))])).passed());
}

#[test]
fn undeclared_dependencies_are_reported_with_both_solutions() {
    let shown = |missing| {
        let report = Layer::default().judge(vec![], run(&[("alpha", lacks(missing))]));
        report.required(&"Klayers-p312-alpha".parse().unwrap()).expect_err("refused").to_string()
    };
    insta::assert_snapshot!(shown("cv2"), @r#"
    Klayers-p312-alpha would not work on Lambda:
    error: importing alpha fails: it needs cv2 (distribution opencv-python-headless), which alpha does not require
    help: put alpha and opencv-python-headless into one [[bundle]], or skip this import: [gate] skip_modules = ["alpha"]
    "#);
    insta::assert_snapshot!(shown("extra_thing.deep"), @r#"
    Klayers-p312-alpha would not work on Lambda:
    error: importing alpha fails: it needs extra_thing.deep (distribution extra-thing), which alpha requires only with its extra more
    help: ask for alpha[more], or skip this import: [gate] skip_modules = ["alpha"]
    "#);
    // Many distributions have parts of a namespace.
    insta::assert_snapshot!(shown("cloud.delta"), @r#"
    Klayers-p312-alpha would not work on Lambda:
    error: importing alpha fails: it needs cloud.delta, which alpha does not require
    help: put alpha and the distribution that has cloud.delta into one [[bundle]], or skip this import: [gate] skip_modules = ["alpha"]
    "#);
    insta::assert_snapshot!(shown("winreg"), @r#"
    Klayers-p312-alpha would not work on Lambda:
    error: importing alpha fails: ModuleNotFoundError: No module named 'winreg'
    help: ask for another version, or, if no function imports it, skip this import: [gate] skip_modules = ["alpha"]
    "#);
}

fn missing_library(path: &str, loaded: bool) -> Finding {
    let file = LayerFile { wheel: "beta-1-py3-none-any.whl".to_owned(), path: path.to_owned() };
    Finding::MissingLibrary { file, library: "libgomp.so.1".to_owned(), loaded }
}

#[test]
fn only_what_an_import_loaded_must_find_its_libraries() {
    let mapped = LoadedFiles {
        of_layer: BTreeSet::from(["python/b/mapped.so".to_owned()]),
        of_machine: BTreeMap::new(),
    };
    let imported = Layer { loaded: Some(mapped), ..Layer::default() };
    let severity = |layer: &Layer, finding: Finding, imports| {
        layer.judge(vec![finding], imports).findings[0].severity()
    };
    let mapped = || missing_library("beta-1.data/platlib/b/mapped.so", false);
    let plugin = || missing_library("b/plugin.so", true);
    assert_eq!(severity(&imported, mapped(), run(&[])), Severity::Error);
    assert_eq!(severity(&imported, plugin(), run(&[])), Severity::Warning);
    // An import that failed because a library is missing has loaded nothing.
    let message = "ImportError: libgomp.so.1: cannot open shared object file".to_owned();
    let missing = Some(Missing::Library("libgomp.so.1".to_owned()));
    let failed = run(&[("beta", ModuleOutcome::Failed { message, missing })]);
    assert_eq!(severity(&imported, plugin(), failed), Severity::Error);
    // Without imports, only the files decide.
    let not_run = || ImportReport::NotRun { reason: "no Python".to_owned() };
    let alone = Layer::default();
    assert_eq!(severity(&alone, plugin(), not_run()), Severity::Error);
    assert_eq!(severity(&alone, missing_library("b/x.so", false), not_run()), Severity::Warning);
}

#[test]
fn libraries_for_other_processors_are_errors_unless_the_wheel_has_fitting_ones() {
    let imported = Layer { loaded: Some(LoadedFiles::default()), ..Layer::default() };
    let machine = |loaded, indispensable| Finding::Machine {
        file: LayerFile { wheel: "beta-1-py3-none-any.whl".to_owned(), path: "x.so".to_owned() },
        machine: Machine::Aarch64,
        class: Class::Elf64,
        target: target("p3.12"),
        loaded,
        indispensable,
    };
    let passes = |finding| imported.judge(vec![finding], run(&[])).passed();
    assert!(!passes(machine(true, true)));
    assert!(passes(machine(true, false)), "nothing loaded it");
    assert!(passes(machine(false, true)), "it is a program");
    let not_run = ImportReport::NotRun { reason: "no Python".to_owned() };
    assert!(!Layer::default().judge(vec![machine(true, false)], not_run).passed());
}

#[test]
fn libraries_loaded_by_name_must_be_in_the_runtime() {
    let modules = BTreeSet::from(["beta".to_owned()]);
    let of_machine = BTreeMap::from([
        (PathBuf::from("/no/such/libgomp.so.1"), modules.clone()),
        (PathBuf::from("/no/such/libz.so.1"), modules),
    ]);
    let loaded = Some(LoadedFiles { of_layer: BTreeSet::new(), of_machine });
    let mut layer = Layer { loaded, ..Layer::default() };
    let report = layer.judge(vec![], run(&[]));
    let [Finding::OutsideLibrary { library, modules }] = report.findings.as_slice() else {
        panic!("{report}");
    };
    assert_eq!((library.as_str(), modules.as_slice()), ("libgomp.so.1", &["beta".to_owned()][..]));
    assert!(!report.passed());
    layer.rules.allow_missing = BTreeSet::from(["libgomp.so.1".to_owned()]);
    assert!(layer.judge(vec![], run(&[])).passed());
}

#[test]
fn required_imports_that_were_not_run_stop_the_layer() {
    let not_run = || ImportReport::NotRun { reason: "there is no Python".to_owned() };
    let mut layer = Layer::default();
    assert!(layer.judge(vec![], not_run()).passed());
    layer.rules.imports = ImportMode::Required;
    let report = layer.judge(vec![], not_run());
    assert!(!report.passed());
    insta::assert_snapshot!(report, @r#"
    error: [gate] imports is "required", but there is no Python
    imports: not run: there is no Python
    "#);
    assert!(layer.judge(vec![], run(&[])).passed());
}
