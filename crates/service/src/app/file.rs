//! A file of settings under flags and environment, for any set of flags.
//!
//! What the file says, and neither a flag nor the environment does, is put on the command line; so it is checked like
//! everything there, and a contradiction between the sources is found as one between two flags is.

use std::any::TypeId;
use std::ffi::OsString;
use std::path::Path;

use clap::builder::Resettable::Reset;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, Parser};
use toml::{Table, Value};

use super::Failure;

/// The flag that names the file.
const CONFIG: &str = "config";

/// Why no settings came of a command line.
pub(super) enum Refused {
    /// They are wrong.
    Wrong(Failure),
    /// Help or the version was asked for.
    Shown(clap::Error),
}

/// Reads the command line, the environment, and the file that either of them names.
pub(super) fn parse<A: Parser>(mut line: Vec<OsString>) -> Result<A, Refused> {
    let command = A::command();
    match explicit(&command).try_get_matches_from(&line) {
        Ok(given) => {
            if let Some(path) = given.get_one::<OsString>(CONFIG) {
                let more = settings(&command, Path::new(path), &given).map_err(Refused::Wrong)?;
                line.splice(line.len().min(1)..line.len().min(1), more);
            }
            A::try_parse_from(line).map_err(refused)
        }
        // Said better by the whole command, which knows more; it fails on whatever this failed on.
        Err(error) => Err(refused(A::try_parse_from(line).err().unwrap_or(error))),
    }
}

fn refused(error: clap::Error) -> Refused {
    if error.use_stderr() {
        Refused::Wrong(Failure::configuration(format!("{} (--help lists the flags)", summary(&error))))
    } else {
        Refused::Shown(error)
    }
}

/// What an error of clap says, without the usage.
fn summary(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let telling = |line: &&str| !line.starts_with("Usage:") && !line.starts_with("For more information");
    let lines: Vec<_> = text.lines().map(str::trim).filter(telling).filter(|line| !line.is_empty()).collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}

/// The same flags without their rules: it tells only what was given, and whence.
fn explicit(command: &Command) -> Command {
    Command::new("").args(command.get_arguments().map(|arg| {
        let arg = free(arg);
        if takes_value(&arg) { arg.value_parser(clap::value_parser!(OsString)) } else { arg }
    }))
}

/// A flag that stands alone.
fn free(arg: &Arg) -> Arg {
    arg.clone().required(false).requires(Reset).conflicts_with(Reset).overrides_with(Reset).group(Reset)
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

/// The settings of a file as arguments, but those that were given otherwise.
fn settings(command: &Command, path: &Path, given: &ArgMatches) -> Result<Vec<OsString>, Failure> {
    let name = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::configuration(format!("--config {name}: {error}")))?;
    let table: Table = toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Failure::configuration(format!("--config {name}: line {line}: {}", error.message()))
    })?;
    let mut more = Vec::new();
    for (key, value) in &table {
        let wrong = |what: String| Failure::configuration(format!("--config {name}: {key}: {what}"));
        let arg = flag(command, key).ok_or_else(|| {
            wrong("unknown key; the keys are the long names of the flags, with _ for - (--help lists them)".to_owned())
        })?;
        let arguments = arguments(arg, value).map_err(wrong)?;
        check(arg, &arguments).map_err(wrong)?;
        let source = given.value_source(arg.get_id().as_str());
        if !matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable)) {
            more.extend(arguments.into_iter().map(OsString::from));
        }
    }
    Ok(more)
}

/// The flag of a key; a file does not name another.
fn flag<'a>(command: &'a Command, key: &str) -> Option<&'a Arg> {
    let named = |arg: &&Arg| arg.get_long().is_some_and(|long| long.replace('-', "_") == key);
    command.get_arguments().filter(|arg| arg.get_id() != CONFIG).find(named)
}

/// A value as it would stand on the command line.
fn arguments(arg: &Arg, value: &Value) -> Result<Vec<String>, String> {
    let long = arg.get_long().unwrap_or_default();
    let wrong = |expected: &str| Err(format!("expected {expected}, found {}", kind(value)));
    if !takes_value(arg) {
        return match value {
            Value::Boolean(true) => Ok(vec![format!("--{long}")]),
            Value::Boolean(false) => Ok(Vec::new()),
            _ => wrong("true or false"),
        };
    }
    match (value, arg.get_action()) {
        (Value::Array(values), ArgAction::Append) => {
            let one = |value: &Value| scalar(arg, value).map(|text| format!("--{long}={text}"));
            values.iter().map(one).collect()
        }
        _ => scalar(arg, value).map(|text| vec![format!("--{long}={text}")]),
    }
}

/// A single value, when it is of the type that the flag takes.
fn scalar(arg: &Arg, value: &Value) -> Result<String, String> {
    let taken = arg.get_value_parser().type_id();
    let integers = [
        TypeId::of::<u8>(),
        TypeId::of::<u16>(),
        TypeId::of::<u32>(),
        TypeId::of::<u64>(),
        TypeId::of::<usize>(),
        TypeId::of::<i32>(),
        TypeId::of::<i64>(),
    ];
    let float = taken == TypeId::of::<f64>() || taken == TypeId::of::<f32>();
    match value {
        Value::Integer(number) if float || integers.iter().any(|id| taken == *id) => Ok(number.to_string()),
        Value::Float(number) if float => Ok(number.to_string()),
        Value::String(text) if !float && !integers.iter().any(|id| taken == *id) => Ok(text.clone()),
        _ => {
            let expected = match () {
                () if float => "a number",
                () if integers.iter().any(|id| taken == *id) => "a whole number",
                () => "a string",
            };
            Err(format!("expected {expected}, found {}", kind(value)))
        }
    }
}

/// Tries the value alone, so that an error can name the file.
fn check(arg: &Arg, arguments: &[String]) -> Result<(), String> {
    let alone = Command::new("").no_binary_name(true).disable_help_flag(true).arg(free(arg));
    alone.try_get_matches_from(arguments).map(|_| ()).map_err(|error| summary(&error))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "an array",
        Value::Table(_) => "a table",
    }
}
