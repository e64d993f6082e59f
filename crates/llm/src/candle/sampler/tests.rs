//! Draws against a plain sampler that sorts everything.

use super::*;

const LOGITS: [f32; 5] = [1.0, 3.0, 2.0, -1.0, 2.5];

fn sampler(sampling: Sampling) -> Sampler {
    Sampler::new(sampling, &[1])
}

fn drawn(sampling: Sampling, count: u64) -> BTreeSet<u32> {
    (0..count).map(|seed| sampler(Sampling { seed, ..sampling }).draw(&LOGITS, |_| true).unwrap()).collect()
}

fn warm() -> Sampling {
    Sampling { temperature: 1.0, ..Sampling::default() }
}

#[test]
fn greedy_takes_the_likeliest_of_the_allowed() {
    let mut sampler = sampler(Sampling::default());
    assert_eq!(sampler.draw(&LOGITS, |_| true), Ok(1));
    assert_eq!(sampler.draw(&LOGITS, |token| token != 1), Ok(4));
    assert_eq!(sampler.draw(&LOGITS, |_| false), Err(Error::NotANumber));
}

#[test]
fn what_is_cut_is_never_drawn() {
    assert_eq!(drawn(warm(), 4000).len(), 5);
    assert_eq!(drawn(Sampling { top_k: 2, ..warm() }, 200), BTreeSet::from([1, 4]));
    // Probabilities are .47, .28, .17, .06, .01.
    assert_eq!(drawn(Sampling { top_p: 0.7, ..warm() }, 200), BTreeSet::from([1, 4]));
    assert_eq!(drawn(Sampling { min_p: 0.3, ..warm() }, 200), BTreeSet::from([1, 2, 4]));
    assert_eq!(drawn(Sampling { temperature: 0.01, ..warm() }, 50), BTreeSet::from([1]));
}

/// Logits of a large vocabulary: sums of four numbers between 0 and `spread`, from a seed.
fn vocabulary(seed: u64, count: usize, spread: f32) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| (0..4).map(|_| random.random::<f32>() * spread).sum()).collect()
}

/// What the first draw is by sorting all tokens, as the documentation of [`Sampling`] reads.
fn plainly(sampling: Sampling, logits: &[f32], allowed: impl Fn(u32) -> bool) -> u32 {
    let tokens = (0u32..).zip(logits).filter(|(token, _)| allowed(*token));
    let mut tokens: Vec<(u32, f64)> = tokens.map(|(token, logit)| (token, f64::from(*logit))).collect();
    let Sampling { temperature, top_p, top_k, min_p, seed, .. } = sampling;
    if top_p < 1.0 || top_k > 0 || min_p > 0.0 {
        tokens.sort_by(|a, b| b.1.total_cmp(&a.1));
        tokens.truncate(if top_k > 0 { top_k as usize } else { usize::MAX });
    }
    let most = tokens.iter().map(|(_, logit)| *logit).fold(f64::NEG_INFINITY, f64::max);
    for (_, weight) in &mut tokens {
        *weight = ((*weight - most) / f64::from(temperature)).exp();
    }
    tokens.retain(|(_, weight)| *weight >= f64::from(min_p));
    let total = |tokens: &[(u32, f64)]| tokens.iter().map(|(_, weight)| weight).sum::<f64>();
    if top_p < 1.0 {
        let (whole, mut sum) = (total(&tokens), 0.0);
        let last = tokens.iter().position(|(_, weight)| {
            sum += weight;
            sum >= f64::from(top_p) * whole
        });
        tokens.truncate(last.unwrap() + 1);
    }
    let mut point = f64::from(ChaCha8Rng::seed_from_u64(seed).random::<f32>()) * total(&tokens);
    let drawn = tokens.iter().find(|(_, weight)| {
        point -= weight;
        point < 0.0
    });
    drawn.unwrap().0
}

#[test]
fn draws_are_those_of_a_sampler_that_sorts_everything() {
    let cuts = [(1.0, 0, 0.0), (0.95, 0, 0.0), (0.3, 0, 0.0), (1.0, 40, 0.0), (1.0, 0, 0.05), (0.8, 900, 0.001)];
    // From a peak to a vocabulary so flat that most of it is left; not a multiple of 16.
    for (spread, count) in [(20.0, 5003), (4.0, 5003), (0.1, 700)] {
        for (top_p, top_k, min_p) in cuts {
            for seed in 0..20 {
                let sampling = Sampling { temperature: 0.7, top_p, top_k, min_p, seed, ..Sampling::default() };
                let logits = vocabulary(seed, count, spread);
                let allowed = |token: u32| seed.is_multiple_of(2) || !token.is_multiple_of(3);
                let drawn = sampler(sampling).draw(&logits, allowed).unwrap();
                assert_eq!(drawn, plainly(sampling, &logits, allowed), "{sampling:?} {spread}");
            }
        }
    }
}

#[test]
fn the_likeliest_is_the_first_of_the_largest_wherever_it_stands() {
    for count in [1, 15, 16, 40] {
        for at in 0..count {
            let mut logits = vec![-1.0; count];
            logits[at] = 2.0;
            logits[count - 1] = 2.0;
            assert_eq!(likeliest(&logits), Some((at as u32, 2.0)), "{at} of {count}");
            logits[at] = f32::NAN;
            assert_eq!(likeliest(&logits), None);
        }
    }
    assert_eq!(likeliest(&[]), None);
}

#[test]
fn draws_follow_the_probabilities() {
    let count = 4000;
    let likeliest =
        (0..count).filter(|seed| sampler(Sampling { seed: *seed, ..warm() }).draw(&LOGITS, |_| true) == Ok(1));
    let share = likeliest.count() as f64 / f64::from(4000);
    assert!((share - 0.474).abs() < 0.03, "{share}");
}

#[test]
fn a_seed_gives_the_same_draws() {
    let draws = |seed| {
        let mut sampler = sampler(Sampling { seed, ..warm() });
        (0..20).map(|_| sampler.draw(&LOGITS, |_| true).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(draws(7), draws(7));
    assert_ne!(draws(7), draws(8));
}

#[test]
fn what_was_said_becomes_less_likely() {
    let mut sampler = sampler(Sampling { repetition_penalty: 2.0, ..Sampling::default() });
    let texts: Vec<u32> = (0..3).map(|_| sampler.draw(&LOGITS, |_| true).unwrap()).collect();
    assert_eq!(texts, [4, 2, 1], "3.0 is halved from the start, then 2.5, then 2.0");
}

#[test]
fn no_numbers_are_an_error() {
    for logits in [[f32::NAN, 1.0], [f32::NEG_INFINITY; 2], [f32::INFINITY, 0.0]] {
        assert_eq!(sampler(Sampling::default()).draw(&logits, |_| true), Err(Error::NotANumber));
    }
}
