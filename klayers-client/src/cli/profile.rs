//! Finds the region of a profile in the configuration file of AWS's tools.

/// The region of a profile. The sections are `[default]` and `[profile NAME]`, as [AWS
/// documents][spec]. `[profile default]` has precedence over `[default]`.
///
/// [spec]: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
pub(super) fn region(text: &str, profile: &str) -> Option<String> {
    let mut plain = None;
    let mut section = None;
    for line in text.lines() {
        // Indented lines belong to the setting above.
        if line.starts_with([' ', '\t']) {
            continue;
        }
        let line = line.split(['#', ';']).next().unwrap_or_default().trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            section = Section::of(name.trim(), profile);
        } else if let Some((key, value)) = line.split_once('=')
            && key.trim() == "region"
            && !value.trim().is_empty()
        {
            let value = || Some(value.trim().to_owned());
            match section {
                Some(Section::Profile) => return value(),
                Some(Section::Plain) => plain = plain.or_else(value),
                None => {}
            }
        }
    }
    plain
}

/// A section of the requested profile.
#[derive(Clone, Copy)]
enum Section {
    /// `[profile NAME]`.
    Profile,
    /// `[default]`.
    Plain,
}

impl Section {
    fn of(name: &str, profile: &str) -> Option<Self> {
        let named = name.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t']));
        match named {
            Some(rest) if rest.trim().trim_matches(['"', '\'']) == profile => Some(Self::Profile),
            None if name == "default" && profile == "default" => Some(Self::Plain),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# comment
[default]
output = json
region=us-east-2 ; the office

[profile work]
s3 =
  region = ignored
region = eu-west-1

[profile \"with space\"]
region = ap-south-1
[profile empty]
region =
[sso-session work]
region = us-west-1
";

    #[test]
    fn region_is_read_from_the_section_of_the_profile() {
        for (profile, expected) in [
            ("default", Some("us-east-2")),
            ("work", Some("eu-west-1")),
            ("with space", Some("ap-south-1")),
            ("empty", None),
            ("other", None),
        ] {
            assert_eq!(region(FILE, profile).as_deref(), expected, "{profile}");
        }
        let both = "[default]\nregion = a\n[profile default]\nregion = b";
        assert_eq!(region(both, "default").as_deref(), Some("b"));
    }
}
