use bytes::Bytes;

/// What stands at an address: a body, and what is said of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document {
    /// Its media type.
    pub content_type: &'static str,
    /// The file name that a browser gives it, if it is to be kept rather than shown.
    pub file_name: Option<String>,
    /// What a page may do, as [Content Security Policy][csp] has it.
    ///
    /// [csp]: https://www.w3.org/TR/CSP3/
    pub policy: Option<&'static str>,
    /// The body.
    pub body: Bytes,
}

impl Document {
    /// How long a copy may be used: builds come once a month, and a new layer should be seen soon
    /// after. When the server cannot be asked, an old list is better than none for a week
    /// ([RFC 5861](https://www.rfc-editor.org/rfc/rfc5861)).
    pub const CACHE_CONTROL: &str =
        "public, max-age=300, stale-while-revalidate=3600, stale-if-error=604800";

    /// A document that is neither a page nor a file to be kept.
    pub fn new(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { content_type, file_name: None, policy: None, body: body.into() }
    }

    /// The header fields that tell of it, in lower case. Every document may be read by pages of any
    /// origin.
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
