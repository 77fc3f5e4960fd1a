//! Whose settings count. A `klayers.toml` names the server that ARNs come from, so nobody else may
//! slip one under a user.

/// What Unix says of a file or a folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owned {
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) mode: u32,
}

const ROOT: u32 = 0;

impl Owned {
    #[cfg(unix)]
    pub(super) fn of(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { user: metadata.uid(), group: metadata.gid(), mode: metadata.mode() }
    }

    fn is_of(self, user: u32) -> bool {
        self.user == user || self.user == ROOT
    }

    /// Whether somebody beside the user and root may write. On many systems each user has a group
    /// of the same number, of which nobody else is.
    fn is_open(self, user: u32) -> bool {
        let group_is_own = self.group == user || self.group == ROOT;
        self.is_open_to_all() || (self.mode & 0o020 != 0 && !group_is_own)
    }

    fn is_open_to_all(self) -> bool {
        self.mode & 0o002 != 0
    }
}

/// Why a file above the current folder does not count; none if it does.
pub(super) fn above(file: Owned, folder: Owned, user: u32) -> Option<&'static str> {
    if !file.is_of(user) {
        Some("it belongs to another user")
    } else if !folder.is_of(user) {
        Some("its folder belongs to another user")
    } else if file.is_open(user) {
        Some("others may write to it")
    } else if folder.is_open(user) {
        Some("others may write to its folder")
    } else {
        None
    }
}

/// Why a file in the current folder does not count; none if it does. Who chose to stand in a folder
/// trusts its owner, as in a container with a project of the host's.
pub(super) fn here(file: Owned, folder: Owned, user: u32) -> Option<&'static str> {
    if !file.is_of(user) && (file.user != folder.user || folder.is_open_to_all()) {
        Some("it belongs to another user")
    } else if file.is_open_to_all() {
        Some("others may write to it")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: u32 = 1000;
    const OTHER: u32 = 1001;

    fn owned(user: u32, group: u32, mode: u32) -> Owned {
        Owned { user, group, mode }
    }

    #[test]
    fn a_file_above_counts_if_nobody_else_could_have_written_it() {
        let (mine, shared) = (owned(USER, USER, 0o644), owned(USER, 100, 0o664));
        let folder = owned(USER, USER, 0o755);
        for (file, folder, expected) in [
            (mine, folder, None),
            (owned(ROOT, ROOT, 0o644), owned(ROOT, ROOT, 0o755), None),
            // A group of the user's own, as with a umask of 002.
            (owned(USER, USER, 0o664), owned(USER, USER, 0o775), None),
            (owned(OTHER, OTHER, 0o644), folder, Some("it belongs to another user")),
            (mine, owned(OTHER, OTHER, 0o755), Some("its folder belongs to another user")),
            (owned(USER, USER, 0o666), folder, Some("others may write to it")),
            (shared, folder, Some("others may write to it")),
            (mine, owned(ROOT, ROOT, 0o1777), Some("others may write to its folder")),
            (mine, owned(USER, 100, 0o775), Some("others may write to its folder")),
        ] {
            assert_eq!(above(file, folder, USER), expected, "{file:?} {folder:?}");
        }
    }

    #[test]
    fn a_file_here_counts_if_it_is_of_the_folders_owner() {
        for (file, folder, expected) in [
            (owned(USER, USER, 0o644), owned(ROOT, ROOT, 0o1777), None),
            (owned(OTHER, OTHER, 0o664), owned(OTHER, OTHER, 0o775), None),
            (
                owned(OTHER, OTHER, 0o644),
                owned(ROOT, ROOT, 0o1777),
                Some("it belongs to another user"),
            ),
            (
                owned(OTHER, OTHER, 0o644),
                owned(OTHER, OTHER, 0o777),
                Some("it belongs to another user"),
            ),
            (owned(USER, USER, 0o666), owned(USER, USER, 0o755), Some("others may write to it")),
        ] {
            assert_eq!(here(file, folder, USER), expected, "{file:?} {folder:?}");
        }
    }
}
