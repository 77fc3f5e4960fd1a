//! A namespace package can be imported as soon as its folder exists, so its contents are imported.

use serde_json::Value;

use crate::bytecode::pythons::any_python;
use crate::support::WheelFile;
use crate::support::command::{Home, uv_is_there};

const PKGUTIL: &str = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n";
const PKG_RESOURCES: &str = "try:\n    __import__('pkg_resources').declare_namespace(__name__)\n\
                             except ImportError:\n    __path__ = \
                             __import__('pkgutil').extend_path(__path__, __name__)\n";
const FAILS: &str = "raise OSError('there is no /etc/secret')\n";

/// Builds a layer. Returns the exit code and the result as JSON. None without a suitable
/// interpreter.
fn built(wheels: &[WheelFile], asked_for: &str, more: &str) -> Option<(Option<i32>, Value)> {
    let interpreter = any_python().filter(|_| uv_is_there())?;
    let python = interpreter.version().python().to_string();
    let arch = if interpreter.machine() == "aarch64" { "arm64" } else { "x86_64" };
    let home = Home::new();
    home.wheels(wheels);
    home.collection(&[], &[]);
    let config = std::fs::read_to_string(home.path("klayers.toml")).unwrap();
    let config = config.replace("imports = false\n", more);
    let runtime = format!("[[runtime]]\npython = \"{python}\"\nos = \"here\"\nglibc = \"2.17\"\n");
    home.write("klayers.toml", format!("{config}{runtime}"));
    let program = interpreter.path().display().to_string();
    let outcome = home.run(&[
        "build",
        asked_for,
        "--python",
        &python,
        "--arch",
        arch,
        "--find-links",
        "wheels",
        "--no-index",
        "--out",
        "out",
        "--interpreter",
        &program,
        "--check-imports",
        "--config",
        "klayers.toml",
        "--json",
    ]);
    let result = serde_json::from_str(&outcome.stdout);
    Some((outcome.code, result.unwrap_or_else(|_| panic!("{outcome:?}"))))
}

/// The modules that were imported.
fn imported(result: &Value) -> Vec<&str> {
    let modules = result["gate"]["imports"]["run"]["modules"].as_object();
    modules.unwrap_or_else(|| panic!("{result}")).keys().map(String::as_str).collect()
}

#[test]
fn first_regular_packages_below_namespaces_are_imported() {
    let wheel = |name: &str| WheelFile::new(name, "1.0");
    let many = wheel("many-messages")
        .file("api/big.py", "x = 1\n")
        .file("api/big_pb2_grpc.py", "import grpc\nx = 1\n");
    for (case, asked_for, wheels, expected) in [
        (
            "a namespace without a file of its own",
            "google-cloud-storage",
            vec![
                wheel("google-cloud-storage")
                    .requires("google-auth")
                    .file("google/cloud/storage/__init__.py", "")
                    .file("google/cloud/storage/fails/__init__.py", FAILS)
                    .file("google/cloud/_storage_v2/__init__.py", FAILS),
                wheel("google-auth").file("google/auth/__init__.py", "").file("google/more.py", ""),
            ],
            vec!["google.auth", "google.cloud.storage"],
        ),
        (
            "declared namespaces",
            "zope.interface",
            vec![
                wheel("zope.interface")
                    .file("zope/__init__.py", PKG_RESOURCES)
                    .file("zope/interface/__init__.py", ""),
            ],
            vec!["zope.interface"],
        ),
        (
            "a module in a declared namespace",
            "backports.zstd",
            vec![
                wheel("backports.zstd")
                    .file("backports/__init__.py", PKGUTIL)
                    .file("backports/zstd.py", "x = 1\n"),
            ],
            vec!["backports.zstd"],
        ),
        (
            "many modules in a namespace, of which the largest is for gRPC",
            "many-messages",
            vec![(0..30).fold(many, |wheel, n| wheel.file(&format!("api/m{n}.py"), ""))],
            vec!["api.big"],
        ),
        (
            "a regular package",
            "plain",
            vec![
                wheel("plain").file("plain/__init__.py", "").file("plain/part/__init__.py", FAILS),
            ],
            vec!["plain"],
        ),
        (
            "a package whose file is empty",
            "empty",
            vec![wheel("empty").file("empty/__init__.py", "# nothing\n")],
            vec!["empty"],
        ),
    ] {
        let Some((code, result)) = built(&wheels, asked_for, "") else { return };
        assert_eq!(imported(&result), expected, "{case}");
        assert_eq!(code, Some(0), "{case}: {result}");
    }
}

#[test]
fn failing_part_of_a_namespace_stops_the_layer() {
    let part = WheelFile::new("azure-storage-blob", "1.0")
        .file("azure/storage/blob/__init__.py", FAILS)
        .file("azure/storage/other.py", "");
    let wheels = [part];
    let Some((code, result)) = built(&wheels, "azure-storage-blob", "") else { return };
    assert_eq!(code, Some(1), "{result}");
    let details = result["error"]["details"][0].as_str().unwrap_or_default();
    assert!(details.starts_with("importing azure.storage.blob fails: OSError"), "{result}");
    // Skipping the namespace skips its contents, too.
    let skip = "skip_modules = [\"azure\"]\n";
    let (code, result) = built(&wheels, "azure-storage-blob", skip).unwrap();
    assert_eq!((code, imported(&result)), (Some(0), vec![]), "{result}");
}
