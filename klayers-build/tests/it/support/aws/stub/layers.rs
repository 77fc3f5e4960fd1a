//! The layers of all accounts and regions.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::super::call::{Call, Operation};
use super::super::fault::Answer;
use super::not_found;
use super::upload::Upload;

/// Maximum number of versions in a page.
const PAGE: usize = 50;
/// The account of access keys that are not account numbers.
const DEFAULT_ACCOUNT: &str = "000000000000";

/// Account, region and name.
type Key = (String, String, String);

#[derive(Default)]
pub(super) struct Layers(BTreeMap<Key, Layer>);

#[derive(Default)]
struct Layer {
    /// The number of the last version.
    last: u64,
    versions: BTreeMap<u64, Version>,
}

struct Version {
    /// The fields in a list.
    fields: Map<String, Value>,
    content: Value,
    statements: Vec<Value>,
}

/// A status with a body, or an error.
type Answered = Result<(u16, Value), Answer>;

impl Layers {
    pub(super) fn answer(&mut self, call: &Call, body: &Value, upload: Option<Upload>) -> Answered {
        let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let name = decoded(parts.get(2).unwrap_or(&""));
        let account = call.account.clone().unwrap_or_else(|| DEFAULT_ACCOUNT.to_owned());
        let key = (account, call.region.clone(), name);
        let number = || parts.get(4).and_then(|part| part.parse().ok()).ok_or_else(not_found);
        match call.operation {
            Operation::PublishLayerVersion => Ok((201, self.publish(key, body, upload))),
            Operation::ListLayerVersions => Ok((200, self.list(&key, query))),
            Operation::GetLayerVersion => Ok((200, self.version(&key, number()?)?.whole())),
            Operation::GetLayerVersionByArn => {
                let (key, number) = key_of(&parameter(query, "Arn")).ok_or_else(not_found)?;
                Ok((200, self.version(&key, number)?.whole()))
            }
            Operation::DeleteLayerVersion => {
                if let Some(layer) = self.0.get_mut(&key) {
                    layer.versions.remove(&number()?);
                }
                Ok((204, Value::Null))
            }
            Operation::AddLayerVersionPermission => {
                self.version(&key, number()?)?.permit(body).map(|answer| (201, answer))
            }
            Operation::GetLayerVersionPolicy => {
                self.version(&key, number()?)?.policy().map(|answer| (200, answer))
            }
            _ => Err(Answer::new(404, "UnknownOperationException", "The stub does not have this.")),
        }
    }

    fn publish(&mut self, key: Key, body: &Value, upload: Option<Upload>) -> Value {
        let arn = arn_of(&key);
        let layer = self.0.entry(key).or_default();
        layer.last += 1;
        let mut fields = Map::new();
        for name in ["Description", "CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo"]
        {
            if let Some(value) = body.get(name).filter(|value| !value.is_null()) {
                fields.insert(name.to_owned(), value.clone());
            }
        }
        fields.insert("LayerVersionArn".to_owned(), format!("{arn}:{}", layer.last).into());
        fields.insert("Version".to_owned(), layer.last.into());
        fields.insert("CreatedDate".to_owned(), created_now().into());
        let (digest, size) = upload.unwrap_or_default().code();
        let content = json!({ "CodeSha256": digest, "CodeSize": size });
        let version = Version { fields, content, statements: Vec::new() };
        let answer = version.whole();
        layer.versions.insert(layer.last, version);
        answer
    }

    fn list(&self, key: &Key, query: &str) -> Value {
        let Some(layer) = self.0.get(key) else { return json!({ "LayerVersions": [] }) };
        let before = parameter(query, "Marker").parse().unwrap_or(u64::MAX);
        let most = parameter(query, "MaxItems").parse().unwrap_or(PAGE).min(PAGE);
        let newest_first = layer.versions.range(..before).rev();
        let mut page: Vec<(&u64, &Version)> = newest_first.take(most + 1).collect();
        let has_more = page.len() > most;
        page.truncate(most);
        let marker = page.last().filter(|_| has_more).map(|(number, _)| number.to_string());
        let page: Vec<&Map<String, Value>> = page.iter().map(|(_, v)| &v.fields).collect();
        json!({ "LayerVersions": page, "NextMarker": marker })
    }

    fn version(&mut self, key: &Key, number: u64) -> Result<&mut Version, Answer> {
        self.0.get_mut(key).and_then(|layer| layer.versions.get_mut(&number)).ok_or_else(not_found)
    }
}

impl Version {
    fn arn(&self) -> &str {
        self.fields["LayerVersionArn"].as_str().unwrap()
    }

    fn whole(&self) -> Value {
        let mut fields = self.fields.clone();
        fields.insert("Content".to_owned(), self.content.clone());
        let (layer, _number) = self.arn().rsplit_once(':').unwrap();
        fields.insert("LayerArn".to_owned(), layer.into());
        Value::Object(fields)
    }

    fn permit(&mut self, body: &Value) -> Result<Value, Answer> {
        let statement = json!({
            "Sid": body["StatementId"],
            "Effect": "Allow",
            "Principal": body["Principal"],
            "Action": body["Action"],
            "Resource": self.arn(),
        });
        if self.statements.iter().any(|other| other["Sid"] == statement["Sid"]) {
            let message = "The statement id provided already exists.";
            return Err(Answer::new(409, "ResourceConflictException", message));
        }
        let answer = json!({ "Statement": statement.to_string(), "RevisionId": "1" });
        self.statements.push(statement);
        Ok(answer)
    }

    fn policy(&self) -> Result<Value, Answer> {
        if self.statements.is_empty() {
            return Err(not_found());
        }
        let policy =
            json!({ "Version": "2012-10-17", "Id": "default", "Statement": self.statements });
        Ok(json!({ "Policy": policy.to_string(), "RevisionId": "1" }))
    }
}

fn arn_of((account, region, name): &Key) -> String {
    let partition = match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    format!("arn:{partition}:lambda:{region}:{account}:layer:{name}")
}

fn key_of(arn: &str) -> Option<(Key, u64)> {
    let parts: Vec<&str> = arn.split(':').collect();
    let [_, _, _, region, account, _, name, number] = parts[..] else { return None };
    Some(((account.to_owned(), region.to_owned(), name.to_owned()), number.parse().ok()?))
}

/// Returns a parameter of a query; empty if it is missing.
fn parameter(query: &str, name: &str) -> String {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| decoded(value)).unwrap_or_default()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Formats a time like Lambda: with milliseconds and an offset without a colon.
#[expect(clippy::disallowed_methods, reason = "a service has a clock of its own")]
fn created_now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}
