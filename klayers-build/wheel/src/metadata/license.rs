use std::fmt;

use serde::{Deserialize, Serialize};

/// The licence that a package states.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum License {
    /// An SPDX licence expression, from `License-Expression` ([PEP 639][spec]): `MIT OR Apache-2.0`.
    ///
    /// [spec]: https://peps.python.org/pep-0639/
    Expression(String),
    /// A name or a free text.
    Named(String),
}

impl License {
    /// The expression, the name or the text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Expression(text) | Self::Named(text) => text,
        }
    }
}

impl fmt::Display for License {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Whether a text has the form of an SPDX licence expression. The licence identifiers are not
/// checked: their list grows, and the bytes of a layer must not change with it.
pub(super) fn is_expression(text: &str) -> bool {
    let words = text.replace(['(', ')'], " ");
    let mut words = words.split_ascii_whitespace().peekable();
    let is_id = |word: &str| {
        word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.+:".contains(&byte))
    };
    let is_operator = |word: &str| matches!(word, "AND" | "OR" | "WITH");
    let mut operand_expected = true;
    let alternate = words.all(|word| {
        let fits = is_operator(word) != operand_expected && is_id(word);
        operand_expected = !operand_expected;
        fits
    });
    alternate && !operand_expected
}
