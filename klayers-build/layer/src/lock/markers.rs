//! Evaluates environment markers for a target.
//!
//! Only here does `pep508_rs` read untrusted text, and only single comparisons. Its parser recurses
//! for every parenthesis, and the decision diagram that it makes of a whole marker can grow
//! exponentially: either would let a lock crash the process.

use klayers_core::Target;
use pep508_rs::{
    MarkerEnvironment, MarkerEnvironmentBuilder, MarkerExpression, MarkerTree, Pep508Error,
};

/// Deepest nesting of parentheses that is read. Resolvers write two or three levels.
const DEEPEST: usize = 64;

/// Returns whether a marker holds in an environment. None if the text is not a marker, or nests
/// parentheses more than 64 levels deep.
pub(super) fn holds(marker: &str, environment: &MarkerEnvironment) -> Option<bool> {
    let mut reader = Reader { rest: marker, environment };
    let value = reader.any(0).ok()?;
    reader.rest.trim_start().is_empty().then_some(value.unwrap_or(true))
}

/// The text is not a marker, or is nested too deeply.
struct MalformedError;

/// Parses and evaluates a marker in one pass.
///
/// The value None stands for a meaningless comparison, such as one of two literals. It is ignored,
/// as other installers do.
struct Reader<'a> {
    rest: &'a str,
    environment: &'a MarkerEnvironment,
}

impl Reader<'_> {
    /// Terms joined by `or`.
    fn any(&mut self, depth: usize) -> Result<Option<bool>, MalformedError> {
        let mut value = self.all(depth)?;
        while self.take_word("or") {
            value = joined(value, self.all(depth)?, |one, other| one || other);
        }
        Ok(value)
    }

    /// Terms joined by `and`.
    fn all(&mut self, depth: usize) -> Result<Option<bool>, MalformedError> {
        let mut value = self.term(depth)?;
        while self.take_word("and") {
            value = joined(value, self.term(depth)?, |one, other| one && other);
        }
        Ok(value)
    }

    /// A comparison, or a marker in parentheses.
    fn term(&mut self, depth: usize) -> Result<Option<bool>, MalformedError> {
        self.rest = self.rest.trim_start();
        let Some(inside) = self.rest.strip_prefix('(') else {
            return self.comparison();
        };
        if depth == DEEPEST {
            return Err(MalformedError);
        }
        self.rest = inside;
        let value = self.any(depth + 1)?;
        self.rest = self.rest.trim_start().strip_prefix(')').ok_or(MalformedError)?;
        Ok(value)
    }

    fn comparison(&mut self) -> Result<Option<bool>, MalformedError> {
        let end = comparison_end(self.rest).ok_or(MalformedError)?;
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        let parsed: Result<Option<MarkerExpression>, Pep508Error> =
            MarkerExpression::from_str(text.trim_end());
        let holds = |expression| MarkerTree::expression(expression).evaluate(self.environment, &[]);
        Ok(parsed.map_err(|_| MalformedError)?.map(holds))
    }

    /// Consumes the word if it comes next.
    fn take_word(&mut self, word: &str) -> bool {
        let after = self.rest.trim_start().strip_prefix(word);
        match after.filter(|after| !after.starts_with(is_word)) {
            Some(after) => {
                self.rest = after;
                true
            }
            None => false,
        }
    }
}

fn joined(one: Option<bool>, other: Option<bool>, join: fn(bool, bool) -> bool) -> Option<bool> {
    match (one, other) {
        (Some(one), Some(other)) => Some(join(one, other)),
        (one, other) => one.or(other),
    }
}

/// Returns the length of the comparison at the beginning of a text. It ends before a parenthesis,
/// before the words `and` and `or`, or with the text. None if a quote is not closed.
fn comparison_end(text: &str) -> Option<usize> {
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        match next {
            '(' | ')' => break,
            '"' | '\'' => at += text[at + 1..].find(next)? + 2,
            _ if is_word(next) => {
                let rest = &text[at..];
                let end = rest.find(|other| !is_word(other)).unwrap_or(rest.len());
                if matches!(&rest[..end], "and" | "or") {
                    break;
                }
                at += end;
            }
            _ => at += next.len_utf8(),
        }
    }
    Some(at)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The markers of one target.
pub(crate) struct Markers(Option<MarkerEnvironment>);

impl Markers {
    /// Creates the marker environment of a target.
    pub(crate) fn of(target: Target) -> Self {
        Self(environment(target))
    }

