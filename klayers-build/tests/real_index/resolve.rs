//! Resolves from the real index, for every target.

use std::process::Command;

use futures::{StreamExt as _, stream};
use klayers_core::{Architecture, PackageVersion, Runtime, Runtimes, Target};
use klayers_layer::lock::Lock;
use klayers_layer::resolve::{Resolver, Sources};

use crate::python::any_python;
use crate::tools::output;

/// Number of concurrent resolutions.
const PARALLEL: usize = 4;

async fn resolve(resolver: &Resolver, requirements: &[&str], target: Target) -> Lock {
    let requirements: Vec<_> =
        requirements.iter().map(|text| text.parse().expect("a requirement")).collect();
    let runtimes = Runtimes::default();
    let runtime = runtimes.get(target.python).expect("a runtime");
    let lock = resolver.resolve(&requirements, target, runtime).await;
    lock.unwrap_or_else(|error| panic!("{target}: {error}"))
}

#[tokio::test]
async fn real_index_has_fitting_wheels_for_every_target() {
    let resolver = Resolver::find(Sources::default()).await.expect("uv and python3 on PATH");
    let runtimes = Runtimes::default();
    let cells: Vec<(Target, &Runtime)> = runtimes
        .iter()
        .flat_map(|runtime| {
            [Architecture::X86_64, Architecture::Arm64]
                .map(|architecture| (Target::new(runtime.python, architecture), runtime))
        })
        .collect();
    assert!(cells.len() >= 14, "each runtime on two architectures");
    let requirements = ["requests", "numpy", "cryptography"];
    let locks: Vec<(Target, &Runtime, Lock)> = stream::iter(cells)
        .map(async |(target, runtime)| {
            (target, runtime, resolve(&resolver, &requirements, target).await)
        })
        .buffered(PARALLEL)
        .collect()
        .await;
    for (target, runtime, lock) in locks {
        for name in ["requests", "charset-normalizer", "numpy", "cryptography"] {
            let name = name.parse().expect("a name");
            assert!(lock.wheel(&name).is_some(), "{target}: no {name}");
        }
        for wheel in lock.wheels() {
            let filename = wheel.filename.to_string();
            assert!(fits(&filename, target, runtime), "{target}: {filename}");
        }
    }
}

#[tokio::test]
async fn older_runtime_gets_newest_fitting_version_from_real_index() {
    let resolver = Resolver::find(Sources::default()).await.expect("uv and python3 on PATH");
    let mut versions = Vec::new();
    for (target, platform) in
        [("p3.11", "x86_64-manylinux_2_17"), ("p3.13", "x86_64-manylinux_2_34")]
    {
        let target: Target = target.parse().expect("a target");
        let lock = resolve(&resolver, &["pandas"], target).await;
        let version =
            lock.wheel(&"pandas".parse().expect("a name")).expect("pandas").pin.version.clone();
        assert_eq!(version, version_chosen_by_uv("pandas", target, platform), "{target}");
        versions.push(version);
    }
    assert!(versions[0] <= versions[1], "{versions:?}");
}

/// The version that uv chooses, from its requirements format.
fn version_chosen_by_uv(package: &str, target: Target, platform: &str) -> PackageVersion {
    let script = "printf '%s\\n' \"$1\" | { shift; exec \"$@\"; }";
    let compile = ["uv", "pip", "compile", "-", "--no-header", "--no-annotate", "--quiet"];
    let text = output(
        Command::new("sh")
            .args(["-c", script, "sh", package])
            .args(compile)
            .args(["--only-binary", ":all:", "--python-platform", platform, "--python-version"])
            .arg(target.python.to_string())
            .arg("--python")
            .arg(any_python()),
    );
    let version = text.lines().find_map(|line| line.strip_prefix(&format!("{package}==")));
    version.unwrap_or_else(|| panic!("no {package} in {text}")).parse().expect("a version")
}

/// Whether a wheel fits according to its name. Written independently of the product's code.
fn fits(filename: &str, target: Target, runtime: &Runtime) -> bool {
    let stem = filename.strip_suffix(".whl").expect("a wheel");
    let mut tags = stem.rsplitn(4, '-');
    let [platforms, abis, pythons] = [(); 3].map(|()| tags.next().expect("a tag"));
    let minor = target.python.minor();
    let machine = target.architecture.machine();
    let at_most = |version: &str| version.parse::<u8>().is_ok_and(|version| version <= minor);
    let fits_platform = |platform: &str| {
        let manylinux = match platform {
            "any" => return true,
            _ => platform.strip_suffix(machine).and_then(|rest| rest.strip_prefix("manylinux")),
        };
        let glibc = match manylinux {
            Some("2014_") => 17,
            Some("2010_") => 12,
            Some("1_") => 5,
            Some(version) => {
                let minor = version.strip_prefix("_2_").and_then(|rest| rest.strip_suffix('_'));
                minor.and_then(|minor| minor.parse().ok()).unwrap_or(u16::MAX)
            }
            None => u16::MAX,
        };
        glibc <= runtime.glibc.minor
    };
    let fits_python = |python: &str, abi: &str| match abi {
        "none" => {
            python == "py3"
                || python == format!("cp3{minor}")
                || python.strip_prefix("py3").is_some_and(at_most)
        }
        "abi3" => python.strip_prefix("cp3").is_some_and(at_most),
        _ => python == format!("cp3{minor}") && abi == python,
    };
    platforms.split('.').any(fits_platform)
        && pythons.split('.').any(|python| abis.split('.').any(|abi| fits_python(python, abi)))
}
