use std::fmt;

use klayers_core::{AbiVersion, PythonVersion, Target};
use serde::{Deserialize, Serialize};

use crate::Size;
use crate::{Class, Machine, Notice, RecordFaults, RequiredVersion};

/// How many files or distributions a finding names.
const NAMED: usize = 5;

/// How bad a finding is. Errors come before warnings.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The layer, or a part of it, cannot work.
    Error,
    /// It may work.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// A file of a layer, and the wheel it came from.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct LayerFile {
    /// The wheel's file name.
    pub wheel: String,
    /// The file's path in it.
    pub path: String,
}

impl fmt::Display for LayerFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {}", self.path, self.wheel)
    }
}

/// A rule that a layer does not keep, or what is worth knowing of it, and where.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Finding {
    /// A native library is made for another processor.
    Machine {
        /// The file.
        file: LayerFile,
        /// The processor it is made for.
        machine: Machine,
        /// The width of its addresses.
        class: Class,
        /// What the layer is for.
        target: Target,
        /// Whether something in the layer would load it. A program that is made for another
        /// processor, and that nothing loads, does no harm.
        #[serde(default = "yes")]
        loaded: bool,
        /// Whether it counts although no import loaded it: Python would import it as a module, or
        /// its wheel has no library for the target's processor at all.
        #[serde(default = "yes")]
        indispensable: bool,
    },
    /// A native library requires a newer version of a system library than the runtime has.
    NewerVersion {
        /// The file.
        file: LayerFile,
        /// What it requires.
        required: RequiredVersion,
        /// The newest version that the runtime has.
        newest: AbiVersion,
    },
    /// A native library requires a version that is no number, and of which it is not known whether
    /// the runtime has it.
    UnknownVersion {
        /// The file.
        file: LayerFile,
        /// What it requires.
        required: RequiredVersion,
    },
    /// A native library needs another that is neither in the layer nor in the runtime.
    MissingLibrary {
        /// The file.
        file: LayerFile,
        /// The library it needs.
        library: String,
        /// Whether importing a module of the layer loads the file: as the processes showed that
        /// imported the modules, or else as far as the files ask for each other. What is not loaded
        /// is a plugin or a program, and the rest works without it.
        loaded: bool,
    },
    /// Importing a module loads a library of this machine that is neither in the layer nor in the
    /// runtime.
    OutsideLibrary {
        /// The library.
        library: String,
        /// The modules whose import loads it, sorted.
        modules: Vec<String>,
    },
    /// The modules must be imported, and were not.
    NotImported {
        /// Why not.
        reason: String,
    },
    /// An extension module is tagged for another Python, and none of its name fits.
    OtherPython {
        /// The file.
        file: LayerFile,
        /// Its tag: `cpython-311-x86_64-linux-gnu`.
        tag: String,
        /// What the layer is for.
        target: Target,
    },
    /// The layer holds nothing.
    Empty,
    /// The layer is larger than a function may be, or almost.
    Large {
        /// Its unpacked size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
        /// Its biggest distributions with their unpacked sizes in bytes, the biggest first.
        biggest: Vec<(String, u64)>,
    },
    /// There is something unusual about a wheel, which was no reason to refuse it.
    Unusual {
        /// The wheel's file name.
        wheel: String,
        /// What it is.
        notice: Notice,
    },
    /// Files of two wheels, or folders of theirs, have names that are one where letters are not told
    /// apart by case or by how they are composed.
    NamesAlike {
        /// The one, with its path where it is installed.
        first: LayerFile,
        /// The other, in the same way.
        second: LayerFile,
    },
    /// The `RECORD` of a wheel does not describe it, and that was accepted.
    AcceptedRecord(AcceptedRecord),
    /// Several distributions have these files with different content, and they are no part of a
    /// module. None of them is in the layer.
    LeftOut {
        /// Their paths where they would be installed. A folder ends with a slash.
        paths: Vec<String>,
        /// The distributions with their versions.
        distributions: Vec<String>,
    },
    /// Several distributions declare a namespace package in different words. One of the files is in
    /// the layer.
    SharedNamespace {
        /// Its path where it is installed.
        path: String,
        /// The distribution whose file it is, with its version.
        kept: String,
        /// The other distributions.
        others: Vec<String>,
    },
    /// The layer has no bytecode, although it was to have some if that could be.
    WithoutBytecode(WithoutBytecode),
}

/// A wheel whose `RECORD` does not describe it, which was accepted for its package.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct AcceptedRecord {
    /// The wheel's file name.
    pub wheel: String,
    /// What is wrong.
    pub faults: RecordFaults,
}

impl fmt::Display for AcceptedRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: accepted although {}", self.wheel, self.faults)
    }
}

/// Why a layer has no bytecode although it could.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WithoutBytecode {
    /// There is no interpreter of the version.
    NoInterpreter(PythonVersion),
    /// It would unpack to more than Lambda takes.
    TooLarge,
    /// A wheel could not be compiled, and this is why.
    Failed(String),
}

