//! A JSON object in what a model wrote.

use serde::de::DeserializeOwned;

use crate::Fault;

/// Reads the object. An engine that does not hold its model to a schema may put it between fences or other words.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    let object = text.find('{').zip(text.rfind('}')).and_then(|(from, to)| text.get(from..=to));
    serde_json::from_str(object.ok_or(Fault::Malformed)?).map_err(|_| Fault::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct One {
        a: u32,
    }

    #[test]
    fn an_object_is_found_among_words() {
        for good in ["{\"a\":1}", "Here:\n```json\n{\"a\": 1}\n```", " {\"a\":1} "] {
            assert_eq!(read(good), Ok(One { a: 1 }), "{good}");
        }
        for bad in ["", "{", "}{", "{\"a\":", "{\"a\":1}{\"a\":2}", "{\"b\":1}", "{\"a\":\"1\"}", "a"] {
            assert_eq!(read::<One>(bad), Err(Fault::Malformed), "{bad}");
        }
    }
}
