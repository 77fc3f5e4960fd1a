//! Arguments that are refused without being shown, since they may hold a password.

use std::ffi::{OsStr, OsString};

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};
use klayers_core::secrets;
use klayers_layer::resolve::SourceLocationError;

/// Reads the value of an argument. Of a value that cannot be read only the reason is shown.
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
        // What is not Unicode is no URL either.
        (self.0)(&value.to_string_lossy()).map_err(|error| {
            let message = format!("the value of '{argument}' {error}\n");
            Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }
}

/// What clap says about arguments that it does not understand, without those in it that may hold a
/// password.
pub(super) fn shown(error: &Error, given: &[OsString]) -> String {
    let given: Vec<String> = given.iter().map(|text| text.to_string_lossy().into_owned()).collect();
    // Of `--option=value` the value may be shown alone.
    let values = given.iter().filter_map(|argument| Some(argument.split_once('=')?.1));
    let given = given.iter().map(String::as_str).chain(values);
    secrets::hide_in_message(&error.render().ansi().to_string(), given)
}
