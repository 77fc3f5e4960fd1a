//! The API as values: a [`Route`] becomes an address, an [`Answer`] becomes rows. Whoever owns
//! the socket stands elsewhere.

use std::collections::BTreeSet;

use klayers_core::api::{LatestRow, Problem, Route, VersionRow};
use klayers_core::{AccountId, LayerVersionArn, PackageName, Region, Target};
use serde::de::DeserializeOwned;
use url::Url;

use crate::Error;
use crate::error::shown;

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The address that answered, behind all redirections.
    pub(crate) url: Url,
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// An API: where it is, and whose layers it may name.
#[derive(Debug)]
pub(crate) struct Api {
    base: Url,
    accounts: Option<BTreeSet<AccountId>>,
}

impl Api {
    pub(crate) fn new(base: &str, accounts: Option<BTreeSet<AccountId>>) -> Result<Self, Error> {
        let refuse = |expected| Error::BaseUrl { text: base.to_owned(), expected };
        let url: Url = base.parse().map_err(|_| {
            refuse("an http or https URL expected, as in https://api.klayers.cloud")
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("it must begin with https:// or http://"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it must have neither ? nor #"));
        }
        Ok(Self { base: url, accounts })
    }

    pub(crate) fn url(&self, route: &Route) -> Url {
        let mut url = self.base.clone();
        let path = format!("{}{route}", self.base.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    /// The rows of an answer to [`Route::Latest`], by package.
    pub(crate) fn latest(
        &self,
        answer: &Answer,
        region: &Region,
        target: Target,
    ) -> Result<Vec<LatestRow>, Error> {
        let mut rows: Vec<LatestRow> = answer.rows()?;
        for row in &rows {
            self.check(&row.arn, &row.package, region, target)
                .map_err(|reason| answer.refuse(reason))?;
        }
        rows.sort_by(|one, other| one.package.cmp(&other.package));
        Ok(rows)
    }

    /// The rows of an answer to [`Route::Versions`], the newest layer version first.
    pub(crate) fn versions(
        &self,
        answer: &Answer,
        package: &PackageName,
        region: &Region,
        target: Target,
    ) -> Result<Vec<VersionRow>, Error> {
        let mut rows: Vec<VersionRow> = answer.rows()?;
        for row in &rows {
            self.check(&row.arn, package, region, target)
                .and_then(|()| agrees_with_its_arn(row))
                .map_err(|reason| answer.refuse(reason))?;
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.arn.version()));
        Ok(rows)
    }

    /// That an ARN is of a layer that was asked for.
    fn check(
        &self,
        arn: &LayerVersionArn,
        package: &PackageName,
        region: &Region,
        target: Target,
    ) -> Result<(), String> {
        if arn.region() != region {
            return Err(format!("it has {arn} where a layer in {region} was asked for"));
        }
        if !arn.name().is_for(target, package) {
            return Err(format!(
                "it has {arn} where a layer of {package} for {target} was asked for"
            ));
        }
        match &self.accounts {
            Some(accounts) if !accounts.contains(arn.layer().account()) => {
                Err(format!("it has {arn}, of an account that is not accepted"))
            }
            _ => Ok(()),
        }
    }
}

/// The fields that repeat a part of the ARN, where a server sends them.
fn agrees_with_its_arn(row: &VersionRow) -> Result<(), String> {
    let region = row.region.as_ref().is_none_or(|region| region == row.arn.region());
    let version = row.layer_version.is_none_or(|version| version == row.arn.version());
    (region && version)
        .then_some(())
        .ok_or_else(|| format!("it has {} beside another region or layer version", row.arn))
}

impl Answer {
    /// A body that parses is taken whatever its media type: files on a plain web server have none.
    fn rows<Row: DeserializeOwned>(&self) -> Result<Vec<Row>, Error> {
        if self.status != 200 {
            return Err(Error::Status {
                url: shown(&self.url),
                status: self.status,
                detail: self.detail(),
            });
        }
        serde_json::from_slice(&self.body).map_err(|source| {
            let form = match &self.content_type {
                Some(content_type) => format!("content type {}", printable(content_type)),
                None => "no content type".to_owned(),
            };
            Error::Body {
                url: shown(&self.url),
                reason: format!("it is not the list of layers expected ({form})"),
                source: Some(printable(&source.to_string()).into()),
            }
        })
    }

    fn detail(&self) -> Option<String> {
        let content_type = self.content_type.as_deref()?;
        let media_type = content_type.split(';').next()?.trim();
        if !media_type.eq_ignore_ascii_case(Problem::CONTENT_TYPE) {
            return None;
        }
        let problem: Problem = serde_json::from_slice(&self.body).ok()?;
        Some(printable(&problem.detail.unwrap_or(problem.title)))
    }

    fn refuse(&self, reason: String) -> Error {
        Error::Body { url: shown(&self.url), reason, source: None }
    }
}

/// A text of a server's, made fit for a terminal: one line of a bearable length, without control
/// characters.
fn printable(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut shown: String = text
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(LONGEST)
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use klayers_core::api::Format;
    use proptest::prelude::*;

    use super::*;

    fn api(base: &str) -> Api {
        Api::new(base, None).expect("a base URL")
    }

    fn region() -> Region {
        "us-east-1".parse().expect("a region")
    }

    fn target() -> Target {
        "p3.8".parse().expect("a target")
    }

    fn requests() -> PackageName {
        "requests".parse().expect("a name")
    }

    fn answer(body: impl Into<Vec<u8>>) -> Answer {
        Answer {
            url: "https://layers.example/list".parse().expect("a URL"),
            status: 200,
            content_type: Some("application/json".to_owned()),
            body: body.into(),
        }
    }

    fn version_row(arn: &str, rest: &str) -> String {
        format!(
            r#"{{"arn": "{arn}", "packageVersion": "2.32.5", "deployStatus": "latest",
                 "dependencies": []{rest}}}"#
        )
    }

    const ARN: &str = "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p38-requests:9";

    #[test]
    fn addresses_lie_below_the_base() {
        let route = Route::Latest { target: target(), region: region(), format: Format::Json };
        for (base, url) in [
            (
                "https://api.klayers.cloud",
                "https://api.klayers.cloud/api/v2/p3.8/layers/latest/us-east-1",
            ),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/api/v2/p3.8/layers/latest/us-east-1"),
            (
                "https://tools.example/klayers//",
                "https://tools.example/klayers/api/v2/p3.8/layers/latest/us-east-1",
            ),
        ] {
            assert_eq!(api(base).url(&route).as_str(), url);
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for text in [
            "",
            "api.klayers.cloud",
            "127.0.0.1:8080",
            "localhost:8080",
            "ftp://api.klayers.cloud",
            "https://",
            "https://api.klayers.cloud/?a=b",
            "https://api.klayers.cloud/#a",
        ] {
            let error = Api::new(text, None).expect_err(text);
            assert!(matches!(error, Error::BaseUrl { .. }), "{text}: {error}");
        }
    }

    #[test]
    fn old_and_new_naming_are_taken_in_any_order() {
        let body = format!(
            "[{},{}]",
            version_row(
                "arn:aws:lambda:us-east-1:113088814899:layer:Klayers-python38-requests:2",
                ""
            ),
            version_row(ARN, "")
        );
        let rows = api("https://layers.example")
            .versions(&answer(body), &requests(), &region(), target())
            .expect("rows");
        let versions: Vec<u64> = rows.iter().map(|row| row.arn.version()).collect();
        assert_eq!(versions, [9, 2]);
    }

    #[test]
    fn layers_that_were_not_asked_for_are_refused() {
        for (row, why) in [
            (version_row(&ARN.replace("us-east-1", "us-east-2"), ""), "in us-east-1"),
            (version_row(&ARN.replace("requests", "numpy"), ""), "of requests for p3.8"),
            (version_row(&ARN.replace("p38", "p39"), ""), "of requests for p3.8"),
            (version_row(&ARN.replace("p38", "p38-arm64"), ""), "of requests for p3.8"),
            (version_row(ARN, r#", "region": "eu-west-1""#), "another region"),
            (version_row(ARN, r#", "layerVersion": 8"#), "another region or layer version"),
        ] {
            let good = version_row(ARN, r#", "region": "us-east-1", "layerVersion": 9"#);
            let error = api("https://layers.example")
                .versions(&answer(format!("[{good},{row}]")), &requests(), &region(), target())
                .expect_err(&row);
            assert!(error.to_string().contains(why), "{error}");
            assert!(error.to_string().contains("https://layers.example/list"), "{error}");
        }
    }

    #[test]
    fn layers_of_other_accounts_are_refused_where_the_accounts_are_set() {
        let body = format!(r#"[{{"package": "Requests", "arn": "{ARN}", "packageVersion": "1"}}]"#);
        for (account, accepted) in [("770693421928", true), ("113088814899", false)] {
            let accounts = BTreeSet::from([account.parse().expect("an account")]);
            let api = Api::new("https://layers.example", Some(accounts)).expect("an API");
            let rows = api.latest(&answer(body.as_str()), &region(), target());
            assert_eq!(rows.is_ok(), accepted, "{rows:?}");
        }
    }

    #[test]
    fn bodies_of_another_form_are_refused() {
        for body in [
            "",
            "<!doctype html><title>Log in</title>",
            "[",
            "{}",
            "null",
            r#"["requests"]"#,
            r#"[{"arn": "x"}]"#,
            &format!("[{}", version_row(ARN, "")),
            &format!("[{}]", version_row(ARN, "").replace("latest", "newest")),
            &format!("[{}]", version_row("arn:aws:s3:::a", "")),
            &format!("[{}]x", version_row(ARN, "")),
        ] {
            let error = api("https://layers.example")
                .versions(&answer(body), &requests(), &region(), target())
                .expect_err(body);
            assert!(error.to_string().contains("not the list of layers expected"), "{error}");
            assert!(error.source().is_some());
        }
    }

    #[test]
    fn a_problem_is_told_in_one_plain_line() {
        let problem = |content_type: Option<&str>| Answer {
            status: 404,
            content_type: content_type.map(str::to_owned),
            ..answer(
                r#"{"title": "Not Found", "status": 404, "detail": "no\u001b[31m\nsuch path"}"#,
            )
        };
        for (content_type, expected) in [
            (Some("application/problem+json"), Some("no [31m such path")),
            (Some("Application/Problem+JSON; charset=utf-8"), Some("no [31m such path")),
            (Some("application/json"), None),
            (None, None),
        ] {
            let error = problem(content_type).rows::<VersionRow>().expect_err("404");
            let Error::Status { status, detail, .. } = error else { unreachable!("{error}") };
            assert_eq!((status, detail.as_deref()), (404, expected));
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic_or_give_a_wrong_layer(
            body in r#"(\[|\{|\]|\}|"arn"|:|,|"[a-z:0-9-]{0,9}"|null|1){0,12}"#,
        ) {
            let rows = api("https://layers.example")
                .versions(&answer(body), &requests(), &region(), target());
            prop_assert!(rows.map_or(true, |rows| rows.is_empty()));
        }

        #[test]
        fn every_part_of_a_good_body_is_refused(cut in 0usize..150) {
            let body = format!("[{}]", version_row(ARN, ""));
            prop_assume!(cut < body.len());
            let rows = api("https://layers.example")
                .versions(&answer(&body[..cut]), &requests(), &region(), target());
            prop_assert!(rows.is_err());
        }
    }
}
