use klayers_core::PythonVersion;

/// The magic numbers of final releases, as listed in CPython's source
/// (`Include/internal/pycore_magic_number.h`; up to 3.13 `Lib/importlib/_bootstrap_external.py`).
const RELEASED: [(u8, u16); 7] =
    [(8, 3413), (9, 3425), (10, 3439), (11, 3495), (12, 3531), (13, 3571), (14, 3627)];

/// The magic number of a `.pyc` file: the version of its bytecode.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Magic(u16);

impl Magic {
    /// Wraps a magic number as interpreters report it.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// Returns the magic number of a Python version. It no longer changes once a minor version is
    /// final. None for a version that is newer than this table.
    pub fn released(python: PythonVersion) -> Option<Self> {
        let row = RELEASED.iter().find(|(minor, _)| *minor == python.minor());
        row.filter(|_| python.major() == 3).map(|(_, number)| Self(*number))
    }

    /// The number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The first four bytes of a `.pyc` file.
    pub const fn bytes(self) -> [u8; 4] {
        let [low, high] = self.0.to_le_bytes();
        [low, high, b'\r', b'\n']
    }
}
