use klayers_core::{AbiVersion, Architecture};
use object::Endianness;
use object::elf::{ELFCLASS32, ELFCLASS64, ELFMAG, FileClass, FileHeader32, FileHeader64};
use serde::{Deserialize, Serialize};

mod elf;

use elf::Problem;

/// A shared library or an executable in the ELF format: what it is made for, and what it asks of
/// the system it is loaded on.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct NativeLibrary {
    /// Its path in the wheel.
    pub path: String,
    /// The width of its addresses.
    pub class: Class,
    /// The processor it is made for.
    pub machine: Machine,
    /// The name that other libraries ask for it by, if it says so itself.
    pub soname: Option<String>,
    /// The libraries that are loaded with it, in the order it names them (`DT_NEEDED`).
    pub needed: Vec<String>,
    /// The versions that it requires of system libraries: of each library and
    /// [interface](Interface) the newest, and those whose names are no numbers. Sorted by library.
    ///
    /// Those that are only referred to weakly are left out: it loads without them.
    pub versions: Vec<RequiredVersion>,
    /// The program that is to load it (`ld-linux`), if it is an executable that needs one.
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

/// A processor.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Machine {
    /// 64-bit x86.
    X86_64,
    /// 64-bit ARM, little-endian.
    Aarch64,
    /// Another, by its
    /// [number in ELF files](https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html).
    Other(u16),
}

impl Machine {
    /// Whether this is what a Lambda architecture runs.
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
            Self::Other(number) => write!(formatter, "machine {number}"),
        }
    }
}

/// A version that a library requires of another.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RequiredVersion {
    /// Its name: `GLIBC_2.34`.
    pub name: String,
    /// The library that is to have it: `libc.so.6`.
    pub library: String,
    /// A symbol that is asked for in this version. None where no symbol is: some versions only
    /// stand for an ability of the C library, such as `GLIBC_ABI_DT_RELR`.
    pub symbol: Option<String>,
}

/// An interface of the system's libraries that is versioned.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Interface {
    /// The C library.
    Glibc,
    /// The C++ library.
    Glibcxx,
    /// What C++ compilers rely on (exceptions, type information).
    Cxxabi,
}

impl Interface {
    const ALL: [Self; 3] = [Self::Glibc, Self::Glibcxx, Self::Cxxabi];

    /// What the names of its versions begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Glibc => "GLIBC_",
            Self::Glibcxx => "GLIBCXX_",
            Self::Cxxabi => "CXXABI_",
        }
    }
}

impl RequiredVersion {
    /// Of which interface it is, and its number if its name is one.
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
    /// Reads a file of a wheel; none if it is not in the ELF format. Neither is one that only a
    /// linker reads, since nothing loads it: an object file (`.o`), and a static library (`.a`),
    /// which is not ELF itself. The same holds for memory dumps.
    ///
    /// Only what a loader looks at is read: the program headers and the dynamic section that they
    /// point to. Section headers may be missing, and may say something else.
    ///
    /// # Errors
    ///
    /// If the file is cut off, contradicts itself, or asks for more than any real one does. Some
    /// wheels carry such files as test data.
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

/// A file that begins as an ELF file does, and is none that can be loaded.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path} is no sound ELF file: {problem}")]
pub struct NativeLibraryError {
    path: String,
    problem: Problem,
}

impl NativeLibraryError {
    /// The file's path in the wheel.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong with it.
    pub fn problem(&self) -> &'static str {
        self.problem
    }
}
