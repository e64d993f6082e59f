//! Lines of a stream of server-sent events, and the chunks in them.

use serde::Deserialize;

use crate::Error;

/// The longest line, in bytes; a token takes some hundred.
const MOST_LINE: usize = 256 * 1024;

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// A piece of the answer.
    Chunk(Chunk),
    /// There is no more.
    Done,
}

/// A piece of the answer, as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(super) struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    pub(super) usage: Option<Counts>,
    /// What has gone wrong meanwhile; its words are not repeated.
    #[serde(default)]
    error: Option<serde_json::Value>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
struct Delta {
    #[serde(default)]
    content: Option<String>,
}

/// What the server counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Counts {
    pub(super) prompt_tokens: u32,
    #[serde(default)]
    pub(super) completion_tokens: u32,
    #[serde(default)]
    prompt_tokens_details: Option<Details>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
struct Details {
    #[serde(default)]
    cached_tokens: Option<u32>,
}

impl Counts {
    /// Where the server counts nothing.
    pub(super) const fn unknown() -> Self {
        Self { prompt_tokens: 0, completion_tokens: 0, prompt_tokens_details: None }
    }

    pub(super) fn cached(&self) -> u32 {
        self.prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0)
    }
}

impl Chunk {
    pub(super) fn text(&self) -> &str {
        self.choices.first().and_then(|choice| choice.delta.content.as_deref()).unwrap_or("")
    }

    pub(super) fn finish(&self) -> Option<&str> {
        self.choices.first().and_then(|choice| choice.finish_reason.as_deref())
    }
}

/// Collects bytes into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    open: Vec<u8>,
}

impl Lines {
    /// Takes bytes, cut anywhere; appends what the lines that are complete now say to `said`, up to the first wrong one.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a line that is too long or says nothing known, [`Error::Unavailable`] where the server
    /// says that it failed.
    pub(super) fn push(&mut self, bytes: &[u8], said: &mut Vec<Said>) -> Result<(), Error> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end);
            self.add(line)?;
            said.extend(read(&std::mem::take(&mut self.open))?);
            rest = after.get(1..).unwrap_or_default();
        }
        self.add(rest)
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.open.len() + bytes.len() > MOST_LINE {
            return Err(Error::Malformed("a line is too long"));
        }
        self.open.extend_from_slice(bytes);
        Ok(())
    }
}

/// What a line says; nothing for comments, other fields and empty lines.
fn read(line: &[u8]) -> Result<Option<Said>, Error> {
    let line = std::str::from_utf8(line).map_err(|_| Error::Malformed("a line is no UTF-8"))?;
    let Some(data) = line.trim_end_matches('\r').strip_prefix("data:").map(str::trim) else { return Ok(None) };
    if data == "[DONE]" {
        return Ok(Some(Said::Done));
    }
    let chunk: Chunk = serde_json::from_str(data).map_err(|_| Error::Malformed("an event is no chunk of an answer"))?;
    if chunk.error.is_some() {
        return Err(Error::Unavailable("it failed while it answered"));
    }
    Ok(Some(Said::Chunk(chunk)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": hello\r\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\r\n\r\n\
        event: x\ndata: {\"choices\":[{\"delta\":{\"content\":\"甲\"},\"finish_reason\":null}],\"usage\":null}\n\n\
        data:{\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n\
        data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\ndata: [DONE]\n\n";

    #[test]
    fn lines_do_not_depend_on_how_they_were_cut() {
        let mut whole = Vec::new();
        Lines::default().push(STREAM.as_bytes(), &mut whole).unwrap();
        assert_eq!(whole.len(), 5);
        let (Said::Chunk(text), Said::Chunk(finish), Said::Chunk(usage)) = (&whole[1], &whole[2], &whole[3]) else {
            panic!("{whole:?}")
        };
        assert_eq!((text.text(), text.finish(), finish.finish()), ("甲", None, Some("length")));
        assert_eq!(usage.usage.map(|counts| (counts.prompt_tokens, counts.cached())), Some((5, 4)));
        assert_eq!(whole[4], Said::Done);
        for size in 1..7 {
            let (mut lines, mut said) = (Lines::default(), Vec::new());
            STREAM.as_bytes().chunks(size).for_each(|bytes| lines.push(bytes, &mut said).unwrap());
            assert_eq!(said, whole, "{size}");
        }
    }

    #[test]
    fn what_is_no_event_is_told_in_fixed_words() {
        let fails = |bytes: &[u8]| Lines::default().push(bytes, &mut Vec::new()).unwrap_err();
        assert!(matches!(fails(b"data: secret\n"), Error::Malformed(why) if !why.contains("secret")));
        assert!(matches!(fails(b"data: \xff\n"), Error::Malformed(_)));
        assert!(matches!(fails(b"data: {\"error\":{\"message\":\"secret\"}}\n"), Error::Unavailable(_)));
        assert!(matches!(fails(&vec![b'a'; MOST_LINE + 1]), Error::Malformed(_)));
        let mut said = Vec::new();
        let good = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\ndata: x\n";
        assert!(Lines::default().push(good.as_bytes(), &mut said).is_err());
        assert_eq!(said.len(), 1, "what came before is kept");
    }
}
