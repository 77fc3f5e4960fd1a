//! What a layer version says of itself in AWS: what it is, and by which digests it is told from
//! others. Listing gives no hash of what is in a version, so this is where it stands.

use klayers_core::{Build, Digest};

/// As many characters as Lambda takes.
const LONGEST: usize = 256;

/// The description of a version of a layer, whose zip has this digest: `{package}=={version} |
/// {requirements hash} | sha256:{content digest}`, at most 256 characters.
pub fn describe(build: &Build, content: Digest) -> String {
    let Build { package, version, requirements_hash, .. } = build;
    let digests = format!(" | {requirements_hash} | {PREFIX}{content}");
    let name: String =
        format!("{package}=={version}").chars().take(LONGEST - digests.len()).collect();
    name + &digests
}

/// The digest of the zip that a description states; none if it is not one of [`describe`]'s.
///
/// ```
/// use klayers_build::publish::stated_digest;
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
    fn a_description_fits_and_is_read_back() {
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
