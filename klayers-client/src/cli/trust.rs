//! Decides whose `klayers.toml` is used. The file names the server that ARNs come from, so another
//! user must not be able to plant it.

/// The owner and the permissions of a file or a folder, on Unix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ownership {
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) mode: u32,
}

const ROOT: u32 = 0;

impl Ownership {
    #[cfg(unix)]
    pub(super) fn of(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { user: metadata.uid(), group: metadata.gid(), mode: metadata.mode() }
    }

    fn is_trusted_owner(self, user: u32) -> bool {
        self.user == user || self.user == ROOT
    }

    /// Whether anybody except the user and root may write. On many systems each user has a group with
    /// the same number and no other members.
    fn is_writable_by_others(self, user: u32) -> bool {
        let group_is_own = self.group == user || self.group == ROOT;
        self.is_writable_by_all() || (self.mode & 0o020 != 0 && !group_is_own)
    }

    fn is_writable_by_all(self) -> bool {
        self.mode & 0o002 != 0
    }
}

/// Why a file in a folder above the current one must not be used; none if it may be used.
pub(super) fn distrust_in_parent_folder(
    file: Ownership,
    folder: Ownership,
    user: u32,
) -> Option<&'static str> {
    if !file.is_trusted_owner(user) {
        Some("it belongs to another user")
    } else if !folder.is_trusted_owner(user) {
        Some("its folder belongs to another user")
    } else if file.is_writable_by_others(user) {
        Some("others may write to it")
    } else if folder.is_writable_by_others(user) {
        Some("others may write to its folder")
    } else {
        None
    }
}

/// Why a file in the current folder must not be used; none if it may be used. Whoever works in a folder
/// trusts its owner, for example in a container with a project of the host.
pub(super) fn distrust_in_current_folder(
    file: Ownership,
    folder: Ownership,
    user: u32,
) -> Option<&'static str> {
    if !file.is_trusted_owner(user) && (file.user != folder.user || folder.is_writable_by_all()) {
        Some("it belongs to another user")
    } else if file.is_writable_by_all() {
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

    fn owned(user: u32, group: u32, mode: u32) -> Ownership {
        Ownership { user, group, mode }
    }

    #[test]
    fn parent_folder_file_is_used_only_if_nobody_else_can_write_it() {
        let (mine, shared) = (owned(USER, USER, 0o644), owned(USER, 100, 0o664));
        let folder = owned(USER, USER, 0o755);
        for (file, folder, expected) in [
            (mine, folder, None),
            (owned(ROOT, ROOT, 0o644), owned(ROOT, ROOT, 0o755), None),
            // The user's own group, as with a umask of 002.
            (owned(USER, USER, 0o664), owned(USER, USER, 0o775), None),
            (owned(OTHER, OTHER, 0o644), folder, Some("it belongs to another user")),
            (mine, owned(OTHER, OTHER, 0o755), Some("its folder belongs to another user")),
            (owned(USER, USER, 0o666), folder, Some("others may write to it")),
            (shared, folder, Some("others may write to it")),
            (mine, owned(ROOT, ROOT, 0o1777), Some("others may write to its folder")),
            (mine, owned(USER, 100, 0o775), Some("others may write to its folder")),
        ] {
            assert_eq!(
                distrust_in_parent_folder(file, folder, USER),
                expected,
                "{file:?} {folder:?}"
            );
        }
    }

    #[test]
    fn current_folder_file_is_used_if_it_belongs_to_the_folders_owner() {
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
            assert_eq!(
                distrust_in_current_folder(file, folder, USER),
                expected,
                "{file:?} {folder:?}"
            );
        }
    }
}
