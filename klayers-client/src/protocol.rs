//! The API as values: turns a [`Route`] into an address and a [`Response`] into rows, without I/O.

use std::collections::BTreeSet;

use klayers_core::api::Route;
use klayers_core::secrets::hide_url;
use klayers_core::{AccountId, LayerVersionArn, PackageName, Region, Target};
use url::Url;

pub(crate) use self::row::Row;
use crate::Error;
use crate::response::Response;

mod row;

/// The address of an API, and the accounts whose layers it may name.
#[derive(Debug)]
pub(crate) struct Api {
    base: Url,
    accounts: Option<BTreeSet<AccountId>>,
}

impl Api {
    pub(crate) fn new(base: &str, accounts: Option<BTreeSet<AccountId>>) -> Result<Self, Error> {
        let refuse = |expected| Error::BaseUrl { text: hide_url(base), expected };
        let url: Url = base.parse().map_err(|_| {
            refuse("an http or https URL expected, as in https://api.klayers.cloud")
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("it must begin with https:// or http://"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it must have neither ? nor #"));
        }
        // Many configurations contain the address with the version of the API.
        let mut base = url;
        let path = base.path().trim_end_matches('/');
        let path = path.strip_suffix("/api/v2").unwrap_or(path).to_owned();
        base.set_path(&path);
        Ok(Self { base, accounts })
    }

    pub(crate) fn url(&self, route: &Route) -> Url {
        let mut url = self.base.clone();
        let path = format!("{}{route}", self.base.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    /// The cache key of an answer. All spellings of a package have the same key.
    #[cfg(feature = "disk-cache")]
    pub(crate) fn key(&self, route: &Route) -> String {
        let url = self.url(route).to_string();
        match route {
            Route::Versions { package, .. } | Route::Package { package } => {
                let parent = url.strip_suffix(package.spelling()).unwrap_or(&url);
                format!("{parent}{}", package.normalized())
            }
            _ => url,
        }
    }

    /// The rows of the answer to a route, sorted. Every row is checked to match the route.
    pub(crate) fn rows<R: Row>(&self, response: &Response, route: &Route) -> Result<Vec<R>, Error> {
        if response.status != 200 {
            return Err(R::unsupported(response).unwrap_or_else(|| response.status_error()));
        }
        let mut rows: Vec<R> = serde_json::from_slice(&response.body)
            .map_err(|source| response.body_error(&source))?;
        for row in &rows {
            row.check(self, route).map_err(|reason| response.refuse(reason))?;
        }
        R::sort(&mut rows);
        Ok(rows)
    }

    /// Checks that an ARN names a layer that was requested.
    fn check(
        &self,
        arn: &LayerVersionArn,
        package: &PackageName,
        region: &Region,
        target: Target,
    ) -> Result<(), String> {
        if arn.region() != region {
            return Err(format!("it has {arn}, but a layer in {region} was requested"));
        }
        if !arn.name().is_for(target, package) {
            return Err(format!(
                "it has {arn}, but a layer of {package} for {target} was requested"
            ));
        }
        match &self.accounts {
            Some(accounts) if !accounts.contains(arn.layer().account()) => {
                Err(format!("it has {arn}, whose account is not accepted"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use klayers_core::api::{Format, LatestRow, VersionRow};
    use proptest::prelude::*;
    use reqwest::header::{self, HeaderMap};

    use super::*;
    use crate::response::Times;

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

    fn answer(body: impl Into<Vec<u8>>) -> Response {
        let now = std::time::UNIX_EPOCH;
        Response {
            url: "https://layers.example/list".parse().expect("a URL"),
            status: 200,
            headers: HeaderMap::new(),
            body: body.into(),
            times: Times { sent: now, received: now },
        }
    }

    fn latest() -> Route {
        Route::Latest { target: target(), region: region(), format: Format::Json }
    }

    fn versions(base: &str, response: &Response) -> Result<Vec<VersionRow>, Error> {
        let (target, region, package) = (target(), region(), requests());
        api(base).rows(response, &Route::Versions { target, region, package })
    }

    fn version_row(arn: &str, rest: &str) -> String {
        format!(
            r#"{{"arn": "{arn}", "packageVersion": "2.32.5", "deployStatus": "latest",
                 "dependencies": []{rest}}}"#
        )
    }

    const ARN: &str = "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p38-requests:9";

    #[test]
    fn addresses_are_below_the_base_url() {
        let route = latest();
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
            (
                "https://api.klayers.cloud/api/v2",
                "https://api.klayers.cloud/api/v2/p3.8/layers/latest/us-east-1",
            ),
            (
                "https://tools.example/klayers/api/v2/",
                "https://tools.example/klayers/api/v2/p3.8/layers/latest/us-east-1",
            ),
        ] {
            assert_eq!(api(base).url(&route).as_str(), url);
        }
    }

    #[test]
    fn invalid_base_urls_are_rejected() {
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
    fn layer_names_of_both_schemes_are_accepted_and_sorted() {
        let body = format!(
            "[{},{}]",
            version_row(
                "arn:aws:lambda:us-east-1:113088814899:layer:Klayers-python38-requests:2",
                ""
            ),
            version_row(ARN, "")
        );
        let rows = versions("https://layers.example", &answer(body)).expect("rows");
        let versions: Vec<u64> = rows.iter().map(|row| row.arn.version()).collect();
        assert_eq!(versions, [9, 2]);
    }

    #[test]
    fn layers_that_were_not_requested_are_rejected() {
        for (row, why) in [
            (version_row(&ARN.replace("us-east-1", "us-east-2"), ""), "in us-east-1"),
            (version_row(&ARN.replace("requests", "numpy"), ""), "of requests for p3.8"),
            (version_row(&ARN.replace("p38", "p39"), ""), "of requests for p3.8"),
            (version_row(&ARN.replace("p38", "p38-arm64"), ""), "of requests for p3.8"),
            (version_row(ARN, r#", "region": "eu-west-1""#), "another region"),
            (version_row(ARN, r#", "layerVersion": 8"#), "another region or layer version"),
        ] {
            let good = version_row(ARN, r#", "region": "us-east-1", "layerVersion": 9"#);
            let error = versions("https://layers.example", &answer(format!("[{good},{row}]")))
                .expect_err(&row);
            assert!(error.to_string().contains(why), "{error}");
            assert!(error.to_string().contains("https://layers.example/list"), "{error}");
        }
    }

    #[test]
    fn layers_of_other_accounts_are_rejected_if_accounts_are_set() {
        let body = format!(r#"[{{"package": "Requests", "arn": "{ARN}", "packageVersion": "1"}}]"#);
        for (account, accepted) in [("770693421928", true), ("113088814899", false)] {
            let accounts = BTreeSet::from([account.parse().expect("an account")]);
            let api = Api::new("https://layers.example", Some(accounts)).expect("an API");
            let rows = api.rows::<LatestRow>(&answer(body.as_str()), &latest());
            assert_eq!(rows.is_ok(), accepted, "{rows:?}");
        }
    }

    #[test]
    fn malformed_bodies_are_rejected() {
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
            let error = versions("https://layers.example", &answer(body)).expect_err(body);
            assert!(error.to_string().contains("not the list of layers expected"), "{error}");
            assert!(error.source().is_some());
        }
    }

    #[test]
    fn problem_detail_is_shown_on_one_line() {
        let problem = |content_type: Option<&str>| {
            let fields = content_type
                .map(|value| (header::CONTENT_TYPE, value.parse().expect("a header's value")));
            Response {
                status: 404,
                headers: fields.into_iter().collect(),
                ..answer(
                    r#"{"title": "Not Found", "status": 404, "detail": "no\u001b[31m\nsuch path"}"#,
                )
            }
        };
        for (content_type, expected) in [
            (Some("application/problem+json"), Some("no [31m such path")),
            (Some("Application/Problem+JSON; charset=utf-8"), Some("no [31m such path")),
            (Some("application/json"), None),
            (None, None),
        ] {
            let error =
                versions("https://layers.example", &problem(content_type)).expect_err("404");
            let Error::Status { status, detail, .. } = error else { unreachable!("{error}") };
            assert_eq!((status, detail.as_deref()), (404, expected));
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_yield_no_rows_and_no_panic(
            body in r#"(\[|\{|\]|\}|"arn"|:|,|"[a-z:0-9-]{0,9}"|null|1){0,12}"#,
        ) {
            let rows = versions("https://layers.example", &answer(body));
            prop_assert!(rows.map_or(true, |rows| rows.is_empty()));
        }

        #[test]
        fn truncated_bodies_are_rejected(cut in 0usize..150) {
            let body = format!("[{}]", version_row(ARN, ""));
            prop_assume!(cut < body.len());
            let rows = versions("https://layers.example", &answer(&body[..cut]));
            prop_assert!(rows.is_err());
        }
    }
}
