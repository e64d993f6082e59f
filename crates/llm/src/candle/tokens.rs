//! Between text and tokens: the model's tokenizer, and the bytes of every token, so that a text streams in whole
//! characters.

use std::collections::HashMap;
use std::path::Path;

use candle_core::quantized::gguf_file::{Content, Value};
use tokenizers::decoders::DecoderWrapper;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

use super::error::LoadError;

/// A tokenizer whose tokens are pieces of bytes.
pub(crate) struct Tokens {
    tokenizer: Tokenizer,
    /// The bytes of each token; empty for marks and for ids that stand for nothing.
    bytes: Vec<Vec<u8>>,
    /// Marks by id, as they are written.
    marks: HashMap<u32, String>,
    /// Tokens that end a turn, ascending.
    ends: Vec<u32>,
    /// Whether an id stands for something. Asked for every token of the vocabulary at every draw.
    drawable: Vec<bool>,
}

/// Marks that end a turn in the families that are served, whatever the configuration says.
const ENDS: [&str; 3] = ["<|im_end|>", "<|eot_id|>", "<|endoftext|>"];

impl Tokens {
    /// From a `tokenizer.json`.
    pub(crate) fn from_file(path: &Path, rows: usize, ends: &[u32]) -> Result<Self, LoadError> {
        let text = std::fs::read(path).map_err(|error| LoadError::file(path, error))?;
        let tokenizer = Tokenizer::from_bytes(text).map_err(|error| LoadError::Tokenizer(error.to_string()))?;
        Self::new(tokenizer, rows, ends)
    }

    /// From a GGUF file's metadata.
    pub(crate) fn from_gguf(content: &Content, rows: usize, ends: &[u32]) -> Result<Self, LoadError> {
        Self::new(gguf_tokenizer(content)?, rows, ends)
    }

    /// `rows` is the number of rows of the embedding, `ends` what the configuration says.
    fn new(tokenizer: Tokenizer, rows: usize, ends: &[u32]) -> Result<Self, LoadError> {
        if !matches!(tokenizer.get_decoder(), Some(DecoderWrapper::ByteLevel(_))) {
            return Err(LoadError::Tokenizer("only tokenizers over bytes are supported".into()));
        }
        let added = tokenizer.get_added_tokens_decoder();
        let vocabulary = tokenizer.get_vocab(true);
        let size = vocabulary.values().max().map_or(0, |last| *last as usize + 1);
        if size > rows {
            let reason = format!("it has {size} tokens, the model {rows}: it is another model's");
            return Err(LoadError::Tokenizer(reason));
        }
        let unicode = byte_of_character();
        let mut bytes = vec![Vec::new(); size];
        for (token, id) in vocabulary.into_iter().filter(|(_, id)| !added.contains_key(id)) {
            let spelt: Option<Vec<u8>> = token.chars().map(|c| unicode.get(&c).copied()).collect();
            let spelt = spelt.ok_or_else(|| LoadError::Tokenizer(format!("token {id} is not spelt in bytes")))?;
            if let Some(slot) = bytes.get_mut(id as usize) {
                *slot = spelt;
            }
        }
        let marks: HashMap<u32, String> = added.into_iter().map(|(id, mark)| (id, mark.content)).collect();
        let named = marks.iter().filter(|(_, mark)| ENDS.contains(&mark.as_str())).map(|(id, _)| *id);
        let mut ends: Vec<u32> = named.chain(ends.iter().copied()).filter(|id| (*id as usize) < size).collect();
        ends.sort_unstable();
        ends.dedup();
        if ends.is_empty() {
            return Err(LoadError::Tokenizer("it has no token that ends a turn".into()));
        }
        let drawable = (0u32..).zip(&bytes).map(|(id, bytes)| !bytes.is_empty() || marks.contains_key(&id)).collect();
        Ok(Self { tokenizer, bytes, marks, ends, drawable })
    }

