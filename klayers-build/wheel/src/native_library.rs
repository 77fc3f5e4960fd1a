use klayers_core::{AbiVersion, Architecture};
use object::Endianness;
use object::elf::{ELFCLASS32, ELFCLASS64, ELFMAG, FileClass, FileHeader32, FileHeader64};
use serde::{Deserialize, Serialize};

mod elf;

use elf::Problem;

/// A shared library or an executable in the ELF format: its platform, and what it requires of the
/// system that loads it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NativeLibrary {
    /// Its path in the wheel.
    pub path: String,
    /// The width of its addresses.
    pub class: Class,
    /// The processor that it is built for.
    pub machine: Machine,
    /// The name by which other libraries request it, if it states one.
    pub soname: Option<String>,
    /// The libraries that it requires, in the order of the file (`DT_NEEDED`).
    pub needed: Vec<String>,
    /// The versions that it requires of system libraries, sorted by library: the newest for each
    /// library and [interface](Interface), and all whose names are not numbers.
    ///
    /// Weak references are left out: the library loads without them.
    pub versions: Vec<RequiredVersion>,
    /// The program that loads it (`ld-linux`), if it is an executable that needs one.
    pub interpreter: Option<String>,
    /// Whether Python can import it.
    pub is_module: bool,
}

/// The width of addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Class {
    /// 32 bits.
    Elf32,
    /// 64 bits.
    Elf64,
}

/// Names of other processors, by number in ELF files. Only their number is stored in reports.
const OTHER_MACHINES: [(u16, &str); 5] =
    [(3, "x86"), (21, "ppc64"), (22, "s390x"), (40, "arm"), (243, "riscv64")];

/// A processor.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Machine {
    /// 64-bit x86.
    X86_64,
    /// 64-bit ARM, little-endian.
    Aarch64,
    /// Another processor, by its [number in ELF
    /// files](https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html).
    Other(u16),
}

impl Machine {
    /// Whether this is the processor of a Lambda architecture.
    pub fn is_for(self, architecture: Architecture) -> bool {
        match architecture {
            Architecture::X86_64 => self == Self::X86_64,
            Architecture::Arm64 => self == Self::Aarch64,
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::X86_64 => formatter.write_str("x86_64"),
            Self::Aarch64 => formatter.write_str("aarch64"),
            Self::Other(number) => match OTHER_MACHINES.iter().find(|(known, _)| known == number) {
                Some((_, name)) => formatter.write_str(name),
                None => write!(formatter, "machine {number}"),
            },
        }
    }
}

/// A symbol version that a library requires of another library.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RequiredVersion {
    /// Its name: `GLIBC_2.34`.
    pub name: String,
    /// The library that must provide it: `libc.so.6`.
    pub library: String,
    /// A symbol that is required in this version. None if there is none: some versions only mark a
    /// capability of the C library, such as `GLIBC_ABI_DT_RELR`.
    pub symbol: Option<String>,
}

/// A versioned interface of the system's libraries.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Interface {
    /// The C library.
    Glibc,
    /// The C++ library.
    Glibcxx,
    /// Runtime support of C++ compilers (exceptions, type information).
    Cxxabi,
}

impl Interface {
    const ALL: [Self; 3] = [Self::Glibc, Self::Glibcxx, Self::Cxxabi];

    /// The prefix of its version names.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Glibc => "GLIBC_",
            Self::Glibcxx => "GLIBCXX_",
            Self::Cxxabi => "CXXABI_",
        }
    }
}

impl RequiredVersion {
    /// Returns the interface, and the number if the name has one.
    pub fn interface(&self) -> Option<(Interface, Option<AbiVersion>)> {
        interface(&self.name)
    }
}

fn interface(name: &str) -> Option<(Interface, Option<AbiVersion>)> {
    Interface::ALL.into_iter().find_map(|interface| {
        let number = name.strip_prefix(interface.prefix())?;
        Some((interface, number.parse().ok()))
    })
}

impl NativeLibrary {
    /// Reads a file of a wheel. None if it is not an ELF file that a loader loads: object files
    /// (`.o`), which only a linker reads, static libraries (`.a`), which are not ELF, and memory
    /// dumps.
    ///
    /// Only the parts that a loader uses are read: the program headers and the dynamic section that
    /// they point to. Section headers may be missing or wrong.
    ///
    /// # Errors
    ///
    /// If the file is truncated, contradicts itself, or requires more than any real library does.
    /// Some wheels contain such files as test data.
    pub fn read(path: &str, bytes: &[u8]) -> Result<Option<Self>, NativeLibraryError> {
        let refuse = |problem| NativeLibraryError { path: path.to_owned(), problem };
        if !bytes.starts_with(&ELFMAG) {
            return Ok(None);
        }
        match bytes.get(4).map(|class| FileClass(*class)) {
            Some(ELFCLASS32) => elf::read::<FileHeader32<Endianness>>(path, Class::Elf32, bytes),
            Some(ELFCLASS64) => elf::read::<FileHeader64<Endianness>>(path, Class::Elf64, bytes),
            _ => Err("its class is neither 32 nor 64 bits"),
        }
        .map_err(refuse)
    }
}

/// A file with the first bytes of an ELF file that cannot be loaded.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path} is not a valid ELF file: {problem}")]
pub struct NativeLibraryError {
    path: String,
    problem: Problem,
}

impl NativeLibraryError {
    /// The file's path in the wheel.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The problem.
    pub fn problem(&self) -> &'static str {
        self.problem
    }
}
