//! The state machine, step by step and under any sequence of events.

use super::*;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn failing(now: Instant, rules: &EjectionRules) -> Health {
    let mut health = Health::new(now, rules);
    for _ in 1..rules.consecutive {
        assert!(!health.bad(now, false, rules));
    }
    assert!(health.bad(now, false, rules));
    health
}

#[test]
fn failures_in_a_row_eject_and_a_success_between_them_does_not() {
    let (now, rules) = (Instant::now(), EjectionRules::default());
    let mut health = Health::new(now, &rules);
    for _ in 0..20 {
        assert!((1..rules.consecutive).all(|_| !health.bad(now, false, &rules)));
        // Enough successes between them that the share stays low.
        assert!((0..12).all(|_| !health.good(now, false)));
    }
    assert_eq!(health.ramp(now, &rules), Some(1.0));
    let mut health = failing(now, &rules);
    health.eject(now, &rules, 0.5);
    assert_eq!(health.ramp(now, &rules), None);
}

#[test]
fn a_high_share_of_failures_ejects_without_a_row() {
    let (now, rules) = (Instant::now(), EjectionRules::default());
    let mut health = Health::new(now, &rules);
    let mut wanted = false;
    for _ in 0..rules.min_calls {
        health.good(now, false);
        wanted = health.bad(now, false, &rules);
    }
    assert!(wanted && health.looks_bad(now, &rules));
}

#[test]
fn comes_back_by_one_call_and_works_up_to_its_share() {
    let (start, rules) = (Instant::now(), EjectionRules::default());
    let mut health = failing(start, &rules);
    health.eject(start, &rules, 0.5);
    assert_eq!(health.due(start + SECOND / 2, &rules), None);
    let now = start + SECOND;
    assert_eq!(health.due(now, &rules), Some(Due::Now));
    assert_eq!(health.due(now + SECOND, &rules), Some(Due::Overdue));
    assert!(health.begin_trial());
    assert!(!health.begin_trial(), "one call at a time");
    assert_eq!(health.due(now + SECOND, &rules), None);
    assert!(!health.good(now, false), "an old call's success is no trial");
    assert!(health.good(now, true));
    assert_eq!(health.ramp(now, &rules), Some(FIRST_SHARE));
    assert_eq!(health.ramp(now + rules.slow_start / 2, &rules), Some(0.5));
    assert_eq!(health.ramp(now + rules.slow_start, &rules), Some(1.0));
}

#[test]
fn each_failed_trial_doubles_the_time_out_until_it_has_been_well_for_long() {
    let (mut now, rules) = (Instant::now(), EjectionRules::default());
    let mut health = failing(now, &rules);
    let mut times = Vec::new();
    for _ in 0..6 {
        health.eject(now, &rules, 0.5);
        let Standing::Out { until } = health.standing else { panic!("not out") };
        times.push((until - now).as_secs());
        now = until;
        assert!(health.begin_trial());
        assert!(health.bad(now, true, &rules));
    }
    assert_eq!(times, [1, 2, 4, 8, 10, 10]);
    health.good(now, true);
    now += rules.backoff.cap * 2;
    health.eject(now, &rules, 0.5);
    assert_eq!(health.due(now + SECOND, &rules), Some(Due::Now));
}

#[test]
fn a_trial_that_its_caller_left_is_done_again_by_the_next() {
    let (now, rules) = (Instant::now(), EjectionRules::default());
    let mut health = failing(now, &rules);
    health.eject(now, &rules, 0.5);
    assert!(health.begin_trial());
    health.abandon_trial(now);
    assert_eq!(health.due(now, &rules), Some(Due::Now));
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Good(bool),
    Bad(bool),
    Trial,
    Leave,
    Pause(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        any::<bool>().prop_map(Event::Good),
        any::<bool>().prop_map(Event::Bad),
        Just(Event::Trial),
        Just(Event::Leave),
        (0_u64..15_000).prop_map(Event::Pause),
    ];
    prop::collection::vec(event, 0..120)
}

proptest! {
    #[test]
    fn whatever_happens_it_can_always_come_back(events in events(), unit in 0.0_f64..1.0) {
        let (mut now, rules) = (Instant::now(), EjectionRules::default());
        let mut health = Health::new(now, &rules);
        for event in events {
            match event {
                Event::Good(trial) => prop_assert!(!health.good(now, trial) || trial),
                Event::Bad(trial) => {
                    if health.bad(now, trial, &rules) {
                        health.eject(now, &rules, unit);
                    }
                }
                Event::Trial => {
                    if health.due(now, &rules).is_some() {
                        prop_assert!(health.begin_trial());
                    }
                }
                Event::Leave => health.abandon_trial(now),
                Event::Pause(millis) => now += Duration::from_millis(millis),
            }
            prop_assert_eq!(health.ramp(now, &rules).is_none(), health.is_out());
        }
        health.abandon_trial(now);
        now += rules.backoff.cap * 2;
        if health.is_out() {
            prop_assert!(health.due(now, &rules).is_some() && health.begin_trial() && health.good(now, true));
        }
        prop_assert!(health.ramp(now, &rules).is_some());
        prop_assert_eq!(health.ramp(now + rules.slow_start, &rules), Some(1.0));
    }
}