    /// Whether a marker holds on the target without any extra. None if it is not a marker.
    pub(crate) fn hold(&self, marker: &str) -> Option<bool> {
        holds(marker, self.0.as_ref()?)
    }
}

/// The environment of AWS Lambda for a target.
pub(super) fn environment(target: Target) -> Option<MarkerEnvironment> {
    let python = target.python.to_string();
    let full = format!("{python}.0");
    MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
        implementation_name: "cpython",
        implementation_version: &full,
        os_name: "posix",
        platform_machine: target.architecture.machine(),
        platform_python_implementation: "CPython",
        platform_release: "",
        platform_system: "Linux",
        platform_version: "",
        python_full_version: &full,
        python_version: &python,
        sys_platform: "linux",
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lambda() -> MarkerEnvironment {
        environment("p3.12".parse().expect("a target")).expect("an environment")
    }

    #[test]
    fn markers_are_evaluated_for_lambda() {
        for (marker, expected) in [
            ("sys_platform == 'linux'", Some(true)),
            ("python_version < '3.9' or os_name == \"posix\"", Some(true)),
            ("python_version < '3.9' and os_name == 'posix'", Some(false)),
            ("os_name == 'nt' and os_name == 'nt' or python_full_version >= '3.12'", Some(true)),
            ("os_name == 'nt' and (os_name == 'nt' or python_version >= '3.12')", Some(false)),
            ("python_version>='3.9'and(os_name=='posix')", Some(true)),
            ("platform_machine not in 'arm64 aarch64'", Some(true)),
            ("(os_name == 'a and b) or c')", Some(false)),
            ("'linux' == sys_platform", Some(true)),
            ("extra == 'socks'", Some(false)),
            // Meaningless comparisons are ignored.
            ("'a' == 'b'", Some(true)),
            ("'a' == 'b' or os_name == 'nt'", Some(false)),
            ("", None),
            ("()", None),
            ("os_name", None),
            ("os_name == 'posix' os_name == 'posix'", None),
            ("os_name == 'posix", None),
            ("os_name == 'posix' or", None),
            ("(os_name == 'posix'", None),
            ("os_name == 'posix')", None),
            ("oranges == 'posix'", None),
        ] {
            assert_eq!(holds(marker, &lambda()), expected, "{marker}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_without_stack_overflow() {
        let nested =
            |depth: usize| format!("{}os_name == 'posix'{}", "(".repeat(depth), ")".repeat(depth));
        assert_eq!(holds(&nested(DEEPEST), &lambda()), Some(true));
        for depth in [DEEPEST + 1, 20_000, 50_000, 1_000_000] {
            assert_eq!(holds(&nested(depth), &lambda()), None, "{depth}");
            assert_eq!(holds(&"(".repeat(depth), &lambda()), None, "{depth}");
        }
    }

    #[test]
    fn long_markers_are_evaluated_in_linear_time() {
        let pairs: Vec<String> =
            (0..20_000).map(|at| format!("(extra == 'a{at}' and extra == 'z{at}')")).collect();
        assert_eq!(holds(&pairs.join(" or "), &lambda()), Some(false));
        assert_eq!(
            holds(&format!("{} or os_name == 'posix'", pairs.join(" or ")), &lambda()),
            Some(true)
        );
    }

    fn markers() -> impl Strategy<Value = String> {
        let comparison = prop_oneof![
            "python_version (<|>=|==|!=) '3\\.(9|12|13)'",
            "'(posix|nt)' == os_name",
            "sys_platform (in|not in) 'linux darwin'",
            Just("'a' == 'b'".to_owned()),
        ];
        comparison.prop_recursive(4, 24, 3, |inner| {
            let join = prop_oneof![Just(" and "), Just(" or ")];
            (prop::collection::vec(inner, 1..4), join, any::<bool>()).prop_map(
                |(parts, join, closed)| {
                    let joined = parts.join(join);
                    if closed { format!("({joined})") } else { joined }
                },
            )
        })
    }

    proptest! {
        #[test]
        fn short_markers_evaluate_as_pep508_rs_does(marker in markers()) {
            let whole: MarkerTree = marker.parse().expect("a marker");
            prop_assert_eq!(holds(&marker, &lambda()), Some(whole.evaluate(&lambda(), &[])));
        }

        #[test]
        fn never_panics(text in ".*") {
            let _ = holds(&text, &lambda());
        }
    }
}
