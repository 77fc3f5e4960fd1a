use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::wire_time;
use crate::{
    Architecture, Build, LayerVersion, LayerVersionArn, PackageName, PackageVersion, Pin,
    PythonVersion, Region, Status, Target,
};

/// A row of a list of latest layers.
///
/// All values are strings, since some clients read the list as string maps.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LatestRow {
    /// The package, as the collection spells it.
    pub package: PackageName,
    /// The ARN of the layer's latest version.
    pub arn: LayerVersionArn,
    /// The package's version in the layer.
    pub package_version: PackageVersion,
    /// The SHA-256 of the layer's zip, in Base64 like Lambda's `CodeSha256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_sha256: Option<String>,
    /// When the layer version was published.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "wire_time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", extend("pattern" = wire_time::PATTERN)))]
    pub created_date_time: Option<Timestamp>,
    /// The package's licence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

impl From<&LayerVersion> for LatestRow {
    fn from(version: &LayerVersion) -> Self {
        let LayerVersion { arn, build, created_at, .. } = version;
        Self {
            package: build.package.clone(),
            arn: arn.clone(),
            package_version: build.version.clone(),
            code_sha256: build.content().map(|content| content.digest.to_base64()),
            created_date_time: *created_at,
            license: build.license.clone(),
        }
    }
}

/// The status of a layer version in API v2. Deleted versions are not listed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum DeployStatus {
    /// The newest version.
    Latest,
    /// A newer version exists, or this one was withdrawn.
    Deprecated,
}

/// A row of a list of a layer's versions.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct VersionRow {
    /// The ARN.
    pub arn: LayerVersionArn,
    /// The package's version in the layer.
    pub package_version: PackageVersion,
    /// Latest or deprecated.
    pub deploy_status: DeployStatus,
    /// All packages in the layer, with their versions.
    pub dependencies: Vec<Pin>,
    /// When the version will be deleted; absent for the latest.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "wire_time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", extend("pattern" = wire_time::PATTERN)))]
    pub expiry_date: Option<Timestamp>,
    /// Why the version was withdrawn, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yanked: Option<String>,
    /// The region of the layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// The layer version: the number at the end of the ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_version: Option<u64>,
    /// The requirements hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirements_hash: Option<String>,
    /// The SHA-256 of the layer's zip, in Base64 like Lambda's `CodeSha256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_sha256: Option<String>,
    /// The size of the layer's zip, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_size: Option<u64>,
    /// The unpacked size of the layer, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unzipped_size: Option<u64>,
    /// When the layer version was published.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "wire_time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", extend("pattern" = wire_time::PATTERN)))]
    pub created_date_time: Option<Timestamp>,
    /// The package's licence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// The results of the checks before publication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
}

/// The results of the checks of a layer before its publication.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// The result of importing the layer's modules.
    pub imports: GateImports,
    /// Warnings, as texts for people.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The result of importing the modules of a layer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum GateImports {
    /// All required modules can be imported. Failures of other modules are in `warnings`.
    Passed,
    /// A required module cannot be imported.
    Failed,
    /// The imports were not tried, for example because the layer is for another processor.
    #[serde(rename = "not run")]
    NotRun,
}

impl VersionRow {
    /// The row of a layer version, without the results of the gate; none for a deleted version.
    pub fn new(version: &LayerVersion) -> Option<Self> {
        let LayerVersion { arn, build, created_at, status } = version;
        let (deploy_status, expiry_date) = match status {
            Status::Latest => (DeployStatus::Latest, None),
            Status::Deprecated { expires_at, .. } => (DeployStatus::Deprecated, Some(*expires_at)),
            Status::Deleted { .. } => return None,
        };
        Some(Self {
            arn: arn.clone(),
            package_version: build.version.clone(),
            deploy_status,
            dependencies: build.dependencies.clone(),
            expiry_date,
            yanked: version.yanked().map(|yank| yank.reason.clone()),
            region: Some(arn.region().clone()),
            layer_version: Some(arn.version()),
            requirements_hash: Some(build.requirements_hash.to_string()),
            code_sha256: build.content().map(|content| content.digest.to_base64()),
            code_size: build.content().map(|content| content.size),
            unzipped_size: build.content().map(|content| content.unzipped_size),
            created_date_time: *created_at,
            license: build.license.clone(),
            gate: None,
        })
    }
}