    /// Tokens of a text; marks in it are read as marks.
    pub(crate) fn encode(&self, text: &str) -> Option<Vec<u32>> {
        // What a failure says may quote the text.
        self.tokenizer.encode_fast(text, false).ok().map(|encoding| encoding.get_ids().to_vec())
    }

    /// Ids that may be drawn are below this.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of a token of text; none for marks.
    pub(crate) fn bytes(&self, token: u32) -> &[u8] {
        self.bytes.get(token as usize).map_or(&[], Vec::as_slice)
    }

    /// Whether a token ends the turn.
    pub(crate) fn ends(&self, token: u32) -> bool {
        self.ends.binary_search(&token).is_ok()
    }

    /// Tokens that end a turn.
    pub(crate) fn end_tokens(&self) -> &[u32] {
        &self.ends
    }

    /// How every mark is written.
    pub(crate) fn marks(&self) -> impl Iterator<Item = (u32, &str)> {
        self.marks.iter().map(|(id, mark)| (*id, mark.as_str()))
    }

    /// Whether an id stands for something that may be drawn: text, or the end of a turn.
    pub(crate) fn drawable(&self, token: u32) -> bool {
        self.drawable.get(token as usize).is_some_and(|drawable| *drawable)
    }
}

/// How byte-level tokenizers spell bytes: printable ones as themselves, the others from U+0100 on, in order.
pub(crate) fn byte_of_character() -> HashMap<char, u8> {
    let printable = |byte: u8| matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut next = 0x100u32;
    let mut spelt = HashMap::new();
    for byte in 0..=u8::MAX {
        let character = if printable(byte) {
            char::from(byte)
        } else {
            next += 1;
            char::from_u32(next - 1).unwrap_or_default()
        };
        spelt.insert(character, byte);
    }
    spelt
}

/// How texts are cut before merging, in the two families. Only where letters, digits and spaces meet matters.
const CONTRACTIONS: &str = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const WORDS: &str = r"[^\r\n\p{L}\p{N}]?\p{L}+";
const REST: &str = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

fn gguf_tokenizer(content: &Content) -> Result<Tokenizer, LoadError> {
    let missing = |name: &str| LoadError::Tokenizer(format!("the file has no {name}, and none lies beside it"));
    let get = |name: &str| content.metadata.get(&format!("tokenizer.ggml.{name}"));
    let text = |name: &str| get(name).and_then(|value| value.to_string().ok()).map(String::as_str);
    let list = |name: &str| get(name).and_then(|value| value.to_vec().ok());
    let wrong = |error: tokenizers::Error| LoadError::Tokenizer(error.to_string());
    if text("model") != Some("gpt2") {
        return Err(LoadError::Tokenizer("only tokenizers over bytes (gpt2) are supported".into()));
    }
    let strings = |name: &'static str| -> Result<Vec<String>, LoadError> {
        let values = list(name).ok_or_else(|| missing(name))?;
        values.iter().map(|value| value.to_string().cloned().map_err(LoadError::from)).collect()
    };
    let tokens = strings("tokens")?;
    let kinds: Vec<i32> =
        list("token_type").into_iter().flatten().map(|kind| kind.to_i32().unwrap_or(NORMAL)).collect();
    let kind = |id: usize| kinds.get(id).copied().unwrap_or(NORMAL);
    let ids = (0u32..).zip(&tokens);
    let vocabulary = ids.filter(|(id, _)| kind(*id as usize) != UNUSED).map(|(id, token)| (token.clone(), id));
    let merges = strings("merges")?.iter().filter_map(|merge| merge.split_once(' ').map(owned)).collect();
    let model = BPE::builder().vocab_and_merges(vocabulary.collect::<Vocab>(), merges);
    let mut tokenizer = Tokenizer::new(model.build().map_err(wrong)?);
    let digits = match text("pre").unwrap_or("default") {
        "llama-bpe" | "llama3" | "llama-v3" => r"\p{N}{1,3}",
        "qwen2" => {
            tokenizer.with_normalizer(Some(NFC)).map_err(wrong)?;
            r"\p{N}"
        }
        other => return Err(LoadError::Tokenizer(format!("texts cut the way of {other:?} are not supported"))),
    };
    let pattern = SplitPattern::Regex(format!("{CONTRACTIONS}|{WORDS}|{digits}|{REST}"));
    let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map_err(wrong)?;
    let bytes = ByteLevel::new(false, false, false);
    tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![split.into(), bytes.into()])));
    tokenizer.with_decoder(Some(bytes));
    let marks = tokens.iter().enumerate().filter(|(id, _)| matches!(kind(*id), CONTROL | DEFINED));
    let marks: Vec<AddedToken> = marks.map(|(id, mark)| AddedToken::from(mark.clone(), kind(id) == CONTROL)).collect();
    tokenizer.add_special_tokens(marks).map_err(wrong)?;
    Ok(tokenizer)
}

