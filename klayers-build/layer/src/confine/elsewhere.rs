//! Stubs for systems other than Linux, which lack these mechanisms.

/// Landlock, which is missing here.
pub(super) mod landlock {
    use std::io;

    use super::super::view::View;

    pub(in super::super) const TCP: u8 = 4;
    pub(in super::super) const SCOPES: u8 = 6;

    pub(in super::super) fn version() -> u8 {
        0
    }

    pub(in super::super) fn restrict_thread(_: &View) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Filters of system calls, which are missing here.
pub(super) mod system_calls {
    use std::io;

    use super::super::plan::Allowed;

    pub(in super::super) fn works() -> bool {
        false
    }

    pub(in super::super) fn filter(_: Allowed) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
