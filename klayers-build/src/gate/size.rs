use std::cmp::Reverse;

use super::Finding;

/// The most that a function and all its layers may unpack to, in bytes
/// ([quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)).
pub const UNPACKED_LIMIT: u64 = 262_144_000;
/// From which part of the limit on a layer leaves little to the function, in percent.
const WARN_FROM: u64 = 80;
/// How many distributions are named.
const NAMED: usize = 5;

/// Holds a layer's unpacked size against a limit. Sizes are in bytes; `distributions` are those of
/// the layer, `total` is the size of everything in it.
pub fn check_size(distributions: &[(String, u64)], total: u64, limit: u64) -> Option<Finding> {
    if distributions.iter().all(|(_, size)| *size == 0) {
        return Some(Finding::Empty);
    }
    let large = u128::from(total) * 100 >= u128::from(limit) * u128::from(WARN_FROM);
    large.then(|| {
        let mut biggest = distributions.to_vec();
        biggest.sort_by(|(a, m), (b, n)| (Reverse(m), a).cmp(&(Reverse(n), b)));
        biggest.truncate(NAMED);
        Finding::Large { size: total, limit, biggest }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Severity;

    fn sizes(sizes: &[(&str, u64)]) -> Vec<(String, u64)> {
        sizes.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect()
    }

    #[test]
    fn an_empty_layer_is_an_error() {
        for distributions in [sizes(&[]), sizes(&[("six", 0)])] {
            let finding = check_size(&distributions, 1_234, UNPACKED_LIMIT).expect("a finding");
            assert_eq!((&finding, finding.severity()), (&Finding::Empty, Severity::Error));
        }
    }

    #[test]
    fn the_limit_warns_from_80_percent_on_and_holds_to_the_byte() {
        let distributions = sizes(&[("numpy", 3), ("pandas", 9), ("a", 3)]);
        let severity = |total| {
            check_size(&distributions, total, UNPACKED_LIMIT).map(|finding| finding.severity())
        };
        assert_eq!(severity(209_715_199), None);
        assert_eq!(severity(209_715_200), Some(Severity::Warning));
        assert_eq!(severity(262_144_000), Some(Severity::Warning));
        assert_eq!(severity(262_144_001), Some(Severity::Error));
        assert_eq!(severity(u64::MAX), Some(Severity::Error));
    }

    #[test]
    fn the_biggest_distributions_are_named() {
        let distributions =
            sizes(&[("a", 1), ("b", 2), ("c", 3), ("numpy", 60), ("pandas", 90), ("six", 3)]);
        let finding = check_size(&distributions, 159, 100).expect("a finding");
        assert_eq!(
            finding.to_string(),
            "the layer unpacks to 159 bytes; Lambda takes 100 for a function and all its layers; \
             the biggest are pandas (90), numpy (60), c (3), six (3), b (2)"
        );
    }
}
