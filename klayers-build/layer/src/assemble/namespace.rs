//! `__init__.py` files that only declare a namespace package ([specification][spec]).
//!
//! Distributions that share such a package each contain this file, with different content. One file
//! is enough for all of them.
//!
//! [spec]: https://packaging.python.org/en/latest/guides/packaging-namespace-packages/

/// Statements that declare a namespace, without spaces and with double quotes only.
const DECLARING: [&str; 8] = [
    "__path__=__import__(\"pkgutil\").extend_path(__path__,__name__)",
    "__path__=pkgutil.extend_path(__path__,__name__)",
    "__path__=extend_path(__path__,__name__)",
    "__import__(\"pkg_resources\").declare_namespace(__name__)",
    "__import__(\"pkg_resources\").declare_namespace(__package__)",
    "pkg_resources.declare_namespace(__name__)",
    "declare_namespace(__name__)",
    "import_module(\"pkg_resources\").declare_namespace(__name__)",
];
/// The first statements of [`DECLARING`], which only need the standard library.
const WITH_PKGUTIL: usize = 3;
/// Statements that may surround a declaration.
const AROUND: [&str; 17] = [
    "try:",
    "except:",
    "except Exception:",
    "except ImportError:",
    "except (ImportError, AttributeError):",
    "except ModuleNotFoundError:",
    "finally:",
    "pass",
    "import pkgutil",
    "import pkg_resources",
    "import pkgutil, pkg_resources",
    "from pkgutil import extend_path",
    "from pkg_resources import declare_namespace",
    "from importlib import import_module",
    "from __future__ import absolute_import",
    "from __future__ import annotations",
    "from __future__ import unicode_literals",
];

/// Size limit for reading an `__init__.py` to see whether it only declares a namespace, in bytes.
pub(super) const LARGEST_DECLARATION: u64 = 64 << 10;

/// The content of an `__init__.py` without module code. Later variants are better to keep.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Declaration {
    /// Empty, or only comments and docstrings.
    Nothing,
    /// A namespace declared with `pkg_resources`, which may be missing in a function.
    PkgResources,
    /// A namespace declared with the standard library.
    Pkgutil,
}

/// Parses an `__init__.py`. None if it contains anything but a declaration.
pub(super) fn declaration(source: &[u8]) -> Option<Declaration> {
    let text = std::str::from_utf8(source).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = Declaration::Nothing;
    let mut rest = text;
    while let Some(line) = take_line(&mut rest) {
        let line = line.trim();
        for quotes in ["\"\"\"", "'''"] {
            if let Some(begun) = line.strip_prefix(quotes) {
                skip_docstring(begun, quotes, &mut rest)?;
            }
        }
        if line.is_empty() || line.starts_with('#') || is_string(line) {
            continue;
        }
        for statement in without_comment(line).split(';') {
            found = found.max(statement_declares(statement.trim())?);
        }
    }
    Some(found)
}

fn take_line<'t>(rest: &mut &'t str) -> Option<&'t str> {
    if rest.is_empty() {
        return None;
    }
    let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
    *rest = after;
    Some(line)
}

/// Skips a docstring that starts in the current line. None if the docstring does not end, or if
/// code follows it on its last line.
fn skip_docstring(begun: &str, quotes: &str, rest: &mut &str) -> Option<()> {
    if let Some((_, behind)) = begun.split_once(quotes) {
        return is_blank(behind).then_some(());
    }
    loop {
        let line = take_line(rest)?;
        if let Some((_, behind)) = line.split_once(quotes) {
            return is_blank(behind).then_some(());
        }
    }
}

fn is_blank(text: &str) -> bool {
    without_comment(text).trim().is_empty()
}

/// Whether a line is only a string literal, that is, documentation.
fn is_string(line: &str) -> bool {
    if line.starts_with("\"\"\"") || line.starts_with("'''") {
        return true;
    }
    ["\"", "'"].iter().any(|quote| {
        let inside = line.strip_prefix(quote).and_then(|line| line.split_once(quote));
        inside.is_some_and(|(_, behind)| is_blank(behind))
    })
}

/// Returns a line up to its comment. The known statements have no `#` in a string.
fn without_comment(line: &str) -> &str {
    line.split('#').next().unwrap_or_default()
}

fn statement_declares(statement: &str) -> Option<Declaration> {
    let words: Vec<&str> = statement.split_whitespace().collect();
    let statement = words.join(" ");
    if statement.is_empty() || AROUND.contains(&statement.as_str()) {
        return Some(Declaration::Nothing);
    }
    // As in `except ImportError: pass`.
    let behind = AROUND
        .iter()
        .find_map(|around| around.ends_with(':').then(|| statement.strip_prefix(around)).flatten());
    if let Some(behind) = behind {
        return statement_declares(behind);
    }
    let plain = statement.replace(' ', "").replace('\'', "\"");
    let at = DECLARING.iter().position(|declaring| *declaring == plain)?;
    Some(if at < WITH_PKGUTIL { Declaration::Pkgutil } else { Declaration::PkgResources })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespace_declarations_are_distinguished_from_modules() {
        use Declaration::{Nothing, PkgResources, Pkgutil};
        for (source, expected) in [
            ("", Some(Nothing)),
            ("\u{feff}# -*- coding: utf-8 -*-\r\n\r\n", Some(Nothing)),
            ("# no newline", Some(Nothing)),
            ("\"\"\"Documentation.\"\"\"\n", Some(Nothing)),
            ("'''Documentation,\nx = 1\nthat ends.'''  # here\n", Some(Nothing)),
            ("'Documentation'\n\"and more\"\n", Some(Nothing)),
            ("__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n", Some(Pkgutil)),
            (
                "__path__ = __import__(\"pkgutil\").extend_path(__path__, __name__)  # type: ignore",
                Some(Pkgutil),
            ),
            (
                "from pkgutil import extend_path\n__path__ = extend_path(__path__, __name__)",
                Some(Pkgutil),
            ),
            ("__import__('pkg_resources').declare_namespace(__name__)", Some(PkgResources)),
            ("import pkg_resources; pkg_resources.declare_namespace(__name__)", Some(PkgResources)),
            (
                "# Copyright\ntry:\n    import pkg_resources\n    \
                 pkg_resources.declare_namespace(__name__)\nexcept ImportError:\n    \
                 import pkgutil\n    __path__ = pkgutil.extend_path(__path__, __name__)\n",
                Some(Pkgutil),
            ),
            ("try:\n    import pkg_resources\nexcept ImportError: pass\n", Some(Nothing)),
            ("x = 1\n", None),
            ("__version__ = '1.0'\n", None),
            ("import os\n", None),
            ("'text' + call()\n", None),
            ("\"\"\"Documentation.\"\"\"; x = 1\n", None),
            ("\"\"\"Documentation.\nand more\"\"\" + call()\n", None),
            ("\"\"\"Never ends\n", None),
            ("import pkg_resources; import os\n", None),
            ("except ImportError: import os\n", None),
            ("__path__ = __import__('pkgutil').extend_path(__path__, 'other')\n", None),
        ] {
            assert_eq!(declaration(source.as_bytes()), expected, "{source}");
        }
        assert_eq!(declaration(b"\xff"), None);
    }

    #[test]
    fn standard_library_declarations_rank_highest() {
        assert!(Declaration::Pkgutil > Declaration::PkgResources);
        assert!(Declaration::PkgResources > Declaration::Nothing);
    }
}
