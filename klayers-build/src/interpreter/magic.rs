use klayers_core::PythonVersion;

/// The magic numbers of the final releases, from the list of them in CPython's source
/// (`Include/internal/pycore_magic_number.h`; up to 3.13 `Lib/importlib/_bootstrap_external.py`).
const RELEASED: [(u8, u16); 7] =
    [(8, 3413), (9, 3425), (10, 3439), (11, 3495), (12, 3531), (13, 3571), (14, 3627)];

/// The number that a `.pyc` file begins with: which bytecode is in it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Magic(u16);

impl Magic {
    /// The magic number as interpreters say it.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// That of a Python version's releases. It changes no more once a minor is final; none for a
    /// minor that is newer than this table.
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
