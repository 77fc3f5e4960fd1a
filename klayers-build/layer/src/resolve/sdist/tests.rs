use std::io::Write as _;

use super::*;
use crate::resolve::{ResolveError, Sources};

/// A build backend inside the source distribution, so that nothing has to be fetched. It writes
/// what it saw of the machine into the wheel.
const BACKEND: &str = r#"
import os, socket, zipfile
def build_wheel(folder, settings=None, metadata=None):
    try:
        socket.create_connection(("127.0.0.1", PORT), 5).close()
        network = "reached"
    except OSError:
        network = "none"
    seen = "\n".join(f"{key}={value}" for key, value in sorted(os.environ.items()))
    name = "NAME"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("seen.txt", f"network={network}\n{seen}\n")
        info = "-".join(name.split("-")[:2]) + ".dist-info/"
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr(info + "RECORD", "")
    return name
"#;

struct Made {
    sdist: Sdist,
    _folder: TempDir,
}

/// Creates a source distribution of `sample` with this backend.
fn sdist(backend: &str) -> Made {
    let folder = tempfile::tempdir().expect("a folder");
    let project = "[build-system]\nrequires = []\nbuild-backend = \"backend\"\n\
         backend-path = [\".\"]\n[project]\nname = \"sample\"\nversion = \"1.0\"\n";
    let path = folder.path().join("sample-1.0.zip");
    let mut zip = zip::ZipWriter::new(fs::File::create(&path).expect("a file"));
    for (name, content) in [("pyproject.toml", project), ("backend.py", backend)] {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(format!("sample-1.0/{name}"), options).expect("an entry");
        zip.write_all(content.as_bytes()).expect("its content");
    }
    zip.finish().expect("a zip");
    let sha256 = durable::digest(&path).expect("a digest");
    let pin = "sample==1.0".parse().expect("a pin");
    Made { sdist: Sdist { pin, path, sha256 }, _folder: folder }
}

/// Returns a resolver if uv is installed. On CI, uv must be installed.
async fn resolver() -> Option<Resolver> {
    let index = "http://user:secret@127.0.0.1:1/simple/".parse().expect("a URL");
    let sources = Sources { index_url: Some(index), ..Sources::default() };
    match Resolver::find(sources).await {
        Ok(resolver) => Some(resolver),
        Err(ResolveError::Missing { .. }) if !on_ci() => {
            eprintln!("SKIPPED: uv is not on PATH");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[expect(clippy::disallowed_methods, reason = "tests are an edge, too")]
fn on_ci() -> bool {
    std::env::var_os("CI").is_some()
}

fn refused(_: &Path, _: &WheelFilename) -> Result<(), String> {
    Err("not inspected".to_owned())
}

fn allowed() -> BTreeSet<PackageName> {
    ["Sample".parse().expect("a name")].into()
}

#[tokio::test]
async fn build_sees_no_environment_network_or_home_of_this_machine() {
    let Some(resolver) = resolver().await else { return };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket");
    let port = listener.local_addr().expect("an address").port();
    let backend =
        BACKEND.replace("PORT", &port.to_string()).replace("NAME", "sample-1.0-py3-none-any.whl");
    let made = sdist(&backend);
    let built = resolver
        .build_sdist(&made.sdist, &resolver.python, &allowed(), |_, _| Ok(()))
        .await
        .expect("a wheel");
    assert_eq!(built.built_from, made.sdist.sha256);
    assert_eq!(built.sha256, durable::digest(&built.path()).expect("a digest"));
    let file = fs::File::open(built.path()).expect("a wheel");
    let mut wheel = zip::ZipArchive::new(file).expect("a zip");
    let seen = std::io::read_to_string(wheel.by_name("seen.txt").expect("it")).expect("text");
    assert!(!seen.contains("secret") && !seen.contains("CARGO"), "{seen}");
    let network = if built.offline { "network=none\n" } else { "network=reached\n" };
    assert!(seen.starts_with(network), "{seen}");
    let folder = built.folder.path().to_owned();
    assert!(seen.contains(&format!("HOME={}/home\n", folder.display())), "{seen}");
    drop(built);
    assert!(!folder.exists());
}

#[tokio::test]
async fn build_of_package_not_allowed_or_with_other_bytes_runs_no_code() {
    let Some(resolver) = resolver().await else { return };
    let made = sdist("raise SystemExit('it ran')");
    let error = resolver
        .build_sdist(&made.sdist, &resolver.python, &BTreeSet::new(), refused)
        .await
        .expect_err("refused");
    assert_eq!(
        error.to_string(),
        "sample has to be built from a source distribution, which would run its code and is not \
         allowed"
    );
    let other = Sdist { sha256: Digest::of(b"other"), ..made.sdist.clone() };
    let error = resolver
        .build_sdist(&other, &resolver.python, &allowed(), refused)
        .await
        .expect_err("refused");
    assert!(matches!(error, SdistError::WrongDigest { .. }), "{error:?}");
    let error = resolver
        .build_sdist(&made.sdist, &resolver.python, &allowed(), refused)
        .await
        .expect_err("no backend");
    assert!(error.to_string().contains("it ran"), "it would have been seen to run: {error}");
}

#[tokio::test]
async fn built_wheel_that_cannot_be_used_is_refused() {
    let Some(resolver) = resolver().await else { return };
    for (name, message) in [
        ("sample-1.0-cp312-cp312-linux_x86_64.whl", "cannot be used: not inspected"),
        ("other-1.0-py3-none-any.whl", "which is another package or version"),
    ] {
        let backend = BACKEND.replace("PORT", "1").replace("NAME", name);
        let made = sdist(&backend);
        let error = resolver
            .build_sdist(&made.sdist, &resolver.python, &allowed(), refused)
            .await
            .expect_err(message);
        assert!(error.to_string().ends_with(message), "{error}");
    }
    let made = sdist("import sys\nsys.exit('no such compiler')\n");
    let error = resolver
        .build_sdist(&made.sdist, &resolver.python, &allowed(), refused)
        .await
        .expect_err("failed");
    assert!(matches!(error, SdistError::Failed { .. }), "{error:?}");
    assert!(error.to_string().contains("no such compiler"), "{error}");
}
