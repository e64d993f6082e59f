//! A consultation in the terminal, or scripted over standard input.

mod clinician;
mod connect;
mod input;
mod json;
mod json_form;
mod patient;
mod photo;
mod remembered;
mod render;
mod terminal;
mod ui;
mod wrap;

use wenzhen_pack::Locale;

use crate::args::ChatArgs;

pub use patient::parse as parse_patient;

/// Runs a chat.
///
/// # Errors
/// When nothing can be started or connected to.
pub async fn run(args: ChatArgs) -> anyhow::Result<()> {
    if args.json { json::run(args).await } else { terminal::run(args).await }
}

/// The language of the first words: as asked for, else that of the user's locale, else Chinese.
fn locale(args: &ChatArgs) -> Locale {
    let asked = args.lang.map(Locale::from);
    let environment = &args.environment;
    let of_user = || {
        [&environment.lc_all, &environment.lc_messages, &environment.lang_variable]
            .into_iter()
            .flatten()
            .filter(|value| !value.is_empty())
            .find_map(|value| Locale::from_tag(value))
    };
    asked.or_else(of_user).unwrap_or(Locale::Zh)
}
