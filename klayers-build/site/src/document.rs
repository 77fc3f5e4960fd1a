use bytes::Bytes;

/// A body with its metadata.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document {
    /// The media type.
    pub content_type: &'static str,
    /// The file name for a browser that should save the document instead of showing it.
    pub file_name: Option<String>,
    /// The [Content Security Policy][csp] of a page.
    ///
    /// [csp]: https://www.w3.org/TR/CSP3/
    pub policy: Option<&'static str>,
    /// The body.
    pub body: Bytes,
}

impl Document {
    /// How long caches may use a copy. Builds come once a month, and a new layer should be visible
    /// soon after. If the server is unreachable, an old list is better than none for a week
    /// ([RFC 5861](https://www.rfc-editor.org/rfc/rfc5861)).
    pub const CACHE_CONTROL: &str =
        "public, max-age=300, stale-while-revalidate=3600, stale-if-error=604800";

    /// A document without a policy and a file name.
    pub fn new(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { content_type, file_name: None, policy: None, body: body.into() }
    }

    /// The header fields of the document, with names in lower case. Pages of any origin may read every
    /// document.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("content-type", self.content_type.to_owned()),
            ("cache-control", Self::CACHE_CONTROL.to_owned()),
            ("access-control-allow-origin", "*".to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
        ];
        if let Some(name) = &self.file_name {
            headers.push(("content-disposition", format!("attachment; filename=\"{name}\"")));
        }
        if let Some(policy) = self.policy {
            headers.push(("content-security-policy", policy.to_owned()));
            headers.push(("referrer-policy", "no-referrer".to_owned()));
        }
        headers
    }
}
