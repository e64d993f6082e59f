#![allow(clippy::all)]
mod common;
use wenzhen_language::{Interpreter, Utterance};
use wenzhen_pack::State;
#[test]
fn probe() {
    let pack = common::pack();
    let it = Interpreter::new(std::sync::Arc::clone(&pack)).unwrap();
    for line in std::fs::read_to_string("/tmp/wz/probe.txt").unwrap().lines() {
        let (asked, text) = line.split_once('|').unwrap_or(("", line));
        let asked: Vec<_> = asked.split(',').filter_map(|a| pack.finding(a.trim())).collect();
        let f = it.interpret(&Utterance { text, asked: &asked, clarifying: None, locale: None });
        let obs: Vec<String> = f
            .observations
            .iter()
            .map(|o| {
                format!(
                    "{}{}{}",
                    match o.state {
                        State::Present => "+",
                        State::Denied => "-",
                        _ => "?",
                    },
                    pack.findings[o.finding.at()].id,
                    if o.past { "(past)" } else { "" }
                )
            })
            .collect();
        let amb: Vec<_> = f.ambiguous.iter().map(|a| pack.ambiguities[a.ambiguity].id.clone()).collect();
        println!(
            "{text}\n    {:?} {} amb={amb:?} wd={} age={:?} sex={:?} for={:?}",
            f.intent,
            obs.join(" "),
            f.withdrawn.len(),
            f.context.age_months,
            f.context.sex,
            f.context.speaks_for
        );
    }
}
