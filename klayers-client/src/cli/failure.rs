//! Why the command ends early, and how that is told.

use std::error::Error as StdError;
use std::io::{self, Write};

use klayers_core::secrets;

use super::print;
use crate::Error;

const FAILED: u8 = 1;
const BAD_USAGE: u8 = 2;

/// Why the command ends early.
#[derive(Debug)]
pub(super) enum Failure {
    /// What clap made of the arguments, and these, any of which may hold a password; the answer to
    /// `--help` and `--version` too.
    Arguments(clap::Error, Vec<String>),
    Usage(String),
    /// What the query on the standard input says, or leaves open.
    Query(String),
    /// What was looked for and not found.
    NotFound(String),
    Client(Error),
    /// The same, with what would be found otherwise.
    Explained(Box<Error>, String),
    #[cfg(feature = "aws")]
    Aws(Box<crate::aws::AwsError>),
    Read(io::Error),
    Write(io::Error),
}

impl Failure {
    /// The same, where a query said what else the arguments do.
    pub(super) fn of_query(self) -> Self {
        match self {
            Self::Usage(message) => Self::Query(message),
            other => other,
        }
    }

    /// Prints what happened, and gives the exit code. Where it cannot be printed, the code alone
    /// has to tell.
    pub(super) fn tell(self, out: &mut impl Write, err: &mut impl Write) -> u8 {
        match self {
            Self::Arguments(error, given) if error.use_stderr() => {
                let shown = error.render().ansi().to_string();
                // Of `--option=value` the value may be shown alone.
                let values = given.iter().filter_map(|argument| Some(argument.split_once('=')?.1));
                let given = given.iter().map(String::as_str).chain(values);
                let _ = write!(err, "{}", secrets::without(&shown, given));
                BAD_USAGE
            }
            Self::Arguments(help, _) => {
                match write!(out, "{}", help.render().ansi()).and_then(|()| out.flush()) {
                    Ok(()) => 0,
                    Err(error) => Self::Write(error).tell(out, err),
                }
            }
            Self::Usage(message) => {
                let _ = print::failure(err, &message, None);
                let _ = writeln!(err, "\nFor more information, try '--help'.");
                BAD_USAGE
            }
            Self::Query(message) | Self::NotFound(message) => {
                let _ = print::failure(err, &message, None);
                FAILED
            }
            Self::Client(error) => {
                let _ = print::error(err, &error);
                FAILED
            }
            Self::Explained(error, note) => {
                let _ = print::error(err, &error);
                let _ = print::note(err, &note);
                FAILED
            }
            #[cfg(feature = "aws")]
            Self::Aws(error) => {
                let _ = print::failure(err, &error.to_string(), error.source());
                FAILED
            }
            Self::Read(error) => {
                let cause: &(dyn StdError + 'static) = &error;
                let _ = print::failure(err, "the standard input could not be read", Some(cause));
                FAILED
            }
            // Whoever reads has read enough, as `head` does.
            Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Write(error) => {
                let cause: &(dyn StdError + 'static) = &error;
                let _ = print::failure(err, "the result could not be written", Some(cause));
                FAILED
            }
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

#[cfg(feature = "aws")]
impl From<crate::aws::AwsError> for Failure {
    fn from(error: crate::aws::AwsError) -> Self {
        Self::Aws(Box::new(error))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}
