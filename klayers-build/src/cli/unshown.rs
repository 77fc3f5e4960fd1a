//! Errors about arguments that may contain a password: the argument is not shown.

use std::ffi::{OsStr, OsString};

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};
use klayers_core::secrets;
use klayers_layer::resolve::SourceLocationError;

/// Parses the value of an argument. The error states the reason without the value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unshown<T>(pub(super) fn(&str) -> Result<T, SourceLocationError>);

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Unshown<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, Error> {
        let argument = argument.map(ToString::to_string).unwrap_or_default();
        // Text that is not Unicode is no URL either.
        (self.0)(&value.to_string_lossy()).map_err(|error| {
            let message = format!("the value of '{argument}' {error}\n");
            Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }
}

/// clap's error message without those of the given arguments that may contain a password.
pub(super) fn shown(error: &Error, given: &[OsString]) -> String {
    let given: Vec<String> = given.iter().map(|text| text.to_string_lossy().into_owned()).collect();
    // clap may show only the value of `--option=value`.
    let values = given.iter().filter_map(|argument| Some(argument.split_once('=')?.1));
    let given = given.iter().map(String::as_str).chain(values);
    secrets::hide_in_message(&error.render().ansi().to_string(), given)
}
