use super::*;

fn options(agent: Agent) -> Options {
    Options { agent: Some(agent), ..Options::default() }
}

#[test]
fn defaults_are_filled_in() {
    let kg = Settings::new(&options(Agent::Kg)).unwrap();
    assert_eq!(kg.arrivals, Arrivals::Open { shape: Shape::Constant, spacing: Spacing::Poisson, rate: 50.0 });
    assert_eq!((kg.duration.as_secs(), kg.weights.as_slice()), (30, [1].as_slice()));
    let guidance = Options { method: vec!["ask=3".parse().unwrap()], ..options(Agent::Guidance) };
    assert_eq!(Settings::new(&guidance).unwrap().weights, [0, 3]);
    assert!(kg.in_words()["rate"].contains("50"));
}

#[test]
fn contradictions_are_one_clear_line() {
    let slo = |text: &str| Some(text.parse().unwrap());
    let base = || options(Agent::Kg);
    let rows = [
        (Options::default(), "what to load"),
        (Options { closed: Some(2), rate: Some(1.0), ..base() }, "--closed"),
        (Options { closed: Some(0), ..base() }, "--closed"),
        (Options { shape: Some("ramp:1..2".parse().unwrap()), rate: Some(1.0), ..base() }, "--shape"),
        (Options { rate: Some(0.0), ..base() }, "--rate"),
        (Options { search: Some(Goal::MaxRps), ..base() }, "--slo"),
        (Options { search: Some(Goal::MaxRps), slo: slo("p99<1ms"), closed: Some(1), ..base() }, "--closed"),
        (Options { method: vec!["Ask".parse().unwrap()], ..base() }, "Advance"),
        (Options { method: vec!["Advance=0".parse().unwrap()], ..base() }, "every share"),
        (Options { slo: slo("Ask.p99<1ms"), ..base() }, "no method Ask"),
        (Options { method: vec!["SendMessage".parse().unwrap()], ..options(Agent::Orchestrator) }, "--undo"),
        (Options { duration: Some("10ms".parse().unwrap()), ..base() }, "--duration"),
        (Options { corpus: Some(0), ..base() }, "--corpus"),
    ];
    for (options, says) in rows {
        let said = Settings::new(&options).unwrap_err().to_string();
        assert!(said.contains(says) && !said.contains('\n'), "{says}: {said}");
    }
}
