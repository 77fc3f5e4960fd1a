//! The pages for people: the catalogue, and one page for every package.
//!
//! They are two HTML shells with scripts, written by hand and served unchanged. They read everything
//! they show from the API of the same origin. So they hold no data of a collection, and are the same
//! in every server and every export.

/// A file that the pages load.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Asset {
    /// The path: `/assets/klayers.css`.
    pub path: &'static str,
    /// The media type.
    pub content_type: &'static str,
    /// The content.
    pub body: &'static str,
}

/// All files below `/assets/`, sorted by path.
pub const ASSETS: &[Asset] = &[
    script("/assets/api.js", include_str!("page/api.js")),
    style("/assets/catalogue.css", include_str!("page/catalogue.css")),
    script("/assets/catalogue.js", include_str!("page/catalogue.js")),
    script("/assets/choice.js", include_str!("page/choice.js")),
    script("/assets/copy.js", include_str!("page/copy.js")),
    script("/assets/detail.js", include_str!("page/detail.js")),
    script("/assets/dom.js", include_str!("page/dom.js")),
    Asset {
        path: "/assets/icon.svg",
        content_type: "image/svg+xml",
        body: include_str!("page/icon.svg"),
    },
    style("/assets/klayers.css", include_str!("page/klayers.css")),
    script("/assets/names.js", include_str!("page/names.js")),
    style("/assets/package.css", include_str!("page/package.css")),
    script("/assets/package.js", include_str!("page/package.js")),
    script("/assets/releases.js", include_str!("page/releases.js")),
    script("/assets/snippets.js", include_str!("page/snippets.js")),
    script("/assets/strata.js", include_str!("page/strata.js")),
    script("/assets/templates.js", klayers_core::snippet::TEMPLATES_JS),
];

/// The catalogue, at `/`.
pub const CATALOGUE: &str = include_str!("page/catalogue.html");

/// The page of a package, at `/packages/{package}`. It is the same for all packages: its script reads
/// the name from the address.
pub const PACKAGE: &str = include_str!("page/package.html");

/// The policy of the two pages: they load and run only files of their own origin.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

const fn script(path: &'static str, body: &'static str) -> Asset {
    Asset { path, content_type: "text/javascript; charset=utf-8", body }
}

const fn style(path: &'static str, body: &'static str) -> Asset {
    Asset { path, content_type: "text/css; charset=utf-8", body }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// For each occurrence of `before`, the text between it and the next `"`.
    fn quoted<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
        text.split(before).skip(1).filter_map(|rest| rest.split('"').next())
    }

    fn bodies() -> impl Iterator<Item = &'static str> {
        [CATALOGUE, PACKAGE].into_iter().chain(ASSETS.iter().map(|asset| asset.body))
    }

    #[test]
    fn assets_are_exactly_the_referenced_files() {
        let mut referenced: BTreeSet<String> = bodies()
            .flat_map(|body| quoted(body, "from \"./"))
            .map(|name| format!("/assets/{name}"))
            .collect();
        for page in [CATALOGUE, PACKAGE] {
            let paths = ["href=\"/assets/", "src=\"/assets/"];
            let named = paths.into_iter().flat_map(|before| quoted(page, before));
            referenced.extend(named.map(|name| format!("/assets/{name}")));
        }
        let served: BTreeSet<String> = ASSETS.iter().map(|asset| asset.path.to_owned()).collect();
        assert_eq!(referenced, served);
        assert!(ASSETS.is_sorted_by_key(|asset| asset.path));
    }

    #[test]
    fn pages_preload_all_modules_they_import() {
        let body = |name: &str| {
            let path = format!("/assets/{name}");
            ASSETS.iter().find(|asset| asset.path == path).expect("a file").body
        };
        for page in [CATALOGUE, PACKAGE] {
            let preloaded: BTreeSet<&str> =
                quoted(page, "<link rel=\"modulepreload\" href=\"/assets/").collect();
            let mut needed = BTreeSet::new();
            let mut open: Vec<&str> = quoted(page, "type=\"module\" src=\"/assets/").collect();
            while let Some(name) = open.pop() {
                for import in quoted(body(name), "from \"./") {
                    if needed.insert(import) {
                        open.push(import);
                    }
                }
            }
            assert_eq!(preloaded, needed);
        }
    }

    #[test]
    fn pages_have_no_foreign_or_inline_code() {
        for body in bodies() {
            let own = body.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
            assert!(!own.contains("://"), "a page that loads from another origin");
            assert!(!own.contains("innerHTML"), "markup that is made of text");
        }
        for page in [CATALOGUE, PACKAGE] {
            let scripts = page.matches("<script").count();
            assert_eq!(scripts, page.matches("<script type=\"module\" src=").count());
            assert!(!page.contains("<style") && !page.contains(" style="));
            assert!(!page.contains(" onclick=") && !page.contains(" onload="));
        }
    }
}
