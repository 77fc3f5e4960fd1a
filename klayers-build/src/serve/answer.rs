//! What is answered to a request: values in, values out.

use klayers_core::api::{
    BuildRow, Format, LatestRow, PackageRow, Problem, RegionRow, Route, RouteError, TargetRow,
    VersionRow, latest_csv, latest_html,
};
use serde::Serialize;

use crate::catalog::{Catalog, CatalogError, Include, Query};

/// The answer to a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The HTTP status code.
    pub status: u16,
    /// The header fields, in the order in which they are sent.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty where the method asks for none.
    pub body: String,
}

impl Answer {
    /// The value of a header field, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find_map(|(field, value)| (*field == name).then_some(value.as_str()))
    }
}

/// Answers a request for a path, as it stands in the request: encoded, without the query.
///
/// A path that is well-formed is answered with what the catalog has, which may be an empty list.
/// One that is not is not found, whatever the method; all else than GET, HEAD and OPTIONS is not
/// allowed. Every answer may be read by pages of any origin.
pub async fn answer(method: &str, path: &str, catalog: &dyn Catalog) -> Answer {
    let answer = match path.parse::<Route>() {
        Err(error @ RouteError::TooLong) => problem(414, error.to_string()),
        // Asked before a request proper, which then is told what is wrong with it.
        _ if method == "OPTIONS" => return preflight(),
        Err(error) => problem(404, error.to_string()),
        Ok(route) if method == "GET" || method == "HEAD" => match found(&route, catalog).await {
            Ok(answer) => answer,
            Err(error) => failed(path, &error),
        },
        Ok(_) => {
            let mut answer = problem(405, format!("the methods here are {METHODS}"));
            answer.headers.push(("allow", METHODS.to_owned()));
            answer
        }
    };
    complete(answer, method)
}

const METHODS: &str = "GET, HEAD, OPTIONS";

/// How long an answer may be used without asking again: builds come once a month, and a new layer
/// should be seen soon after.
const FRESH: &str = "public, max-age=300";

async fn found(route: &Route, catalog: &dyn Catalog) -> Result<Answer, CatalogError> {
    Ok(match route {
        Route::Latest { target, region, format } => {
            let query =
                Query { target: Some(*target), region: Some(region.clone()), ..Query::default() };
            let versions = catalog.layer_versions(&query).await?;
            let rows: Vec<LatestRow> = versions.iter().map(LatestRow::from).collect();
            match format {
                Format::Json => json(&rows),
                Format::Csv => {
                    let mut answer = fresh(format.content_type(), latest_csv(&rows));
                    let name = format!("attachment; filename=\"klayers-{region}-{target}.csv\"");
                    answer.headers.push(("content-disposition", name));
                    answer
                }
                Format::Html => {
                    let page = latest_html(*target, region, &rows);
                    let mut answer = fresh(format.content_type(), page);
                    let policy = CONTENT_SECURITY_POLICY.to_owned();
                    answer.headers.push(("content-security-policy", policy));
                    answer
                }
            }
        }
        Route::Versions { target, region, package } => {
            let query = Query {
                target: Some(*target),
                region: Some(region.clone()),
                package: Some(package.clone()),
                include: Include::Existing,
            };
            let versions = catalog.layer_versions(&query).await?;
            let rows: Vec<VersionRow> = versions.iter().filter_map(VersionRow::new).collect();
            json(&rows)
        }
        Route::LatestBuilds { target } => {
            let builds = catalog.latest_builds(Some(*target)).await?;
            let rows: Vec<BuildRow> = builds.iter().map(BuildRow::from).collect();
            json(&rows)
        }
        Route::Targets => {
            let targets = catalog.targets().await?;
            let rows: Vec<TargetRow> = targets.into_iter().map(TargetRow::from).collect();
            json(&rows)
        }
        Route::Regions => {
            let regions = catalog.regions().await?;
            let rows: Vec<RegionRow> = regions.iter().map(RegionRow::from).collect();
            json(&rows)
        }
        Route::Package { package } => {
            let query = Query {
                package: Some(package.clone()),
                include: Include::Existing,
                ..Query::default()
            };
            let versions = catalog.layer_versions(&query).await?;
            let rows: Vec<PackageRow> = versions.iter().filter_map(PackageRow::new).collect();
            json(&rows)
        }
        // A path that the core knows before this server does.
        _ => problem(404, RouteError::Unknown.to_string()),
    })
}

