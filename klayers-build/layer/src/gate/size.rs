//! Checks the size of a layer against Lambda's limit.

use std::cmp::Reverse;

use klayers_core::LayerName;

use super::Finding;
use crate::lock::{Lock, LockedWheel};

mod too_large;

pub use too_large::TooLargeError;
pub use too_large::{Basis, Weight};

/// Limit on the unpacked size of a function and all its layers, in bytes
/// ([quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)).
pub const UNPACKED_LIMIT: u64 = 262_144_000;
/// Percentage of the limit from which a layer leaves little space to the function.
const WARNING_PERCENT: u64 = 80;
/// Number of distributions that are named.
const NAMED: usize = 5;

/// Checks a layer's unpacked size against a limit. All sizes are in bytes. `distributions` are the
/// layer's distributions with their sizes, `total` is the size of all files.
pub fn check_size(distributions: &[(String, u64)], total: u64, limit: u64) -> Option<Finding> {
    if distributions.iter().all(|(_, size)| *size == 0) {
        return Some(Finding::Empty);
    }
    let large = u128::from(total) * 100 >= u128::from(limit) * u128::from(WARNING_PERCENT);
    large.then(|| {
        let biggest = biggest(distributions.to_vec(), NAMED);
        Finding::Large { size: total, limit, biggest }
    })
}

/// Returns the biggest distributions, biggest first.
fn biggest(mut distributions: Vec<(String, u64)>, named: usize) -> Vec<(String, u64)> {
    distributions.sort_by(|(a, m), (b, n)| (Reverse(m), a).cmp(&(Reverse(n), b)));
    distributions.truncate(named);
    distributions
}

/// Judges a layer by the sizes of its wheels, before any of them is fetched.
///
/// Except for archive headers, a wheel unpacks to more than its own size. So a layer is refused if
/// its wheels exceed the limit by more than a tenth. If tests or debug sections are left out, which
/// may be most of a wheel, it is only refused if its wheels exceed four times the limit. If files
/// are excluded by pattern, the sizes of wheels prove nothing, and the layer is not refused here.
pub(crate) fn judge_lock(layer: &LayerName, lock: &Lock, limit: u64) -> Option<TooLargeError> {
    let slimming = lock.slimming();
    let allowed = match (slimming.exclude.is_empty(), slimming.strip || slimming.drop_tests) {
        (false, _) => return None,
        (true, true) => limit.saturating_mul(4),
        (true, false) => limit.saturating_add(limit / 10),
    };
    let weight = |wheel: &LockedWheel| {
        let distribution = wheel.pin.name.to_string();
        Some(Weight { distribution, size: wheel.size?, ..Weight::default() })
    };
    let weights: Vec<Weight> = lock.wheels().iter().filter_map(weight).collect();
    let too_large = TooLargeError::new(layer, &weights, limit, Basis::Wheels);
    (too_large.size() > allowed).then_some(too_large)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Severity;

    fn sizes(sizes: &[(&str, u64)]) -> Vec<(String, u64)> {
        sizes.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect()
    }

    #[test]
    fn empty_layer_is_an_error() {
        for distributions in [sizes(&[]), sizes(&[("six", 0)])] {
            let finding = check_size(&distributions, 1_234, UNPACKED_LIMIT).expect("a finding");
            assert_eq!((&finding, finding.severity()), (&Finding::Empty, Severity::Error));
        }
    }

    #[test]
    fn size_warns_from_80_percent_and_fails_above_the_limit() {
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
    fn biggest_distributions_are_named() {
        let distributions =
            sizes(&[("a", 1), ("b", 2), ("c", 3), ("numpy", 60), ("pandas", 90), ("six", 3)]);
        let finding = check_size(&distributions, 159, 100).expect("a finding");
        assert_eq!(
            finding.to_string(),
            "the layer unpacks to 159 bytes; Lambda takes 100 bytes for a function and all its \
             layers; the biggest are pandas (90 bytes), numpy (60 bytes), c (3 bytes), \
             six (3 bytes), b (2 bytes)"
        );
    }

    /// Returns the error for a layer of one wheel.
    fn judged(size: u64, limit: u64, slim: &str) -> Option<String> {
        let digest = "0".repeat(64);
        let text = format!(
            "lock-version = \"1.0\"\n[[packages]]\nname = \"big\"\nversion = \"1\"\n\
             wheels = [{{ name = \"big-1-py3-none-any.whl\", url = \"https://index.example/\
             big-1-py3-none-any.whl\", size = {size}, hashes = {{ sha256 = \"{digest}\" }} }}]\n\
             {slim}"
        );
        let runtimes = klayers_core::Runtimes::default();
        let target: klayers_core::Target = "p3.12".parse().expect("a target");
        let runtime = runtimes.get(target.python).expect("a runtime");
        let lock = Lock::parse(&text, None, target, runtime).expect("a lock");
        let layer = "Klayers-p312-x".parse().expect("a name");
        judge_lock(&layer, &lock, limit).map(|error| error.to_string())
    }

    #[test]
    fn layers_are_refused_by_wheel_sizes_only_when_certain() {
        let strip = "[tool.klayers.slim]\nstrip = true\n";
        let exclude = "[tool.klayers.slim]\nexclude = [\"big/**\"]\n";
        for (size, slim, refused) in [
            (110, "", false),
            (111, "", true),
            (400, strip, false),
            (401, strip, true),
            (100_000, exclude, false),
        ] {
            assert_eq!(judged(size, 100, slim).is_some(), refused, "{size} {slim}");
        }
        insta::assert_snapshot!(judged(3_200_000_000, UNPACKED_LIMIT, "").expect("refused"), @r"
        Klayers-p312-x is too large: its wheels are 3.2 GB packed; Lambda takes 262.1 MB for a function and all its layers
        biggest: big 3.2 GB
        help: deploy a function of this size as a container image, of up to 10 GB
        ");
    }
}
