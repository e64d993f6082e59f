use super::*;
use clap::{CommandFactory as _, Parser};

#[derive(Parser, Debug)]
struct Command {
    #[command(flatten)]
    options: Options,
}

fn flags(line: &str) -> Options {
    Command::try_parse_from(std::iter::once("load").chain(line.split_whitespace())).unwrap().options
}

const PROFILE: &str = "rate = 10\nduration = '5s'\nslo = 'p99<50ms'\nmax_late = 0.02\n[kg]\nrate = 100\n\
                       [guidance]\nmethod = ['Interpret=3', 'Ask=1']\nshape = 'step:1,2'\n";

#[test]
fn flags_go_before_the_agents_table_and_that_before_the_rest() {
    let kg = over_profile(flags("kg --duration 7s"), PROFILE).unwrap();
    assert_eq!((kg.rate, kg.duration), (Some(100.0), Some("7s".parse().unwrap())));
    assert_eq!(kg.max_late, Some(Share(0.02)));
    let expert = over_profile(flags("EXPERT"), PROFILE).unwrap();
    assert_eq!((expert.agent, expert.rate), (Some(Agent::Expert), Some(10.0)));
    let guidance = over_profile(flags("guidance"), PROFILE).unwrap();
    assert_eq!((guidance.method.len(), guidance.rate), (2, None), "its shape has rates of its own");
}

#[test]
fn another_way_of_loading_takes_the_profiles_away() {
    let closed = over_profile(flags("guidance --closed 3"), PROFILE).unwrap();
    assert_eq!((closed.closed, closed.rate, closed.shape), (Some(3), None, None));
    let rated = over_profile(flags("guidance --rate 7"), PROFILE).unwrap();
    assert_eq!((rated.rate, rated.shape), (Some(7.0), None));
    let ramped = over_profile(flags("kg --shape ramp:1..9"), PROFILE).unwrap();
    assert_eq!(ramped.rate, None);
}

#[test]
fn a_profile_with_a_mistake_is_one_clear_line() {
    for (profile, says) in [
        ("speed = 3", "speed"),
        ("[kg]\nrates = 3", "[kg]: unknown field `rates`"),
        ("rate = 'fast'", "invalid type"),
        ("duration = '5 parsecs'", "5 parsecs"),
        ("shape = 'flat'", "flat"),
        ("rate = ", "value"),
        ("[nobody]\nrate = 1", "nobody"),
    ] {
        let said = over_profile(flags("expert"), profile).unwrap_err();
        assert!(said.contains(says) && !said.contains('\n'), "{profile}: {said}");
    }
}

#[test]
fn every_flag_is_a_key_of_profiles() {
    let text = [
        "agent = 'kg'",
        "target = ['http://a:1']",
        "insecure = true",
        "balance = 'turn'",
        "tls_ca = 'a'",
        "tls_cert = 'b'",
        "tls_key = 'c'",
        "tls_name = 'd'",
        "connections = 2",
        "opener_key_file = 'k'",
        "pack = 'p'",
        "rate = 1",
        "duration = '1s'",
        "warmup = '1s'",
        "shape = 'soak'",
        "arrivals = 'constant'",
        "closed = 1",
        "method = ['A=1']",
        "seed = 1",
        "corpus = 1",
        "timeout = '1s'",
        "priority = 'new'",
        "think = 'none'",
        "undo = 0.1",
        "why = '1%'",
        "end = 1",
        "delete = 0",
        "slo = 'max<1s'",
        "search = 'max-rps'",
        "search_precision = 0.1",
        "search_confirm = 1",
        "max_in_flight = 1",
        "max_lag_p99 = '1ms'",
        "late_after = '1ms'",
        "max_late = '1%'",
        "json = 'j'",
        "html = 'h'",
        "quiet = true",
    ];
    let all: Options = toml::from_str(&text.join("\n")).unwrap();
    assert_eq!(Options::default().or(all.clone()), all, "`or` knows every field");
    let apart = ["profile", "print-requests"];
    let long = Command::command();
    let long = long.get_arguments().filter_map(|arg| arg.get_long()).filter(|name| !apart.contains(name));
    for name in long.filter(|name| *name != "help") {
        assert!(text.iter().any(|line| line.starts_with(&name.replace('-', "_"))), "{name}");
    }
}
