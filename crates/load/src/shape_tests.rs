use super::*;
use proptest::prelude::*;

fn curve(shape: &str, rate: f64, seconds: u64) -> Curve {
    Curve::new(&shape.parse().unwrap(), rate, Duration::ZERO, Duration::from_secs(seconds))
}

#[test]
fn shapes_are_read_and_written_again() {
    for text in ["constant", "soak", "ramp:10..500", "step:10,50,100", "spike:50,500"] {
        assert_eq!(text.parse::<Shape>().unwrap().to_string(), text);
    }
    for wrong in ["", "flat", "ramp:10", "ramp:10..x", "step:", "spike:1", "constant:5", "step:0,0", "ramp:0..2000000"]
    {
        assert!(wrong.parse::<Shape>().is_err(), "{wrong}");
    }
}

#[test]
fn each_shape_has_its_rates() {
    let at = |curve: &Curve, seconds: f64| curve.rate_at(Duration::from_secs_f64(seconds));
    let ramp = curve("ramp:10..30", 0.0, 10);
    assert_eq!((at(&ramp, 0.0), at(&ramp, 5.0), at(&ramp, 11.0)), (10.0, 20.0, 0.0));
    let step = curve("step:1,2,4", 0.0, 30);
    assert_eq!((at(&step, 5.0), at(&step, 15.0), at(&step, 25.0)), (1.0, 2.0, 4.0));
    let spike = curve("spike:5,50", 0.0, 10);
    assert_eq!((at(&spike, 3.9), at(&spike, 5.0), at(&spike, 6.1)), (5.0, 50.0, 5.0));
    assert_eq!(curve("soak", 7.0, 10).arrivals(), 70.0);
    assert_eq!(spike.arrivals(), 5.0 * 8.0 + 50.0 * 2.0);
}

#[test]
fn the_warm_up_runs_at_the_first_rate() {
    let shape = "ramp:10..30".parse().unwrap();
    let curve = Curve::new(&shape, 0.0, Duration::from_secs(2), Duration::from_secs(10));
    assert_eq!(curve.arrivals(), 20.0 + 200.0);
    assert_eq!(curve.rate_at(Duration::from_secs(1)), 10.0);
    assert_eq!(curve.rate_at(Duration::from_secs(7)), 20.0);
}

#[test]
fn arrivals_of_a_ramp_from_nothing_have_times() {
    let curve = curve("ramp:0..10", 0.0, 10);
    assert_eq!(curve.time_of(0.0), Some(Duration::ZERO));
    // Half of the triangle's area lies before 1/sqrt(2) of its length.
    let half = curve.time_of(25.0).unwrap().as_secs_f64();
    assert!((half - 10.0 / 2f64.sqrt()).abs() < 1e-9, "{half}");
    assert_eq!(curve.time_of(50.0), None);
}

fn shapes() -> impl Strategy<Value = Shape> {
    let rate = || 0.1f64..2000.0;
    prop_oneof![
        Just(Shape::Constant),
        (rate(), rate()).prop_map(|(from, to)| Shape::Ramp { from, to }),
        proptest::collection::vec(rate(), 1..5).prop_map(Shape::Step),
        (rate(), rate()).prop_map(|(base, peak)| Shape::Spike { base, peak }),
    ]
}

proptest! {
    #[test]
    fn times_grow_and_stay_within_the_run(shape in shapes(), warmup in 0u64..5, seconds in 1u64..20) {
        let (warmup, duration) = (Duration::from_secs(warmup), Duration::from_secs(seconds));
        let curve = Curve::new(&shape, 300.0, warmup, duration);
        let total = curve.arrivals();
        let times: Vec<_> = (0..=100).filter_map(|i| curve.time_of(total * f64::from(i) / 100.0)).collect();
        prop_assert!(times.len() >= 100);
        prop_assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
        prop_assert!(times.last().unwrap() <= &(warmup + duration));
    }

    #[test]
    fn the_time_of_an_arrival_inverts_the_integrated_rate(shape in shapes(), share in 0.0f64..0.999) {
        let curve = Curve::new(&shape, 50.0, Duration::ZERO, Duration::from_secs(10));
        let wanted = curve.arrivals() * share;
        let end = curve.time_of(wanted).unwrap().as_secs_f64();
        // Integrates numerically up to that time.
        let steps = 20_000;
        let width = end / f64::from(steps);
        let sum: f64 = (0..steps).map(|i| curve.rate_at(Duration::from_secs_f64((f64::from(i) + 0.5) * width)) * width).sum();
        prop_assert!((sum - wanted).abs() <= wanted.mul_add(1e-3, 0.5), "{sum} for {wanted}");
    }
}