impl WithoutBytecode {
    /// After this error. Tools choose what it says, so that what would steer a terminal is replaced.
    pub fn failed(error: &dyn std::error::Error) -> Self {
        let causes = std::iter::successors(Some(error), |error| error.source());
        let causes: Vec<String> = causes.map(ToString::to_string).collect();
        let text = causes.join(": ");
        let words: Vec<&str> = text.split_whitespace().collect();
        Self::Failed(words.join(" ").replace(char::is_control, "\u{fffd}"))
    }
}

impl fmt::Display for WithoutBytecode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInterpreter(python) => {
                write!(formatter, "no interpreter of Python {python} was found")
            }
            Self::TooLarge => {
                formatter.write_str("with it, the layer would unpack to more than Lambda takes")
            }
            Self::Failed(message) => formatter.write_str(message),
        }
    }
}

/// What reports say that were stored before there was the field.
fn yes() -> bool {
    true
}

impl Finding {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::UnknownVersion { .. }
            | Self::LeftOut { .. }
            | Self::SharedNamespace { .. }
            | Self::MissingLibrary { loaded: false, .. }
            | Self::Machine { loaded: false, .. }
            | Self::Unusual { .. }
            | Self::NamesAlike { .. }
            | Self::AcceptedRecord(_)
            | Self::WithoutBytecode(_) => Severity::Warning,
            Self::Large { size, limit, .. } if size <= limit => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine { file, machine, class, target, .. } => {
                let bits = match class {
                    Class::Elf32 => 32,
                    Class::Elf64 => 64,
                };
                let expected = target.architecture.machine();
                write!(
                    formatter,
                    "{file} is made for {machine}, {bits} bits; {target} needs {expected}, 64 bits"
                )
            }
            Self::NewerVersion { file, required, newest } => {
                write!(
                    formatter,
                    "{file} needs {}; the runtime has versions up to {newest}",
                    Asked(required)
                )
            }
            Self::UnknownVersion { file, required } => {
                write!(
                    formatter,
                    "{file} needs {}, which the runtime may not have",
                    Asked(required)
                )
            }
            Self::MissingLibrary { file, library, .. } => {
                write!(
                    formatter,
                    "{file} needs {library}, which is neither in the layer nor in the runtime"
                )
            }
            Self::OutsideLibrary { library, modules } => {
                write!(
                    formatter,
                    "importing {} loads {library}, which is neither in the layer nor in the runtime",
                    modules.join(", ")
                )
            }
            Self::NotImported { reason } => {
                write!(formatter, "[gate] imports is \"required\", but {reason}")
            }
            Self::OtherPython { file, tag, target } => {
                write!(
                    formatter,
                    "{file} is an extension module for {tag}, which {target} does not load"
                )
            }
            Self::Empty => formatter.write_str("the layer holds no files of any distribution"),
            Self::Large { size, limit, biggest } => {
                write!(
                    formatter,
                    "the layer unpacks to {}; Lambda takes {} for a function and all its layers; \
                     the biggest are",
                    Size(*size),
                    Size(*limit)
                )?;
                for (at, (distribution, size)) in biggest.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    write!(formatter, "{comma} {distribution} ({})", Size(*size))?;
                }
                Ok(())
            }
            Self::Unusual { wheel, notice } => write!(formatter, "{wheel}: {notice}"),
            Self::NamesAlike { first, second } => {
                write!(
                    formatter,
                    "{first} and {second} collide on file systems that ignore case or Unicode composition"
                )
            }
            Self::AcceptedRecord(accepted) => accepted.fmt(formatter),
            Self::LeftOut { paths, distributions } => {
                let verb = if paths.len() == 1 { "was" } else { "were" };
                write!(
                    formatter,
                    "{} {verb} left out: {} have them with different content, and no module \
                     needs them",
                    listed(paths),
                    listed(distributions)
                )
            }
            Self::SharedNamespace { path, kept, others } => {
                write!(
                    formatter,
                    "{path} only declares a namespace, in {kept} and, in other words, in {}; the \
                     file of {kept} was taken",
                    listed(others)
                )
            }
            Self::WithoutBytecode(reason) => {
                write!(formatter, "the layer has no bytecode: {reason}")
            }
        }
    }
}

/// The first of some names, with commas between them.
fn listed(names: &[String]) -> String {
    match names.split_at_checked(NAMED) {
        Some((first, [_, _, ..])) => {
            format!("{} and {} others", first.join(", "), names.len() - NAMED)
        }
        _ => match names {
            [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
            _ => names.join(", "),
        },
    }
}

/// A required version, with the symbol that asks for it.
struct Asked<'a>(&'a RequiredVersion);

impl fmt::Display for Asked<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RequiredVersion { name, library, symbol } = self.0;
        write!(formatter, "{name} of {library}")?;
        symbol.as_ref().map_or(Ok(()), |symbol| write!(formatter, " (for {symbol})"))
    }
}
