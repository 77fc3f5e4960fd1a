use serde::{Deserialize, Serialize};

/// The body of an error response, as [RFC 9457][spec] defines it. Its media type is
/// [`Problem::CONTENT_TYPE`].
///
/// [spec]: https://www.rfc-editor.org/rfc/rfc9457
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// The kind of the problem. `about:blank` means that the status code describes it.
    #[serde(rename = "type", default = "about_blank")]
    pub kind: String,
    /// The problem in a few words.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// The details of this occurrence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Problem {
    /// The media type of a problem body.
    pub const CONTENT_TYPE: &str = "application/problem+json";

    /// A problem of the kind `about:blank`. `title` is the phrase of the status code.
    pub fn new(status: u16, title: &str, detail: impl Into<String>) -> Self {
        Self { kind: about_blank(), title: title.to_owned(), status, detail: Some(detail.into()) }
    }
}

fn about_blank() -> String {
    "about:blank".to_owned()
}
