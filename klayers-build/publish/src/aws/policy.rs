//! The policy of a public layer version.

use klayers_core::LayerVersionArn;
use serde::Deserialize;
use serde_json::Value;

pub(super) const STATEMENT: &str = "make_public";
pub(super) const ACTION: &str = "lambda:GetLayerVersion";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    statement: Vec<Statement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: String,
    principal: Value,
    action: Value,
    resource: Value,
    #[serde(flatten)]
    others: serde_json::Map<String, Value>,
}

/// Checks that a policy lets everybody get the layer version, without conditions, and grants
/// nothing else. Otherwise returns what is wrong with it. Statements may have any ID, and there may
/// be several.
pub(super) fn check(policy: &str, arn: &LayerVersionArn) -> Result<(), String> {
    let Ok(policy) = serde_json::from_str::<Policy>(policy) else {
        return Err("cannot be read".to_owned());
    };
    if policy.statement.is_empty() {
        return Err("has no statement".to_owned());
    }
    policy.statement.iter().try_for_each(|statement| check_statement(statement, arn))
}

fn check_statement(statement: &Statement, arn: &LayerVersionArn) -> Result<(), String> {
    let Statement { effect, principal, action, resource, others } = statement;
    let everybody = one(principal) == Some("*")
        || principal.get("AWS").and_then(one) == Some("*")
            && principal.as_object().is_some_and(|parts| parts.len() == 1);
    if !everybody {
        return Err(format!("allows {principal}, not everybody"));
    }
    if effect != "Allow" || one(action) != Some(ACTION) {
        return Err(format!("has {effect} {action}, not Allow {ACTION}"));
    }
    if one(resource) != Some(arn.to_string().as_str()) {
        return Err(format!("is for the resource {resource}"));
    }
    match others.keys().find(|key| *key != "Sid") {
        Some(other) => Err(format!("has a {other}")),
        None => Ok(()),
    }
}

/// A string, or the only string of a list: policies may use either form.
fn one(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Array(texts) if texts.len() == 1 => texts[0].as_str(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn policy_is_public_only_if_everybody_is_allowed_without_condition() {
        let arn = "arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p312-a:1";
        let public = json!({
            "Sid": "make_public", "Effect": "Allow", "Principal": "*",
            "Action": ACTION, "Resource": arn,
        });
        let with = |changes: Value| {
            let mut statement = public.clone();
            let fields = statement.as_object_mut().expect("an object");
            fields.extend(changes.as_object().expect("an object").clone());
            json!([statement])
        };
        for (statements, refusal) in [
            (with(json!({})), None),
            (with(json!({ "Principal": { "AWS": "*" }, "Action": [ACTION] })), None),
            (json!([]), Some("no statement")),
            // Somebody else had already made it public under another statement ID.
            (json!([with(json!({ "Sid": "by-hand" }))[0], public]), None),
            (json!([public, with(json!({ "Action": "lambda:*" }))[0]]), Some("lambda:*")),
            (with(json!({ "Principal": { "AWS": "123456789012" } })), Some("123456789012")),
            (with(json!({ "Principal": { "AWS": "*", "Service": "s3" } })), Some("s3")),
            (with(json!({ "Effect": "Deny" })), Some("Deny")),
            (with(json!({ "Action": "lambda:*" })), Some("lambda:*")),
            (with(json!({ "Resource": "*" })), Some("is for the resource \"*\"")),
            (with(json!({ "Condition": { "StringEquals": {} } })), Some("has a Condition")),
        ] {
            let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
            let found = check(&policy, &arn.parse().expect("an ARN")).err();
            match (found, refusal) {
                (None, None) => {}
                (Some(found), Some(refusal)) => assert!(found.contains(refusal), "{found}"),
                (found, refusal) => panic!("{policy}: {found:?}, not {refusal:?}"),
            }
        }
        assert!(check("{", &arn.parse().expect("an ARN")).is_err());
    }
}
