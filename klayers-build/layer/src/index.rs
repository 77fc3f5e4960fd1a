//! Reads package indexes directly, without uv: to find a file by its name, and to see whether an
//! index states checksums.
//!
//! An index has a page for each project, in HTML ([PEP 503]) or JSON ([PEP 691]). Pages for
//! `find_links` have the same format.
//!
//! [PEP 503]: https://peps.python.org/pep-0503/
//! [PEP 691]: https://peps.python.org/pep-0691/

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use klayers_core::PackageName;
use reqwest::Client;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde::Deserialize;
use tokio::sync::OnceCell;
use url::Url;

use crate::sources::Sources;

/// Accepted formats, preferred first.
const ACCEPTED: &str = "application/vnd.pypi.simple.v1+json, \
                        application/vnd.pypi.simple.v1+html;q=0.5, text/html;q=0.1";
/// Deadline for one page.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Largest page that is read, in bytes. The page of the largest project of the public index has a
/// tenth of it.
const LARGEST: usize = 128 << 20;

/// Reads the pages of an index, and those of `find_links`.
#[derive(Clone, Debug, Default)]
pub(crate) struct IndexReader {
    index: Option<Url>,
    pages: Vec<Url>,
    client: Arc<OnceCell<Client>>,
}

/// A file listed on a page.
#[derive(Clone, Debug, Eq, PartialEq)]
struct ListedFile {
    /// The file name: the last part of the URL's path.
    name: String,
    url: Url,
    has_sha256: bool,
}

impl IndexReader {
    /// Creates a reader of the index and the pages among these sources.
    pub(crate) fn new(sources: &Sources) -> Self {
        let is_http = |url: &Url| matches!(url.scheme(), "http" | "https");
        let index = sources.index_url.clone().filter(|url| is_http(url) && !sources.no_index);
        let pages = sources.find_links.iter().filter_map(|links| Url::parse(links).ok());
        Self { index, pages: pages.filter(is_http).collect(), client: Arc::default() }
    }

    /// Returns the user name and password for a URL: those of the index or page on the same server.
    pub(crate) fn login(&self, url: &Url) -> Option<(String, Option<String>)> {
        let has_login = |place: &&Url| !place.username().is_empty() || place.password().is_some();
        let mut places = self.index.iter().chain(&self.pages).filter(has_login);
        let place = places.find(|place| place.origin() == url.origin())?;
        let decoded = |text: &str| decoded(text).into_owned();
        Some((decoded(place.username()), place.password().map(decoded)))
    }

    /// Returns the current URL of a file. None if no page lists it, or if no page can be read.
    pub(crate) async fn find(&self, package: &PackageName, file: &str) -> Option<Url> {
        for page in self.pages_of(package) {
            let listed = self.read(&page).await.unwrap_or_default();
            if let Some(found) = listed.into_iter().find(|listed| listed.name == file) {
                return Some(found.url);
            }
        }
        None
    }

    /// Returns the index and the pages that list wheels of a package without SHA-256, as URLs that
    /// are safe to show.
    pub(crate) async fn without_hashes(&self, package: &PackageName) -> Vec<String> {
        let mut places = Vec::new();
        let index = self.index.iter().filter_map(|index| Some((index, project(index, package)?)));
        let pages = self.pages.iter().map(|page| (page, page.clone()));
        for (place, page) in index.chain(pages) {
            let listed = self.read(&page).await.unwrap_or_default();
            let is_wheel = |listed: &&ListedFile| listed.name.as_bytes().ends_with(b".whl");
            if listed.iter().filter(is_wheel).any(|listed| !listed.has_sha256) {
                places.push(crate::secrets::public(place).to_string());
            }
        }
        places
    }

    fn pages_of(&self, package: &PackageName) -> Vec<Url> {
        let project = self.index.as_ref().and_then(|index| project(index, package));
        project.into_iter().chain(self.pages.iter().cloned()).collect()
    }

    /// Returns the files listed on a page. None if it cannot be read: if that matters, a caller
    /// reports it.
    async fn read(&self, page: &Url) -> Option<Vec<ListedFile>> {
        let client = self.client.get_or_try_init(async || {
            Client::builder()
                .user_agent(concat!("klayers-pipeline/", env!("CARGO_PKG_VERSION")))
                .timeout(TIMEOUT)
                .build()
        });
        let mut request = client.await.ok()?.get(page.clone()).header(ACCEPT, ACCEPTED);
        if let Some((user, password)) = self.login(page) {
            request = request.basic_auth(user, password);
        }
        let mut response = request.send().await.ok()?.error_for_status().ok()?;
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_json = kind.is_some_and(|kind| kind.contains("json"));
        let base = response.url().clone();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.ok()? {
            if body.len() + chunk.len() > LARGEST {
                return None;
            }
            body.extend_from_slice(&chunk);
        }
        if is_json {
            in_json(&body, &base)
        } else {
            Some(in_html(&String::from_utf8_lossy(&body), &base))
        }
    }
}

/// Returns the URL of a project's page.
fn project(index: &Url, package: &PackageName) -> Option<Url> {
    let mut url = index.clone();
    url.path_segments_mut().ok()?.pop_if_empty().push(package.normalized()).push("");
    Some(url)
}

