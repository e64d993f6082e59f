//! What is tried again, and what never is.

use super::*;
use proptest::prelude::*;

const FIRST: Facts = Facts { made: 1, idempotent: true, replayable: true, refused_before: false, left: None };

fn rules() -> RetryRules {
    RetryRules::default()
}

fn decided(cause: Cause, facts: &Facts) -> Decision {
    decide(cause, facts, &rules(), 1.0)
}

fn after(millis: u64) -> Pushback {
    Pushback::After(Duration::from_millis(millis))
}

#[test]
fn what_may_have_been_done_is_repeated_only_if_that_does_no_harm() {
    let once = Facts { idempotent: false, ..FIRST };
    for cause in [Cause::Broken, Cause::Unavailable(Pushback::Unsaid), Cause::Exhausted(after(10))] {
        assert_eq!(decided(cause, &once), Decision::Stop, "{cause:?}");
        assert!(matches!(decided(cause, &FIRST), Decision::Again { paid: true, .. }), "{cause:?}");
    }
}

#[test]
fn what_was_refused_is_always_sent_elsewhere_the_first_time_for_nothing() {
    let once = Facts { idempotent: false, ..FIRST };
    let free = Decision::Again { after: Duration::ZERO, paid: false, asked: false };
    assert_eq!(decided(Cause::Refused, &once), free);
    let again = Facts { refused_before: true, made: 2, ..once };
    assert!(matches!(decided(Cause::Refused, &again), Decision::Again { paid: true, .. }));
    let gone = Facts { replayable: false, ..once };
    assert_eq!(decided(Cause::Refused, &gone), Decision::Stop);
}

#[test]
fn the_server_says_when_or_never() {
    let wait = Duration::from_millis(400);
    let asked = Decision::Again { after: wait + rules().backoff.base, paid: true, asked: true };
    assert_eq!(decided(Cause::Exhausted(after(400)), &FIRST), asked);
    assert_eq!(decided(Cause::Unavailable(after(400)), &FIRST), asked);
    assert_eq!(decided(Cause::Exhausted(Pushback::Unsaid), &FIRST), Decision::Stop);
    assert_eq!(decided(Cause::Exhausted(Pushback::Never), &FIRST), Decision::Stop);
    assert_eq!(decided(Cause::Unavailable(Pushback::Never), &FIRST), Decision::Stop);
    let late = Facts { left: Some(wait), ..FIRST };
    assert_eq!(decided(Cause::Exhausted(after(400)), &late), Decision::Stop, "it would come too late");
}

#[test]
fn patience_is_a_share_of_the_time_left() {
    assert_eq!(rules().patience(Duration::from_secs(2)), Duration::from_millis(800));
    assert_eq!(rules().patience(Duration::from_millis(10)), Duration::from_millis(100));
}

proptest! {
    #[test]
    fn never_more_than_three_attempts_and_never_beyond_the_deadline(
        made in 1_u32..10, attempts in 0_u32..20, idempotent: bool, refused_before: bool,
        left in prop::option::of(0_u64..5_000), wait in 0_u64..5_000, which in 0_usize..5, unit in 0.0_f64..1.0,
    ) {
        let causes = [
            Cause::Refused, Cause::Broken, Cause::Unavailable(Pushback::Unsaid), Cause::Unavailable(after(wait)),
            Cause::Exhausted(after(wait)),
        ];
        let left = left.map(Duration::from_millis);
        let facts = Facts { made, idempotent, replayable: true, refused_before, left };
        let rules = RetryRules { attempts, ..rules() };
        if let Decision::Again { after, .. } = decide(causes[which], &facts, &rules, unit) {
            prop_assert!(made < MOST_ATTEMPTS && made < attempts);
            prop_assert!(left.is_none_or(|left| after < left));
            prop_assert!(idempotent || causes[which] == Cause::Refused);
        }
    }
}