/// A row of a list of latest builds.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BuildRow {
    /// The package. The public server leaves it out of some rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageName>,
    /// The package's version in the layer.
    pub package_version: PackageVersion,
    /// All packages in the layer, with their versions.
    pub dependencies: Vec<Pin>,
    /// When the layer was built.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "wire_time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", extend("pattern" = wire_time::PATTERN)))]
    pub created_date_time: Option<Timestamp>,
    /// The requirements hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirements_hash: Option<String>,
    /// The SHA-256 of the layer's zip, in Base64 like Lambda's `CodeSha256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_sha256: Option<String>,
    /// The size of the layer's zip, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_size: Option<u64>,
    /// The unpacked size of the layer, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unzipped_size: Option<u64>,
    /// The package's licence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

impl From<&Build> for BuildRow {
    fn from(build: &Build) -> Self {
        Self {
            package: Some(build.package.clone()),
            package_version: build.version.clone(),
            dependencies: build.dependencies.clone(),
            created_date_time: build.created_at,
            requirements_hash: Some(build.requirements_hash.to_string()),
            code_sha256: build.content().map(|content| content.digest.to_base64()),
            code_size: build.content().map(|content| content.size),
            unzipped_size: build.content().map(|content| content.unzipped_size),
            license: build.license.clone(),
        }
    }
}

/// A row of the list of one package for all targets in all regions.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PackageRow {
    /// The package, as the collection spells it.
    pub package: PackageName,
    /// The target.
    pub target: Target,
    /// The layer version.
    #[serde(flatten)]
    pub version: VersionRow,
}

impl PackageRow {
    /// The row of a layer version; none for a deleted version.
    pub fn new(version: &LayerVersion) -> Option<Self> {
        Some(Self {
            package: version.build.package.clone(),
            target: version.build.target,
            version: VersionRow::new(version)?,
        })
    }
}

/// The versions of a layer in one region, as a [custom datasource][datasource] of [Renovate]. A version
/// is the layer version: the number at the end of the ARN.
///
/// [Renovate]: https://docs.renovatebot.com
/// [datasource]: https://docs.renovatebot.com/modules/datasource/custom/
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Releases {
    /// The layer versions, the newest first.
    pub releases: Vec<Release>,
}

/// A layer version in the format of Renovate.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// The layer version.
    pub version: String,
    /// When the version was published, in RFC 3339 format, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<String>", extend("format" = "date-time"))
    )]
    pub release_timestamp: Option<Timestamp>,
    /// Whether the version was withdrawn.
    pub is_deprecated: bool,
}

impl Release {
    /// The release of a layer version; none for a deleted version.
    pub fn new(version: &LayerVersion) -> Option<Self> {
        let exists = !matches!(version.status, Status::Deleted { .. });
        exists.then(|| Self {
            version: version.arn.version().to_string(),
            release_timestamp: version.created_at,
            is_deprecated: version.yanked().is_some(),
        })
    }
}

/// A row of the list of targets.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TargetRow {
    /// The target's key: `p3.12-arm64`.
    pub target: Target,
    /// The Python version.
    pub python_version: PythonVersion,
    /// The architecture.
    pub architecture: Architecture,
}

impl From<Target> for TargetRow {
    fn from(target: Target) -> Self {
        Self { target, python_version: target.python, architecture: target.architecture }
    }
}

/// A row of the list of regions.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RegionRow {
    /// The region's code.
    pub region: Region,
    /// The region's name, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The region's partition.
    pub partition: crate::Partition,
}

