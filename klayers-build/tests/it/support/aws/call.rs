//! Recognizes the AWS operation of a request.

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use percent_encoding::percent_decode_str;

/// An operation of the services that publishing uses.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Operation {
    PublishLayerVersion,
    ListLayerVersions,
    GetLayerVersion,
    GetLayerVersionByArn,
    DeleteLayerVersion,
    AddLayerVersionPermission,
    GetLayerVersionPolicy,
    RemoveLayerVersionPermission,
    ListLayers,
    GetAccountSettings,
    PutObject,
    CopyObject,
    UploadPart,
    GetObject,
    HeadObject,
    DeleteObject,
    CreateBucket,
    HeadBucket,
    PutParameter,
    GetParameter,
    DeleteParameter,
    /// A page of a `DynamoDB` table.
    Scan,
    /// Any call to the Security Token Service: its operations are named in the body.
    Sts,
    Other,
}

/// A request to AWS, according to its head.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Call {
    /// The region in the signature; empty for an unsigned request.
    pub(crate) region: String,
    pub(crate) operation: Operation,
    /// Path and query.
    pub(crate) path: String,
    /// The account whose access key signed the request, if the key is an account number.
    pub(super) account: Option<String>,
}

impl Call {
    pub(super) fn of(parts: &Parts) -> Self {
        let scope = Scope::of(&parts.headers, parts.uri.query()).unwrap_or_default();
        let is_account = scope.key.len() == 12 && scope.key.bytes().all(|b| b.is_ascii_digit());
        Self {
            operation: operation(parts, &scope.service),
            path: parts.uri.path_and_query().map_or("", |path| path.as_str()).to_owned(),
            region: scope.region,
            account: is_account.then_some(scope.key),
        }
    }
}

/// The credential scope of a signature.
#[derive(Default)]
struct Scope {
    key: String,
    region: String,
    service: String,
}

impl Scope {
    fn of(headers: &HeaderMap, query: Option<&str>) -> Option<Self> {
        let signed = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let credential = if let Some(value) = signed {
            value.split("Credential=").nth(1)?.split(',').next()?.to_owned()
        } else {
            let given = query?.split('&').find_map(|p| p.strip_prefix("X-Amz-Credential="))?;
            percent_decode_str(given).decode_utf8().ok()?.into_owned()
        };
        let mut parts = credential.split('/').map(str::to_owned);
        let (key, _date) = (parts.next()?, parts.next()?);
        Some(Self { key, region: parts.next()?, service: parts.next()? })
    }
}

fn operation(parts: &Parts, service: &str) -> Operation {
    let query = parts.uri.query().unwrap_or_default();
    let path: Vec<&str> = parts.uri.path().split('/').filter(|part| !part.is_empty()).collect();
    match service {
        "lambda" => of_lambda(&parts.method, &path, query),
        "s3" => of_s3(&parts.method, &path, query, parts.headers.contains_key("x-amz-copy-source")),
        "ssm" => match parts.headers.get("x-amz-target").map(HeaderValue::as_bytes) {
            Some(b"AmazonSSM.PutParameter") => Operation::PutParameter,
            Some(b"AmazonSSM.GetParameter") => Operation::GetParameter,
            Some(b"AmazonSSM.DeleteParameter") => Operation::DeleteParameter,
            _ => Operation::Other,
        },
        "dynamodb" => match parts.headers.get("x-amz-target").map(HeaderValue::as_bytes) {
            Some(b"DynamoDB_20120810.Scan") => Operation::Scan,
            _ => Operation::Other,
        },
        "sts" => Operation::Sts,
        _ => Operation::Other,
    }
}

fn of_lambda(method: &Method, path: &[&str], query: &str) -> Operation {
    match (method.as_str(), path) {
        ("POST", ["2018-10-31", "layers", _, "versions"]) => Operation::PublishLayerVersion,
        ("GET", ["2018-10-31", "layers", _, "versions"]) => Operation::ListLayerVersions,
        ("GET", ["2018-10-31", "layers", _, "versions", _]) => Operation::GetLayerVersion,
        ("DELETE", ["2018-10-31", "layers", _, "versions", _]) => Operation::DeleteLayerVersion,
        ("POST", ["2018-10-31", "layers", _, "versions", _, "policy"]) => {
            Operation::AddLayerVersionPermission
        }
        ("GET", ["2018-10-31", "layers", _, "versions", _, "policy"]) => {
            Operation::GetLayerVersionPolicy
        }
        ("DELETE", ["2018-10-31", "layers", _, "versions", _, "policy", _]) => {
            Operation::RemoveLayerVersionPermission
        }
        ("GET", ["2018-10-31", "layers"]) if query.contains("find=LayerVersion") => {
            Operation::GetLayerVersionByArn
        }
        ("GET", ["2018-10-31", "layers"]) => Operation::ListLayers,
        ("GET", ["2016-08-19", "account-settings"]) => Operation::GetAccountSettings,
        _ => Operation::Other,
    }
}

/// Expects the bucket in the path, where it is for hosts that are IP addresses.
fn of_s3(method: &Method, path: &[&str], query: &str, copies: bool) -> Operation {
    let is_part = query.contains("partNumber=");
    match (method.as_str(), path) {
        ("PUT", [_, _, ..]) if is_part => Operation::UploadPart,
        ("PUT", [_, _, ..]) if copies => Operation::CopyObject,
        ("PUT", [_, _, ..]) => Operation::PutObject,
        ("GET", [_, _, ..]) => Operation::GetObject,
        ("HEAD", [_, _, ..]) => Operation::HeadObject,
        ("DELETE", [_, _, ..]) => Operation::DeleteObject,
        ("PUT", [_]) if query.is_empty() => Operation::CreateBucket,
        ("HEAD", [_]) => Operation::HeadBucket,
        _ => Operation::Other,
    }
}

impl Operation {
    pub(super) fn is_of_s3(self) -> bool {
        matches!(
            self,
            Self::PutObject
                | Self::CopyObject
                | Self::UploadPart
                | Self::GetObject
                | Self::HeadObject
                | Self::DeleteObject
                | Self::CreateBucket
                | Self::HeadBucket
        )
    }
}
