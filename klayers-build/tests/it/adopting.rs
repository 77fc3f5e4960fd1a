//! `klayers-pipeline adopt`: what the public collection recorded is recorded here, row for row.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;

use axum::http::Request;
use klayers_catalog::{Catalog as _, Include, Query, SqliteCatalog};
use klayers_core::{LayerVersion, Origin};
use klayers_site::serve::Site;
use serde_json::{Value, json};

use crate::support::command::Home;

mod afterwards;
mod api;
mod public_api;
mod public_table;
mod table;
mod table_faults;

use public_api::PublicApi;

const ACCOUNT: &str = "770693421928";
const OLD_ACCOUNT: &str = "113088814899";
const TARGETS: [&str; 3] = ["p3.8", "p3.12", "p3.12-arm64"];
const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

/// A layer version of the public collection.
#[derive(Clone, Debug)]
struct Row {
    target: &'static str,
    region: &'static str,
    /// As the collection spells it.
    package: &'static str,
    layer: &'static str,
    account: &'static str,
    number: u64,
    version: &'static str,
    dependencies: &'static [&'static str],
    /// When it expires, in seconds since 1970; none of a latest.
    expires: Option<i64>,
    deleted: bool,
}

impl Row {
    fn arn(&self) -> String {
        let Self { region, account, layer, number, .. } = self;
        format!("arn:aws:lambda:{region}:{account}:layer:{layer}:{number}")
    }

    fn status(&self) -> &'static str {
        if self.expires.is_none() { "latest" } else { "deprecated" }
    }

    fn expiry_date(&self) -> Option<String> {
        let at = jiff::Timestamp::from_second(self.expires?).unwrap().to_string();
        Some(at.trim_end_matches('Z').to_owned())
    }

    fn latest_row(&self) -> Value {
        json!({ "package": self.package, "arn": self.arn(), "packageVersion": self.version })
    }

    fn version_row(&self) -> Value {
        let mut row = json!({
            "arn": self.arn(),
            "packageVersion": self.version,
            "deployStatus": self.status(),
            "dependencies": self.dependencies,
        });
        if let Some(expiry) = self.expiry_date() {
            row["expiryDate"] = expiry.into();
        }
        row
    }
}

/// The latest build of a package.
#[derive(Clone, Debug)]
struct BuildOf {
    target: &'static str,
    package: &'static str,
    version: &'static str,
    dependencies: &'static [&'static str],
    /// Whether the newest item lacks the package's name.
    nameless: bool,
}

const CREATED: &str = "2023-09-03T02:05:11.123456";

impl BuildOf {
    fn row(&self) -> Value {
        let mut row = json!({
            "packageVersion": self.version,
            "dependencies": self.dependencies,
            "createdDateTime": &CREATED[..19],
        });
        if !self.nameless {
            row["package"] = self.package.into();
        }
        row
    }
}

/// What the public collection has, in no order.
fn rows() -> Vec<Row> {
    let plain = Row {
        target: "p3.12",
        region: "us-east-1",
        package: "requests",
        layer: "Klayers-p312-requests",
        account: ACCOUNT,
        number: 3,
        version: "2.32.4",
        dependencies: &["requests==2.32.4", "certifi==2025.1.31", "idna==3.10"],
        expires: Some(1_893_456_011),
        deleted: false,
    };
    let latest = Row {
        number: 10,
        version: "2.32.5",
        dependencies: &["certifi==2025.10.5", "requests==2.32.5", "idna==3.11"],
        expires: None,
        ..plain.clone()
    };
    let mut rows = vec![
        plain.clone(),
        latest.clone(),
        Row { number: 9, ..plain.clone() },
        Row { number: 1, expires: Some(1_600_000_000), deleted: true, ..plain.clone() },
        Row { region: "eu-west-1", number: 2, ..latest.clone() },
        Row { target: "p3.12-arm64", layer: "Klayers-p312-arm64-requests", number: 1, ..latest },
    ];
    let pillow = Row {
        target: "p3.8",
        package: "Pillow",
        layer: "Klayers-python38-Pillow",
        account: OLD_ACCOUNT,
        number: 12,
        version: "9.5.0",
        dependencies: &["Pillow==9.5.0"],
        ..plain.clone()
    };
    rows.extend([
        Row {
            layer: "Klayers-p38-Pillow",
            account: ACCOUNT,
            number: 1,
            version: "10.4.0",
            dependencies: &["pillow==10.4.0"],
            expires: None,
            ..pillow.clone()
        },
        // Superseded everywhere: there is no latest.
        Row { region: "eu-west-1", ..pillow.clone() },
        pillow,
        Row {
            target: "p3.8",
            region: "eu-west-1",
            package: "spacy_model_en_small",
            layer: "Klayers-python38-spacy_model_en_small",
            number: 1,
            version: "2.2.5",
            dependencies: &["en_core_web_sm==2.2.5"],
            expires: None,
            ..plain
        },
    ]);
    rows
}

