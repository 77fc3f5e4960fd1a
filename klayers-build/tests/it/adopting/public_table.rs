//! Items as the public collection's own pipeline writes them, and what its API answers for them.

use aws_sdk_dynamodb::types::AttributeValue;
use klayers_core::Digest;

use super::table::{Item, Public};
use super::*;

const TABLE: &str = include_str!("../../fixtures/public_table.json");
const ANSWERS: &str = include_str!("../../fixtures/public_answers.json");

fn items() -> Vec<Value> {
    serde_json::from_str(TABLE).unwrap()
}

fn stored(item: &Value) -> Item {
    let attribute = |value: &Value| match value {
        Value::String(text) => AttributeValue::S(text.clone()),
        number => AttributeValue::N(number.to_string()),
    };
    let attributes = item.as_object().unwrap();
    attributes.iter().map(|(name, value)| (name.clone(), attribute(value))).collect()
}

/// A home into which the table was adopted; none where moto was not started.
fn adopted() -> Option<Home> {
    let public = Public::new()?;
    public.make();
    public.put(items().iter().map(stored));
    let home = home();
    let done = public.adopt(&home, &[]).ended_with(0);
    assert_eq!(
        done.stdout,
        "latest     5\ndeprecated 17\ndeleted    6\nbuilds     4\n\
         recorded: 28 new, 0 changed, 4 latest builds\n"
    );
    assert_eq!(done.stderr, "5 layers: 28 layer versions adopted, 0 unchanged, 0 left out\n");
    Some(home)
}

/// The number of a row's layer version.
fn number(row: &Value) -> u64 {
    row["arn"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap()
}

#[test]
fn answers_are_those_of_the_public_handlers() {
    let Some(home) = adopted() else { return };
    let catalog = SqliteCatalog::open_read_only(home.path("klayers.db")).unwrap();
    let site = Site::new(Arc::new(catalog), 1 << 30);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answers: BTreeMap<String, Value> = serde_json::from_str(ANSWERS).unwrap();
    assert_eq!(answers.len(), 4);
    for (path, expected) in answers {
        let answer = runtime.block_on(site.answer(&Request::get(&path).body(()).unwrap()));
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/json", "{path}");
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX);
        let mut served: Vec<Value> =
            serde_json::from_slice(&runtime.block_on(body).unwrap()).unwrap();
        let mut theirs: Vec<Value> =
            serde_json::from_str(expected["body"].as_str().unwrap()).unwrap();
        // All fields that they have; ours has more beside them.
        for (row, theirs) in served.iter_mut().zip(&theirs) {
            let fields = theirs.as_object().unwrap();
            let known = ["expiryDate"];
            row.as_object_mut()
                .unwrap()
                .retain(|field, _| fields.contains_key(field) || known.contains(&field.as_str()));
        }
        assert!(served.is_sorted_by_key(number), "{path}");
        assert_eq!(served.last().unwrap()["deployStatus"], "latest", "{path}");
        // They sort by text, so that version 10 comes before version 4.
        theirs.sort_by_key(number);
        assert_eq!(served, theirs, "{path}");
    }
}

#[test]
fn hashes_are_those_that_aws_holds_in_descriptions() {
    let Some(home) = adopted() else { return };
    let items = items();
    let recorded = recorded(&home);
    assert_eq!(recorded.len(), 28);
    for version in recorded {
        let arn = version.arn.to_string();
        let item = items.iter().find(|item| item["arn"] == *arn).unwrap();
        let hash: Digest = item["rqrmntsHsh"].as_str().unwrap().parse().unwrap();
        assert_eq!(version.build.requirements_hash, hash, "{arn}");
    }
}