impl From<&Region> for RegionRow {
    fn from(region: &Region) -> Self {
        Self {
            region: region.clone(),
            name: region.name().map(str::to_owned),
            partition: region.partition(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Content, Digest, Origin};

    fn version(status: Status) -> LayerVersion {
        let at: Timestamp = "2026-11-01T02:00:00.5Z".parse().expect("a time");
        LayerVersion {
            arn: "arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p312-Pillow:3"
                .parse()
                .expect("an ARN"),
            build: Build {
                target: "p3.12".parse().expect("a target"),
                package: "Pillow".parse().expect("a name"),
                version: "12.0.0".parse().expect("a version"),
                dependencies: vec!["pillow==12.0.0".parse().expect("a pin")],
                requirements_hash: Digest::of(b"requirements"),
                origin: Origin::Imported {
                    content: Content {
                        digest: Digest::of(b"zip"),
                        size: 7_000_000,
                        unzipped_size: 20_000_000,
                    },
                },
                license: Some("MIT-CMU".to_owned()),
                created_at: Some(at),
            },
            created_at: Some(at),
            status,
        }
    }

    fn deprecated() -> Status {
        Status::Deprecated {
            expires_at: "2027-11-01T02:00:00Z".parse().expect("a time"),
            yanked: None,
        }
    }

    #[test]
    fn bodies_have_the_documented_shape() {
        let latest = version(Status::Latest);
        insta::assert_json_snapshot!("latest_row", LatestRow::from(&latest));
        insta::assert_json_snapshot!("version_row_latest", VersionRow::new(&latest));
        insta::assert_json_snapshot!(
            "version_row_deprecated",
            VersionRow::new(&version(deprecated()))
        );
        insta::assert_json_snapshot!("build_row", BuildRow::from(&latest.build));
        insta::assert_json_snapshot!("package_row", PackageRow::new(&latest));
        let releases = [Status::Latest, deprecated()].map(version);
        let releases = releases.iter().filter_map(Release::new).collect();
        insta::assert_json_snapshot!("releases", Releases { releases });
        insta::assert_json_snapshot!("target_row", TargetRow::from(latest.build.target));
        insta::assert_json_snapshot!("region_row", RegionRow::from(latest.region()));
    }

    #[test]
    fn rows_of_adopted_versions_omit_unknown_fields() {
        let mut adopted = version(deprecated());
        adopted.build.origin = Origin::Adopted { at: Timestamp::UNIX_EPOCH };
        adopted.build.created_at = None;
        adopted.created_at = None;
        let fields = |row: serde_json::Result<serde_json::Value>| -> Vec<String> {
            row.expect("JSON").as_object().expect("an object").keys().cloned().collect()
        };
        let unknown = ["codeSha256", "codeSize", "createdDateTime", "releaseTimestamp"];
        for row in [
            serde_json::to_value(LatestRow::from(&adopted)),
            serde_json::to_value(VersionRow::new(&adopted)),
            serde_json::to_value(BuildRow::from(&adopted.build)),
            serde_json::to_value(Release::new(&adopted)),
        ] {
            let fields = fields(row);
            assert!(fields.len() > 1, "{fields:?}");
            assert!(!fields.iter().any(|field| unknown.contains(&field.as_str())), "{fields:?}");
        }
    }

    #[test]
    fn latest_rows_have_only_strings() {
        let row = serde_json::to_value(LatestRow::from(&version(Status::Latest))).expect("JSON");
        assert!(row.as_object().expect("an object").values().all(serde_json::Value::is_string));
    }

    #[test]
    fn rows_round_trip_with_second_precision() {
        let row = VersionRow::new(&version(deprecated())).expect("not deleted");
        let json = serde_json::to_string(&row).expect("JSON");
        let read: VersionRow = serde_json::from_str(&json).expect("a row");
        assert_eq!(read.expiry_date, row.expiry_date);
        assert_eq!(serde_json::to_string(&read).expect("JSON"), json);
    }

    #[test]
    fn rows_of_the_public_server_can_be_parsed() {
        let rows: Vec<VersionRow> = serde_json::from_str(
            r#"[{"arn": "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p310-idna:2",
                 "packageVersion": "3.4", "deployStatus": "deprecated",
                 "dependencies": ["idna==3.4"], "expiryDate": "2023-10-02T02:05:11"}]"#,
        )
        .expect("rows");
        assert_eq!(rows[0].deploy_status, DeployStatus::Deprecated);
        let builds: Vec<BuildRow> = serde_json::from_str(
            r#"[{"packageVersion": "3.4", "dependencies": [],
                 "createdDateTime": "2023-09-03T02:05:11.123456"}]"#,
        )
        .expect("rows");
        assert_eq!(builds[0].package, None);
    }

    #[test]
    fn deleted_versions_have_no_row() {
        let deleted = Status::Deleted { at: Timestamp::UNIX_EPOCH };
        assert_eq!(VersionRow::new(&version(deleted.clone())), None);
        assert_eq!(PackageRow::new(&version(deleted.clone())), None);
        assert_eq!(Release::new(&version(deleted)), None);
    }
}