fn builds() -> Vec<BuildOf> {
    vec![
        BuildOf {
            target: "p3.12",
            package: "requests",
            version: "2.32.5",
            dependencies: &["certifi==2025.10.5", "requests==2.32.5", "idna==3.11"],
            nameless: true,
        },
        BuildOf {
            target: "p3.8",
            package: "Pillow",
            version: "10.4.0",
            dependencies: &["pillow==10.4.0"],
            nameless: false,
        },
    ]
}

/// A home with a collection that has less than the public one.
fn home() -> Home {
    let home = Home::new();
    home.collection(&[("p3.12", &["requests"])], &["us-east-1"]);
    home
}

fn recorded(home: &Home) -> Vec<LayerVersion> {
    let catalog = SqliteCatalog::open_read_only(home.path("klayers.db")).unwrap();
    let query = Query { include: Include::All, ..Query::default() };
    tokio::runtime::Runtime::new().unwrap().block_on(catalog.layer_versions(&query)).unwrap()
}

/// The rows of a list in one order, with the fields that the public API has.
fn plain(mut rows: Vec<Value>, fields: &[&str]) -> Vec<Value> {
    for row in &mut rows {
        row.as_object_mut().unwrap().retain(|field, _| fields.contains(&field.as_str()));
    }
    rows.sort_by_key(ToString::to_string);
    rows
}

/// Whether what is served here is what the public API serves, over all its paths.
#[track_caller]
fn answers_agree(home: &Home, rows: &[Row], builds: &[BuildOf]) {
    let recorded = recorded(home);
    let catalog = SqliteCatalog::open_read_only(home.path("klayers.db")).unwrap();
    let site = Site::new(Arc::new(catalog), 1 << 30);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let body = |path: &str| {
        let request = Request::get(path).body(()).unwrap();
        let answer = runtime.block_on(site.answer(&request));
        assert_eq!(answer.status(), 200, "{path}");
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX);
        String::from_utf8(runtime.block_on(body).unwrap().to_vec()).unwrap()
    };
    let served = |path: &str| -> Vec<Value> { serde_json::from_str(&body(path)).unwrap() };
    let mut expected: BTreeMap<String, (Vec<Value>, &[&str])> = BTreeMap::new();
    let latest_fields: &[&str] = &["package", "arn", "packageVersion"];
    let version_fields: &[&str] =
        &["arn", "packageVersion", "deployStatus", "dependencies", "expiryDate"];
    let build_fields: &[&str] = &["package", "packageVersion", "dependencies", "createdDateTime"];
    for target in TARGETS {
        for region in REGIONS {
            let path = format!("/api/v2/{target}/layers/latest/{region}");
            expected.insert(path, (Vec::new(), latest_fields));
        }
        expected.insert(format!("/api/v2/{target}/builds/latest"), (Vec::new(), build_fields));
    }
    for row in rows.iter().filter(|row| !row.deleted) {
        let Row { target, region, package, .. } = row;
        let path = format!("/api/v2/{target}/layers/{region}/{package}");
        expected.entry(path).or_insert((Vec::new(), version_fields)).0.push(row.version_row());
        if row.expires.is_none() {
            let path = format!("/api/v2/{target}/layers/latest/{region}");
            expected.get_mut(&path).unwrap().0.push(row.latest_row());
        }
    }
    for build in builds {
        let path = format!("/api/v2/{}/builds/latest", build.target);
        // What the original does not say here is said all the same.
        let row = BuildOf { nameless: false, ..build.clone() }.row();
        expected.get_mut(&path).unwrap().0.push(row);
    }
    // Of what is not known nothing is said.
    for row in served("/api/v2/p3.12/layers/us-east-1/requests") {
        for field in ["codeSha256", "codeSize", "unzippedSize", "license"] {
            assert_eq!(row.get(field), None, "{row}");
        }
    }
    let releases: Value =
        serde_json::from_str(&body("/api/v2/p3.12/renovate/us-east-1/requests")).unwrap();
    for release in releases["releases"].as_array().unwrap() {
        let arn = format!(":{}", release["version"].as_str().unwrap());
        let is_it = |version: &&LayerVersion| {
            version.arn.to_string().ends_with(&arn)
                && version.arn.name().as_str() == "Klayers-p312-requests"
                && version.region().as_str() == "us-east-1"
        };
        let version = recorded.iter().find(is_it).unwrap();
        let at = version.created_at.map(|at| at.to_string().into());
        assert_eq!(release.get("releaseTimestamp"), at.as_ref(), "{release}");
    }
    let feed = body("/feed.atom");
    for BuildOf { target, package, version, .. } in builds {
        let title = format!("<title>{package} {version} for {target}</title>");
        assert_eq!(feed.matches(&title).count(), 1, "{feed}");
    }
    assert!(!feed.contains("1970-01-01"), "{feed}");
    let mut compared = 0;
    for (path, (rows, fields)) in expected {
        compared += rows.len();
        assert_eq!(plain(served(&path), fields), plain(rows, fields), "{path}");
    }
    assert!(compared > 10);
}
