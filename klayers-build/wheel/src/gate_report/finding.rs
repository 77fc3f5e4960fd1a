use std::fmt;

use klayers_core::terminal::error_chain;
use klayers_core::{AbiVersion, PythonVersion, Target};
use serde::{Deserialize, Serialize};

use crate::Size;
use crate::{Class, Machine, Notice, RecordFaults, RequiredVersion};

/// How many files or distributions a finding names.
const NAMED: usize = 5;

/// Severity of a finding. Errors sort before warnings.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The layer, or part of it, cannot work.
    Error,
    /// The layer may work.
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
    /// The file's path in the wheel.
    pub path: String,
}

impl fmt::Display for LayerFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {}", self.path, self.wheel)
    }
}

/// A rule that a layer breaks, or another fact worth knowing, with the place where it was found.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Finding {
    /// A native library is built for another processor.
    Machine {
        /// The file.
        file: LayerFile,
        /// The library's processor.
        machine: Machine,
        /// The width of the library's addresses.
        class: Class,
        /// The layer's target.
        target: Target,
        /// Whether something in the layer would load the library. A program for another processor
        /// that nothing loads does no harm.
        #[serde(default = "yes")]
        loaded: bool,
        /// Whether the finding is an error even if no import loaded the library: Python would
        /// import it as a module, or its wheel has no library for the target's processor at all.
        #[serde(default = "yes")]
        indispensable: bool,
    },
    /// A native library requires a newer version of a system library than the runtime has.
    NewerVersion {
        /// The file.
        file: LayerFile,
        /// The required version.
        required: RequiredVersion,
        /// The newest version that the runtime has.
        newest: AbiVersion,
    },
    /// A native library requires a version that is not a number, and it is unknown whether the
    /// runtime has it.
    UnknownVersion {
        /// The file.
        file: LayerFile,
        /// The required version.
        required: RequiredVersion,
    },
    /// A native library needs another that is neither in the layer nor in the runtime.
    MissingLibrary {
        /// The file.
        file: LayerFile,
        /// The missing library.
        library: String,
        /// Whether importing a module of the layer loads the file. This is known from the processes
        /// that imported the modules, or otherwise derived from the dependencies between files. A
        /// file that is not loaded is a plugin or a program that the rest works without.
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
    /// Imports are required, but the modules were not imported.
    NotImported {
        /// The reason.
        reason: String,
    },
    /// An extension module is tagged for another Python, and there is no fitting one of its name.
    OtherPython {
        /// The file.
        file: LayerFile,
        /// Its tag, for example `cpython-311-x86_64-linux-gnu`.
        tag: String,
        /// The layer's target.
        target: Target,
    },
    /// The layer has no files of any distribution.
    Empty,
    /// The layer exceeds Lambda's size limit or comes close to it.
    Large {
        /// The unpacked size, in bytes.
        size: u64,
        /// The limit, in bytes.
        limit: u64,
        /// The largest distributions with their unpacked sizes in bytes, largest first.
        biggest: Vec<(String, u64)>,
    },
    /// Something about a wheel is unusual, but no reason to refuse it.
    Unusual {
        /// The wheel's file name.
        wheel: String,
        /// The unusual property.
        notice: Notice,
    },
    /// Files or folders of two wheels collide when case and Unicode composition are ignored.
    NamesAlike {
        /// The first file or folder, with its path where it is installed.
        first: LayerFile,
        /// The second file or folder, with its path where it is installed.
        second: LayerFile,
    },
    /// The `RECORD` of a wheel is faulty, and this was accepted.
    AcceptedRecord(AcceptedRecord),
    /// Several distributions have these files with different content, and the files belong to no
    /// module. None of them is in the layer.
    LeftOut {
        /// The paths where the files would be installed. A folder ends with a slash.
        paths: Vec<String>,
        /// The distributions with their versions.
        distributions: Vec<String>,
    },
    /// Several distributions declare a namespace package with different code. One of the files is
    /// in the layer.
    SharedNamespace {
        /// The path where the file is installed.
        path: String,
        /// The distribution whose file was kept, with its version.
        kept: String,
        /// The other distributions.
        others: Vec<String>,
    },
    /// The layer has no bytecode, although bytecode was requested where possible.
    WithoutBytecode(WithoutBytecode),
}

/// A wheel with a faulty `RECORD`, which was accepted for its package.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct AcceptedRecord {
    /// The wheel's file name.
    pub wheel: String,
    /// The faults.
    pub faults: RecordFaults,
}

impl fmt::Display for AcceptedRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: accepted although {}", self.wheel, self.faults)
    }
}

/// Why a layer has no bytecode although it was requested where possible.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WithoutBytecode {
    /// No interpreter of this version was found.
    NoInterpreter(PythonVersion),
    /// With bytecode, the layer would exceed Lambda's size limit.
    TooLarge,
    /// A wheel could not be compiled. Contains the error message.
    Failed(String),
}

impl WithoutBytecode {
    /// Creates the reason from an error. Control characters, which could steer a terminal, are
    /// replaced, since the text comes from tools.
    pub fn failed(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::Failed(error_chain(error).replace(char::is_control, "\u{fffd}"))
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

/// Default for reports that were stored before the field existed.
fn yes() -> bool {
    true
}

impl Finding {
    /// Returns the severity.
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
                    "{file} is built for {machine}, {bits} bits; {target} needs {expected}, 64 bits"
                )
            }
            Self::NewerVersion { file, required, newest } => {
                write!(
                    formatter,
                    "{file} needs {}; the runtime has versions up to {newest}",
                    Requirement(required)
                )
            }
            Self::UnknownVersion { file, required } => {
                write!(
                    formatter,
                    "{file} needs {}, which the runtime may not have",
                    Requirement(required)
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
            Self::Empty => formatter.write_str("the layer has no files of any distribution"),
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
                let (verb, them) = if paths.len() == 1 { ("was", "it") } else { ("were", "them") };
                write!(
                    formatter,
                    "{} {verb} left out: {} have different content for {them}, and no module needs \
                     {them}",
                    listed(paths),
                    listed(distributions)
                )
            }
            Self::SharedNamespace { path, kept, others } => {
                write!(
                    formatter,
                    "{path} only declares a namespace, with different code in {kept} and {}; the \
                     file of {kept} was kept",
                    listed(others)
                )
            }
            Self::WithoutBytecode(reason) => {
                write!(formatter, "the layer has no bytecode: {reason}")
            }
        }
    }
}

/// Lists the first names, separated by commas, and the number of others.
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

/// A required version, with the symbol that requires it.
struct Requirement<'a>(&'a RequiredVersion);

impl fmt::Display for Requirement<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RequiredVersion { name, library, symbol } = self.0;
        write!(formatter, "{name} of {library}")?;
        symbol.as_ref().map_or(Ok(()), |symbol| write!(formatter, " (for {symbol})"))
    }
}