/// The pages need nothing from anywhere.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn json<T: Serialize>(rows: &[T]) -> Answer {
    match serde_json::to_string(rows) {
        Ok(body) => fresh(Format::Json.content_type(), body),
        Err(error) => {
            tracing::error!(%error, "rows cannot be written as JSON");
            problem(500, INTERNAL)
        }
    }
}

fn fresh(content_type: &str, body: String) -> Answer {
    Answer {
        status: 200,
        headers: vec![
            ("content-type", content_type.to_owned()),
            ("cache-control", FRESH.to_owned()),
        ],
        body,
    }
}

fn problem(status: u16, detail: impl Into<String>) -> Answer {
    let title = match status {
        404 => "Not Found",
        405 => "Method Not Allowed",
        414 => "URI Too Long",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    };
    let body = serde_json::to_string(&Problem::new(status, title, detail));
    Answer {
        status,
        headers: vec![
            ("content-type", Problem::CONTENT_TYPE.to_owned()),
            ("cache-control", "no-store".to_owned()),
        ],
        body: body.unwrap_or_default(),
    }
}

const INTERNAL: &str = "the server failed; its operator finds the reason in its log";

/// Says no more than whether asking again may help; the reason is for the operator.
fn failed(path: &str, error: &CatalogError) -> Answer {
    tracing::error!(
        error = error as &dyn std::error::Error,
        path,
        "a request could not be answered"
    );
    match error {
        CatalogError::Storage(_) | CatalogError::Open { .. } => {
            let mut answer = problem(503, "the catalog cannot be read now; ask again later");
            answer.headers.push(("retry-after", "10".to_owned()));
            answer
        }
        _ => problem(500, INTERNAL),
    }
}

/// Allows a page of any origin to ask.
fn preflight() -> Answer {
    let headers = [
        ("allow", METHODS),
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", METHODS),
        ("access-control-allow-headers", "*"),
        ("access-control-max-age", "86400"),
        ("cache-control", "no-store"),
    ];
    Answer {
        status: 204,
        headers: headers.map(|(name, value)| (name, value.to_owned())).into(),
        body: String::new(),
    }
}

/// Adds what all answers have. To HEAD the same is said as to GET, and the body left out.
fn complete(mut answer: Answer, method: &str) -> Answer {
    answer.headers.extend([
        ("content-length", answer.body.len().to_string()),
        ("access-control-allow-origin", "*".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
    ]);
    if method == "HEAD" {
        answer.body.clear();
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::SqliteCatalog;

    #[tokio::test]
    async fn methods_and_paths_decide_the_status() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = SqliteCatalog::open(folder.path().join("klayers.db")).unwrap();
        let long = format!("/api/v2/packages/{}", "a".repeat(8192));
        for (method, path, status) in [
            ("GET", "/api/v2/targets", 200),
            ("HEAD", "/api/v2/targets", 200),
            ("OPTIONS", "/api/v2/targets", 204),
            ("OPTIONS", "*", 204),
            ("OPTIONS", "/nowhere", 204),
            ("POST", "/api/v2/targets", 405),
            ("get", "/api/v2/targets", 405),
            ("BREW", "/api/v2/targets", 405),
            ("POST", "/nowhere", 404),
            ("GET", "/nowhere", 404),
            ("GET", "", 404),
            ("CONNECT", "", 404),
            ("GET", &long, 414),
            ("OPTIONS", &long, 414),
        ] {
            let answer = answer(method, path, &catalog).await;
            assert_eq!(answer.status, status, "{method} {path}");
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
            let problem = answer.header("content-type") == Some(Problem::CONTENT_TYPE);
            assert_eq!(problem, status >= 400, "{method} {path}");
        }
    }
}
