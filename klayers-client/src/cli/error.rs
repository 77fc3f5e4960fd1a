//! The errors of the command, and how they are reported.

use std::error::Error as StdError;
use std::io::{self, Write};

use klayers_core::secrets;

use super::print;
use crate::Error;

const FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;

/// Why the command stops early.
#[derive(Debug)]
pub(super) enum CommandError {
    /// clap's error, and the arguments, which may contain passwords. `--help` and `--version` are errors
    /// of clap, too.
    Arguments(clap::Error, Vec<String>),
    /// Wrong usage of the command.
    Usage(String),
    /// Wrong or missing values in the query on the standard input.
    Query(String),
    /// Nothing was found.
    NotFound(String),
    Client(Error),
    /// An error of the client, with a note that explains it.
    Explained(Box<Error>, String),
    #[cfg(feature = "aws")]
    Aws(Box<crate::aws::AwsError>),
    Read(io::Error),
    Write(io::Error),
}

impl CommandError {
    /// Turns wrong usage into a wrong query, since the query takes the place of arguments.
    pub(super) fn into_query_error(self) -> Self {
        match self {
            Self::Usage(message) => Self::Query(message),
            other => other,
        }
    }

    /// Prints the error and returns the exit code. A failure to print is ignored.
    pub(super) fn report(self, out: &mut impl Write, err: &mut impl Write) -> u8 {
        match self {
            Self::Arguments(error, given) if error.use_stderr() => {
                let shown = error.render().ansi().to_string();
                // clap may show only the value of `--option=value`.
                let values = given.iter().filter_map(|argument| Some(argument.split_once('=')?.1));
                let given = given.iter().map(String::as_str).chain(values);
                let _ = write!(err, "{}", secrets::hide_in_message(&shown, given));
                WRONG_USAGE
            }
            Self::Arguments(help, _) => {
                match write!(out, "{}", help.render().ansi()).and_then(|()| out.flush()) {
                    Ok(()) => 0,
                    Err(error) => Self::Write(error).report(out, err),
                }
            }
            Self::Usage(message) => {
                let _ = print::error_message(err, &message, None);
                let _ = writeln!(err, "\nFor more information, try '--help'.");
                WRONG_USAGE
            }
            Self::Query(message) | Self::NotFound(message) => {
                let _ = print::error_message(err, &message, None);
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
                let _ = print::error_message(err, &error.to_string(), error.source());
                FAILED
            }
            Self::Read(error) => {
                let cause: &(dyn StdError + 'static) = &error;
                let _ = print::error_message(err, "could not read the standard input", Some(cause));
                FAILED
            }
            // The reader closed the pipe, as `head` does.
            Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Write(error) => {
                let cause: &(dyn StdError + 'static) = &error;
                let _ = print::error_message(err, "could not write the result", Some(cause));
                FAILED
            }
        }
    }
}

impl From<Error> for CommandError {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

#[cfg(feature = "aws")]
impl From<crate::aws::AwsError> for CommandError {
    fn from(error: crate::aws::AwsError) -> Self {
        Self::Aws(Box::new(error))
    }
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}
