//! The description of a layer version in AWS: names the package and states the digests. Listing
//! layer versions returns no hash of their content, so the description carries it.

use klayers_core::{Build, Digest};

/// Longest description that Lambda accepts, in characters.
const LONGEST: usize = 256;

/// Returns the description for a build whose layer zip has this digest: `{package}=={version} |
/// {requirements hash} | sha256:{content digest}`, at most 256 characters.
pub fn describe(build: &Build, content: Digest) -> String {
    let Build { package, version, requirements_hash, .. } = build;
    let digests = format!(" | {requirements_hash} | {PREFIX}{content}");
    let name: String =
        format!("{package}=={version}").chars().take(LONGEST - digests.len()).collect();
    name + &digests
}

/// Returns the digest of the zip that a description states; `None` if [`describe`] did not make the
/// description.
///
/// ```
/// use klayers_publish::stated_digest;
/// use klayers_core::Digest;
///
/// let digest = Digest::of(b"a zip");
/// let description = format!("requests==2.32.5 | {} | sha256:{digest}", Digest::of(b"pins"));
/// assert_eq!(stated_digest(&description), Some(digest));
/// assert_eq!(stated_digest("my layer"), None);
/// ```
pub fn stated_digest(description: &str) -> Option<Digest> {
    let (_, stated) = description.rsplit_once(" | ")?;
    stated.strip_prefix(PREFIX)?.parse().ok()
}

const PREFIX: &str = "sha256:";

#[cfg(test)]
mod tests {
    use klayers_core::{Content, Origin, Timestamp};

    use super::*;

    #[test]
    fn description_fits_the_limit_and_round_trips() {
        let mut build = Build {
            target: "p3.12".parse().expect("a target"),
            package: "Pillow".parse().expect("a name"),
            version: "12.0.0".parse().expect("a version"),
            dependencies: Vec::new(),
            requirements_hash: Digest::of(b"requirements"),
            origin: Origin::Imported {
                content: Content { digest: Digest::of(b"content"), size: 1, unzipped_size: 1 },
            },
            license: None,
            created_at: Some(Timestamp::UNIX_EPOCH),
        };
        let (requirements, content) = (build.requirements_hash, Digest::of(b"content"));
        let expected = format!("Pillow==12.0.0 | {requirements} | sha256:{content}");
        assert_eq!(describe(&build, content), expected);
        assert_eq!(stated_digest(&expected), Some(content));
        build.package = "x".repeat(300).parse().expect("a name");
        let long = describe(&build, content);
        assert_eq!(long.len(), 256);
        assert_eq!(stated_digest(&long), Some(content));
    }
}
