//! Tests that a layer of each of these packages is laid out as uv installs it, and works.

use std::path::Path;
use std::process::Command;

use crate::installed::{by_lock, by_version, differences};
use crate::layer::Layer;
use crate::python::{any_python, python_3_12};
use crate::same_bytes::rebuilt_elsewhere;
use crate::tools::output;

/// A script that inspects an unpacked layer with Python.
const INSPECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real_index/inspect_layer.py");

/// Builds the layer of a requirement, and checks all aspects of it. The program must run only if
/// the package works, including its native parts.
fn check(requirement: &str, program: &str) {
    let layer = Layer::of(requirement);
    is_sound(&layer);
    let python = python_3_12().ok();
    let any_python = python.clone().unwrap_or_else(any_python);

    is_laid_out_as(&layer, &by_version(&layer, &any_python));
    if let Some(python) = &python {
        is_laid_out_as(&layer, &by_lock(&layer, python));
    }
    let mut folders = vec![layer.unpacked_by_python(&any_python)];
    if let Some(folder) = layer.unpacked_by_unzip() {
        // Only unzip restores modes.
        is_laid_out_as(&layer, &folder.join("python"));
        folders.push(folder);
    }
    for folder in folders.iter().map(|folder| folder.join("python")) {
        inspect(&any_python, "metadata", &folder, &layer.pins);
        if let Some(python) = &python {
            inspect(python, "use", &folder, &[program.to_owned()]);
        }
    }
    assert_eq!(rebuilt_elsewhere(&layer).sha256, layer.sha256, "the same lock, the same bytes");
}

fn is_sound(layer: &Layer) {
    let mut paths = Vec::new();
    layer.each(|entry| {
        assert!(matches!(entry.mode, 0o100_644 | 0o100_755), "{}: {:o}", entry.path, entry.mode);
        paths.push(entry.path);
    });
    assert!(paths.is_sorted_by(|one, other| one.as_bytes() < other.as_bytes()));
    let own = format!("klayers/{}/", layer.name);
    let elsewhere: Vec<&String> = paths
        .iter()
        .filter(|path| !path.starts_with("python/") && !path.starts_with(&own))
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

fn is_laid_out_as(layer: &Layer, folder: &Path) {
    let differences = differences(layer, folder);
    assert!(differences.is_empty(), "{}: {differences:#?}", folder.display());
}

/// Runs a part of the script with only the layer and the standard library on Python's path, in an
/// empty environment.
fn inspect(python: &Path, part: &str, folder: &Path, arguments: &[String]) {
    output(
        Command::new(python)
            .args(["-S", "-B", INSPECT, part])
            .arg(folder)
            .args(arguments)
            .env_clear()
            .env("PYTHONPATH", folder),
    );
}

#[test]
fn requests_from_the_real_index_is_as_uv_installs_it_and_works() {
    check("requests", "import requests; requests.Request('GET', 'http://localhost/').prepare()");
}

#[test]
fn pandas_from_the_real_index_is_as_uv_installs_it_and_works() {
    check(
        "pandas",
        "import pandas; assert pandas.DataFrame({'a': [1, 2]}).groupby('a').size().sum() == 2",
    );
}

#[test]
fn numpy_from_the_real_index_is_as_uv_installs_it_and_works() {
    check("numpy", "import numpy; assert numpy.linalg.det(numpy.eye(3)) == 1.0");
}

#[test]
fn cryptography_from_the_real_index_is_as_uv_installs_it_and_works() {
    check(
        "cryptography",
        "from cryptography.fernet import Fernet as F; f = F(F.generate_key()); \
         assert f.decrypt(f.encrypt(b'x')) == b'x'",
    );
}

#[test]
fn psycopg_from_the_real_index_is_as_uv_installs_it_and_works() {
    check(
        "psycopg[binary,pool]",
        "import psycopg, psycopg_pool; assert psycopg.pq.__impl__ == 'binary'",
    );
}

#[test]
fn pillow_from_the_real_index_is_as_uv_installs_it_and_works() {
    check(
        "pillow",
        "import io; from PIL import Image; Image.new('L', (8, 8)).save(io.BytesIO(), 'JPEG')",
    );
}

#[test]
fn awswrangler_from_the_real_index_is_as_uv_installs_it_and_works() {
    check("awswrangler", "import awswrangler, pyarrow; assert len(pyarrow.array([1, 2])) == 2");
}