/// Kinds of tokens in GGUF files.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const DEFINED: i32 = 4;
const UNUSED: i32 = 5;

fn owned((a, b): (&str, &str)) -> (String, String) {
    (a.into(), b.into())
}

/// The template of a GGUF file, and how it writes the marks at the beginning and the end.
pub(crate) fn gguf_template(content: &Content) -> (Option<String>, Option<String>, Option<String>) {
    let text = |value: Option<&Value>| value.and_then(|value| value.to_string().ok().cloned());
    let tokens = content.metadata.get("tokenizer.ggml.tokens").and_then(|value| value.to_vec().ok());
    let mark = |name: &str| {
        let id = content.metadata.get(&format!("tokenizer.ggml.{name}_token_id"))?.to_u32().ok()?;
        text(tokens?.get(id as usize))
    };
    (text(content.metadata.get("tokenizer.chat_template")), mark("bos"), mark("eos"))
}

/// Turns tokens into text, holding back a character whose bytes have not all come.
#[derive(Default)]
pub(crate) struct Characters {
    held: Vec<u8>,
}

impl Characters {
    /// Takes the next bytes; gives whole characters. What is no UTF-8 becomes U+FFFD.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let mut text = String::new();
        let mut used = 0;
        for chunk in self.held.utf8_chunks() {
            text.push_str(chunk.valid());
            used += chunk.valid().len();
            if chunk.invalid().is_empty() {
                continue;
            }
            // The beginning of a character at the very end may become one.
            if used + chunk.invalid().len() == self.held.len() && unfinished(chunk.invalid()) {
                break;
            }
            text.push(char::REPLACEMENT_CHARACTER);
            used += chunk.invalid().len();
        }
        self.held.drain(..used);
        text
    }

    /// What was held back, when no more comes.
    pub(crate) fn rest(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.held)).into_owned()
    }
}

/// Whether more bytes could make it a character.
fn unfinished(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn characters_come_whole(text in "[a中é😀]{0,12}", cut in 1usize..5) {
            let mut characters = Characters::default();
            let mut out = String::new();
            for bytes in text.as_bytes().chunks(cut) {
                let piece = characters.push(bytes);
                prop_assert!(!piece.contains(char::REPLACEMENT_CHARACTER));
                out.push_str(&piece);
            }
            out.push_str(&characters.rest());
            prop_assert_eq!(out, text);
        }

        #[test]
        fn any_bytes_become_text(bytes in prop::collection::vec(any::<u8>(), 0..24), cut in 1usize..5) {
            let mut characters = Characters::default();
            let mut out: String = bytes.chunks(cut).map(|piece| characters.push(piece)).collect();
            out.push_str(&characters.rest());
            prop_assert_eq!(out, String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn every_byte_is_spelt_once() {
        let spelt = byte_of_character();
        assert_eq!(spelt.len(), 256);
        assert_eq!(spelt.get(&'Ġ'), Some(&b' '));
        assert_eq!(spelt.get(&'Ċ'), Some(&b'\n'));
    }
}