/// Decodes percent-encoding in a user name, a password or a file name.
fn decoded(text: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy()
}

fn listed(url: Url, has_sha256: bool) -> ListedFile {
    let last = url.path().rsplit('/').next().unwrap_or_default();
    ListedFile { name: decoded(last).into_owned(), url, has_sha256 }
}

fn in_json(body: &[u8], base: &Url) -> Option<Vec<ListedFile>> {
    #[derive(Deserialize)]
    struct Page {
        files: Vec<File>,
    }
    #[derive(Deserialize)]
    struct File {
        url: String,
        #[serde(default)]
        hashes: std::collections::BTreeMap<String, String>,
    }
    let page: Page = serde_json::from_slice(body).ok()?;
    let files = page.files.into_iter().filter_map(|file| {
        Some(listed(base.join(&file.url).ok()?, file.hashes.contains_key("sha256")))
    });
    Some(files.collect())
}

/// Returns the targets of the links on a page.
fn in_html(page: &str, base: &Url) -> Vec<ListedFile> {
    let mut found = Vec::new();
    for tag in page.split('<').skip(1) {
        let is_link = tag.get(..2).is_some_and(|start| {
            start.as_bytes()[0].eq_ignore_ascii_case(&b'a')
                && start.as_bytes()[1].is_ascii_whitespace()
        });
        let Some(target) = is_link.then(|| attribute(tag, "href")).flatten() else { continue };
        let Ok(url) = base.join(&unescaped(target)) else { continue };
        let has_sha256 = url.fragment().is_some_and(|fragment| fragment.starts_with("sha256="));
        found.push(listed(url, has_sha256));
    }
    found
}

/// Returns the value of an attribute of a tag.
fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    let mut rest = tag;
    loop {
        let (before, behind) = rest.split_once('=')?;
        let behind = behind.trim_start();
        let (value, more) = match behind.chars().next()? {
            quote @ ('"' | '\'') => behind[1..].split_once(quote)?,
            _ => behind.split_at(behind.find(|c: char| c.is_whitespace() || c == '>')?),
        };
        let found = before.split_whitespace().next_back().unwrap_or_default();
        if found.eq_ignore_ascii_case(name) {
            return Some(value.trim());
        }
        rest = more;
    }
}

/// Decodes the HTML entities that occur in URLs.
fn unescaped(text: &str) -> String {
    let text = text.replace("&#43;", "+").replace("&#x2B;", "+");
    text.replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Url {
        "https://index.example/simple/alpha/".parse().expect("a URL")
    }

    #[test]
    fn links_on_an_html_page_are_read() {
        let page = "<!DOCTYPE html><html><body><abbr href='no'>\n\
            <a data-x=\"1\" href=\"../../f/alpha-1.0%2Bcpu-py3-none-any.whl#sha256=abc\">x</a>\n\
            <A HREF='https://f.example/alpha-2.0-py3-none-any.whl?a=1&amp;b=2'>x</A>\n\
            <a>no target</a><a rel=x href=../b.whl>x</a>";
        let found = in_html(page, &base());
        let shown: Vec<(&str, &str, bool)> = found
            .iter()
            .map(|listed| (listed.name.as_str(), listed.url.as_str(), listed.has_sha256))
            .collect();
        let first = "https://index.example/f/alpha-1.0%2Bcpu-py3-none-any.whl#sha256=abc";
        let second = "https://f.example/alpha-2.0-py3-none-any.whl?a=1&b=2";
        assert_eq!(
            shown,
            [
                ("alpha-1.0+cpu-py3-none-any.whl", first, true),
                ("alpha-2.0-py3-none-any.whl", second, false),
                ("b.whl", "https://index.example/simple/b.whl", false),
            ]
        );
    }

    #[test]
    fn files_on_a_json_page_are_read() {
        let page = r#"{"meta": {"api-version": "1.0"}, "name": "alpha", "files": [
            {"filename": "a.whl", "url": "/f/a.whl", "hashes": {"sha256": "abc"}},
            {"filename": "b.whl", "url": "https://f.example/b.whl", "hashes": {}}]}"#;
        let found = in_json(page.as_bytes(), &base()).expect("a page");
        let shown: Vec<(&str, bool)> =
            found.iter().map(|listed| (listed.url.as_str(), listed.has_sha256)).collect();
        let expected =
            [("https://index.example/f/a.whl", true), ("https://f.example/b.whl", false)];
        assert_eq!(shown, expected);
        assert_eq!(in_json(b"[]", &base()), None);
    }

    #[test]
    fn project_page_keeps_the_query_of_the_index_url() {
        let package = "Foo.Bar".parse().expect("a name");
        for (index, expected) in [
            ("https://h/simple", "https://h/simple/foo-bar/"),
            ("https://h/simple/?key=1", "https://h/simple/foo-bar/?key=1"),
            ("https://h", "https://h/foo-bar/"),
        ] {
            let index = index.parse().expect("a URL");
            assert_eq!(project(&index, &package).expect("a URL").as_str(), expected);
        }
    }
}
