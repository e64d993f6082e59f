//! A request as the server reads it.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{JsonForm, Settings};
use crate::{Error, Request, Role};

/// Stop strings that every server takes; ours are looked for here in any case.
const MOST_STOPS: usize = 4;

pub(super) fn body(settings: &Settings, request: &Request) -> Result<Bytes, Error> {
    let role = |role| match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let messages: Vec<Value> =
        request.messages.iter().map(|m| json!({"role": role(m.role), "content": m.content})).collect();
    let sampling = &request.sampling;
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    set("model", settings.model.clone().into());
    set("messages", messages.into());
    set("stream", true.into());
    set("stream_options", json!({"include_usage": true}));
    set("max_tokens", request.max_tokens.into());
    set("temperature", number(sampling.temperature));
    set("seed", (sampling.seed & i64::MAX as u64).into());
    if sampling.top_p < 1.0 {
        set("top_p", number(sampling.top_p));
    }
    // Extensions that not every server knows: left out where they would say nothing.
    if sampling.top_k > 0 {
        set("top_k", sampling.top_k.into());
    }
    if sampling.min_p > 0.0 {
        set("min_p", number(sampling.min_p));
    }
    if (sampling.repetition_penalty - 1.0).abs() > f32::EPSILON {
        set("repetition_penalty", number(sampling.repetition_penalty));
    }
    if !request.stop.is_empty() {
        set("stop", request.stop.iter().take(MOST_STOPS).cloned().collect::<Vec<_>>().into());
    }
    if let Some(format) = request.schema.as_deref().and_then(|schema| format(settings.json, schema)) {
        set("response_format", format);
    }
    serde_json::to_vec(&body).map(Bytes::from).map_err(|_| Error::Request("it cannot be written as JSON"))
}

fn format(form: JsonForm, schema: &Value) -> Option<Value> {
    match form {
        JsonForm::JsonSchema => {
            let schema = json!({"name": "answer", "schema": schema, "strict": true});
            Some(json!({"type": "json_schema", "json_schema": schema}))
        }
        JsonForm::JsonObject => Some(json!({"type": "json_object"})),
        JsonForm::ObjectSchema => Some(json!({"type": "json_object", "schema": schema})),
        JsonForm::Plain => None,
    }
}

/// A number as people write it: 0.7, not 0.699999988079071.
fn number(value: f32) -> Value {
    let exact: Option<f64> = value.to_string().parse().ok();
    exact.map_or(Value::Null, Value::from)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Message, Sampling};

    fn parsed(settings: &Settings, request: &Request) -> Value {
        serde_json::from_slice(&body(settings, request).unwrap()).unwrap()
    }

    #[test]
    fn a_request_has_what_it_needs_and_no_extension_unasked() {
        let settings = Settings::new(vec!["http://a".into()], "m");
        let messages = vec![Message::system("s"), Message::user("u"), Message::assistant("a")];
        let plain = parsed(&settings, &Request::new(messages.clone(), 9));
        let wanted = json!({
            "model": "m", "stream": true, "stream_options": {"include_usage": true},
            "max_tokens": 9, "temperature": 0.0, "seed": 0,
            "messages": [
                {"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"},
            ],
        });
        assert_eq!(plain, wanted);
        let sampling =
            Sampling { temperature: 0.7, top_p: 0.9, top_k: 40, min_p: 0.1, repetition_penalty: 1.1, seed: u64::MAX };
        let stop: Vec<String> = ["1", "2", "3", "4", "5"].map(str::to_owned).into();
        let full = parsed(&settings, &Request { sampling, stop, ..Request::new(messages, 9) });
        assert_eq!(full["temperature"], json!(0.7));
        assert_eq!(
            (&full["top_k"], &full["min_p"], &full["repetition_penalty"]),
            (&json!(40), &json!(0.1), &json!(1.1))
        );
        assert_eq!((full["seed"].as_i64(), full["stop"].as_array().unwrap().len()), (Some(i64::MAX), 4));
    }

    #[test]
    fn a_schema_goes_in_the_form_that_is_set() {
        let schema = Arc::new(json!({"type": "object"}));
        let request = Request { schema: Some(schema), ..Request::new(vec![Message::user("u")], 1) };
        let format = |json| {
            let settings = Settings { json, ..Settings::new(vec!["http://a".into()], "m") };
            parsed(&settings, &request)["response_format"].clone()
        };
        assert_eq!(format(JsonForm::JsonSchema)["json_schema"]["schema"], json!({"type": "object"}));
        assert_eq!(format(JsonForm::JsonObject), json!({"type": "json_object"}));
        let beside = json!({"type": "json_object", "schema": {"type": "object"}});
        assert_eq!(format(JsonForm::ObjectSchema), beside);
        assert_eq!(format(JsonForm::Plain), Value::Null);
    }
}
