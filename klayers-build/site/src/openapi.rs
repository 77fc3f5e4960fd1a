//! The [OpenAPI 3.1](https://spec.openapis.org/oas/v3.1.1.html) description of the API.

use klayers_core::api::{
    BuildRow, LatestRow, PackageRow, Problem, RegionRow, Releases, TargetRow, VersionRow,
};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The description, as JSON.
pub(super) fn description() -> String {
    // OpenAPI 3.1 uses this dialect of JSON Schema, but keeps schemas in another place.
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
    });
    let mut schemas = settings.into_generator();
    let paths = paths(&mut schemas);
    let problem = schemas.subschema_for::<Problem>();
    let responses = Map::from_iter(
        [
            ("NotFound", "The path is unknown, or a part of it is malformed."),
            ("NotAllowed", "The method is not GET or HEAD."),
            ("TooLong", "The path is longer than every valid path."),
            ("NotAcceptable", "None of the encodings that the request accepts is available."),
            ("Unavailable", "The server could not read the catalog; ask again later."),
        ]
        .map(|(name, description)| {
            let response = json!({
                "description": description,
                "content": { Problem::CONTENT_TYPE: { "schema": problem } },
            });
            (name.to_owned(), response)
        }),
    );
    let description = json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Klayers",
            "summary": "Python packages as AWS Lambda layers: which layer holds a package.",
            "description": "Lists are sorted by package. The versions of a layer come from the oldest \
                to the newest by number, with the latest last. Package names may be spelled in any \
                way that has the same normalised name. Doubled slashes count as one, and a trailing \
                slash is ignored. A well-formed path without layers gives an empty list. Times are \
                in UTC. Later releases may add fields.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "parameters": parameters(),
            "responses": responses,
        },
    });
    format!("{description:#}")
}

/// The patterns match exactly what the server accepts.
const TARGET: &str = r"^p3\.([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])(-arm64)?$";
const REGION: &str = "^[a-z]{2,}(-[a-z]{2,})+-[0-9]+$";
const LONGEST_REGION: usize = 32;
const PACKAGE: &str = "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$";

fn parameters() -> Value {
    let parameter = |name: &str, description: &str, schema: Value, example: &str| {
        json!({
            "name": name, "in": "path", "required": true, "description": description,
            "schema": schema, "example": example,
        })
    };
    json!({
        "target": parameter(
            "target", "A Python version, and an architecture unless it is x86_64.",
            json!({ "type": "string", "pattern": TARGET }), "p3.13-arm64",
        ),
        "region": parameter(
            "region", "The code of an AWS region.",
            json!({ "type": "string", "pattern": REGION, "maxLength": LONGEST_REGION }),
            "eu-west-1",
        ),
        "package": parameter(
            "package", "The name of a Python package.",
            json!({ "type": "string", "pattern": PACKAGE }), "requests",
        ),
    })
}

fn paths(schemas: &mut SchemaGenerator) -> Value {
    let latest = "The latest version of every layer of a target in a region";
    let list =
        |path: &str, summary: &str, content: Value| (path.to_owned(), get(path, summary, &content));
    let csv = json!({ "text/csv": { "schema": { "type": "string" } } });
    let html = json!({ "text/html": { "schema": { "type": "string" } } });
    let [of_region, of_package] =
        ["/api/v2/{target}/layers/latest/{region}", "/api/v2/{target}/layers/{region}/{package}"];
    let paths = [
        list(of_region, latest, rows::<LatestRow>(schemas)),
        list(&format!("{of_region}/json"), latest, rows::<LatestRow>(schemas)),
        list(&format!("{of_region}/csv"), "The same as CSV (RFC 4180), with a header", csv),
        list(&format!("{of_region}/html"), "The same as a page", html),
        list(
            &format!("{of_region}/{{package}}"),
            "The same list with a single package: one row or none",
            rows::<LatestRow>(schemas),
        ),
        list(
            of_package,
            "All existing versions of a layer in a region, the oldest first and the latest last",
            rows::<VersionRow>(schemas),
        ),
        list(
            "/api/v2/{target}/renovate/{region}/{package}",
            "The same for Renovate; its `version` is the version number of the layer",
            object::<Releases>(schemas),
        ),
        list(
            "/api/v2/{target}/builds/latest",
            "The latest build of every package",
            rows::<BuildRow>(schemas),
        ),
        list("/api/v2/targets", "All targets with layers", rows::<TargetRow>(schemas)),
        list("/api/v2/regions", "All regions with layers", rows::<RegionRow>(schemas)),
        list(
            "/api/v2/packages/{package}",
            "All versions of a package in all targets and regions",
            rows::<PackageRow>(schemas),
        ),
    ];
    Value::Object(Map::from_iter(paths))
}

fn rows<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Value {
    let row = schemas.subschema_for::<T>();
    json!({ "application/json": { "schema": { "type": "array", "items": row } } })
}

fn object<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Value {
    json!({ "application/json": { "schema": schemas.subschema_for::<T>() } })
}

fn get(path: &str, summary: &str, content: &Value) -> Value {
    let parts = path.split(['{', '}']).skip(1).step_by(2);
    let parameters: Vec<Value> =
        parts.map(|name| json!({ "$ref": format!("#/components/parameters/{name}") })).collect();
    let operation = |name: &str, ok: Value| {
        json!({
            "summary": summary,
            "operationId": operation_id(name, path),
            "parameters": parameters,
            "responses": {
                "200": ok,
                "304": { "description": "The document has not changed." },
                "404": { "$ref": "#/components/responses/NotFound" },
                "405": { "$ref": "#/components/responses/NotAllowed" },
                "406": { "$ref": "#/components/responses/NotAcceptable" },
                "414": { "$ref": "#/components/responses/TooLong" },
                "503": { "$ref": "#/components/responses/Unavailable" },
            },
        })
    };
    json!({ "get": operation("get", json!({ "description": summary, "content": content })) })
}

fn operation_id(method: &str, path: &str) -> String {
    let words = path.trim_start_matches("/api/v2/").split(['/', '{', '}', '-']);
    let mut id = method.to_owned();
    for word in words.filter(|word| !word.is_empty()) {
        let (first, rest) = word.split_at(1);
        id.push_str(&first.to_uppercase());
        id.push_str(rest);
    }
    id
}

#[cfg(test)]
mod tests {
    use klayers_core::{PackageName, Region, Target};
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    fn takes(pattern: &str, text: &str) -> bool {
        Regex::new(pattern).unwrap().is_match(text)
    }

    #[test]
    fn region_pattern_matches_every_aws_region() {
        for region in Region::known() {
            assert!(takes(REGION, region.as_str()), "{region}");
        }
        assert!(takes(REGION, "eusc-de-east-1"));
    }

    proptest! {
        #[test]
        fn patterns_match_exactly_what_the_server_accepts(
            target in "p[23]\\.[0-9]{0,4}(-arm64|-x86)?",
            region in "[a-z]{0,5}(-[a-zA-Z]{0,10}){0,3}-[0-9a]{0,3}",
            package in "[A-Za-z0-9._ -]{0,12}",
        ) {
            prop_assert_eq!(takes(TARGET, &target), target.parse::<Target>().is_ok(), "{}", target);
            let fits = takes(REGION, &region) && region.len() <= LONGEST_REGION;
            prop_assert_eq!(fits, region.parse::<Region>().is_ok(), "{}", region);
            prop_assert_eq!(
                takes(PACKAGE, &package), package.parse::<PackageName>().is_ok(), "{}", package
            );
        }
    }
}
