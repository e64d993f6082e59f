//! Lua scripts: sent by their digest, with their text only to a server that has not seen them.

use redis::{Arg, Cmd, ToRedisArgs};

/// A script; make one and keep it.
#[derive(Debug, Clone)]
pub struct Script {
    code: &'static str,
    digest: String,
}

impl Script {
    /// Reads a script. All keys that it touches must be among those it is called with and, for a cluster, share a slot.
    pub fn new(code: &'static str) -> Self {
        Self { code, digest: redis::Script::new(code).get_hash().to_owned() }
    }

    /// Prepares a call on these keys.
    pub fn call<K: ToRedisArgs>(&self, keys: &[K]) -> Call<'_> {
        let mut command = Cmd::new();
        command.arg("EVALSHA").arg(&self.digest).arg(keys.len());
        for key in keys {
            command.arg(key);
        }
        Call { script: self, command }
    }
}

/// A call of a script with its keys and arguments. May be run many times.
#[derive(Debug, Clone)]
pub struct Call<'s> {
    script: &'s Script,
    command: Cmd,
}

impl Call<'_> {
    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, value: impl ToRedisArgs) -> Self {
        self.command.arg(value);
        self
    }

    pub(crate) fn by_digest(&self) -> &Cmd {
        &self.command
    }

    /// The same call with the script's text, after which the server knows it.
    pub(crate) fn by_text(&self) -> Cmd {
        let mut command = Cmd::with_capacity(self.command.args_iter().len(), self.script.code.len());
        command.arg("EVAL").arg(self.script.code);
        for arg in self.command.args_iter().skip(2) {
            if let Arg::Simple(bytes) = arg {
                command.arg(bytes);
            }
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_takes_the_place_of_the_digest_and_the_rest_stays() {
        let script = Script::new("return ARGV[1]");
        let call = script.call(&["k"]).arg("a").arg(7);
        let words = |command: &Cmd| -> Vec<String> {
            let words = command.args_iter().map(|arg| match arg {
                Arg::Simple(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                _ => String::new(),
            });
            words.collect()
        };
        assert_eq!(words(call.by_digest())[2..], ["1", "k", "a", "7"]);
        assert_eq!(words(&call.by_text()), ["EVAL", "return ARGV[1]", "1", "k", "a", "7"]);
    }
}
