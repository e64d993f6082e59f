//! Figures of a classifier: area under the curve, sensitivity, coverage at a precision. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

/// The precision at which coverage is told.
const PRECISION: f64 = 0.9;

/// One labelled picture: the probabilities of the classes that are labelled at all, and which of them is right.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Probability of each class, summing to 1.
    pub probabilities: Vec<f64>,
    /// Position of the right class.
    pub right: usize,
}

/// How good a head is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeadFigures {
    /// It ships switched off.
    pub switched_off: bool,
    /// Labelled pictures that were read.
    pub pictures: usize,
    /// Mean over the classes of the area under the curve of each against the others.
    pub macro_auc: f64,
    /// Share of pictures whose most probable class is right.
    pub accuracy: f64,
    /// Of the pictures of each class, the share that was found.
    pub sensitivity: BTreeMap<String, f64>,
    /// Largest share of pictures, the surest first, among which nine of ten are right.
    pub coverage_at_90_precision: f64,
}

/// The figures of a head.
pub fn of_head(classes: &[String], cases: &[Case], switched_off: bool) -> HeadFigures {
    let aucs: Vec<f64> = (0..classes.len()).filter_map(|class| auc(cases, class)).collect();
    let found = cases.iter().filter(|case| best(case).0 == case.right).count();
    let sensitivity = classes.iter().enumerate().filter_map(|(class, name)| {
        let of_class: Vec<&Case> = cases.iter().filter(|case| case.right == class).collect();
        let found = of_class.iter().filter(|case| best(case).0 == class).count();
        (!of_class.is_empty()).then(|| (name.clone(), share(found, of_class.len())))
    });
    HeadFigures {
        switched_off,
        pictures: cases.len(),
        macro_auc: aucs.iter().sum::<f64>() / aucs.len().max(1) as f64,
        accuracy: share(found, cases.len()),
        sensitivity: sensitivity.collect(),
        coverage_at_90_precision: coverage(cases),
    }
}

/// The most probable class and its probability.
fn best(case: &Case) -> (usize, f64) {
    let all = case.probabilities.iter().copied().enumerate();
    all.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
}

/// P(a picture of the class has a higher probability of it than another one), ties counting half; `None` where there
/// are no two to compare.
fn auc(cases: &[Case], class: usize) -> Option<f64> {
    let mut ranked: Vec<(f64, bool)> =
        cases.iter().map(|case| (case.probabilities.get(class).copied().unwrap_or(0.0), case.right == class)).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let of_class = ranked.iter().filter(|(_, is)| *is).count();
    let others = ranked.len() - of_class;
    if of_class == 0 || others == 0 {
        return None;
    }
    let (mut below, mut wins) = (0.0, 0.0);
    for same in ranked.chunk_by(|a, b| a.0 == b.0) {
        let mine = same.iter().filter(|(_, is)| *is).count() as f64;
        let theirs = same.len() as f64 - mine;
        wins += mine * (below + theirs / 2.0);
        below += theirs;
    }
    Some(wins / (of_class as f64 * others as f64))
}

fn coverage(cases: &[Case]) -> f64 {
    let mut sure: Vec<(f64, bool)> = cases.iter().map(|case| (best(case).1, best(case).0 == case.right)).collect();
    sure.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut right, mut most) = (0, 0);
    for (at, (_, is)) in sure.iter().enumerate() {
        right += usize::from(*is);
        if share(right, at + 1) >= PRECISION {
            most = at + 1;
        }
    }
    share(most, cases.len())
}

/// A part of a whole, 0 of nothing.
pub fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(second: f64, right: usize) -> Case {
        Case { probabilities: vec![1.0 - second, second], right }
    }

    #[test]
    fn the_area_is_the_chance_of_the_right_order() {
        // Pairs of a second and a first: .9>.1, .9>.6, .4>.1, .4<.6: three of four.
        let cases = [case(0.1, 0), case(0.6, 0), case(0.4, 1), case(0.9, 1)];
        assert_eq!(auc(&cases, 1), Some(0.75));
        assert_eq!(auc(&[case(0.5, 0), case(0.5, 1)], 1), Some(0.5), "a tie counts half");
        assert_eq!(auc(&[case(0.5, 1)], 1), None);
    }

    #[test]
    fn coverage_ends_where_the_wrong_ones_begin() {
        let mut cases = vec![case(0.95, 1); 9];
        cases.push(case(0.8, 0));
        cases.extend(vec![case(0.6, 0); 10]);
        let figures = of_head(&["a".to_owned(), "b".to_owned()], &cases, false);
        assert_eq!(figures.coverage_at_90_precision, 0.5, "nine right and one wrong, then wrong ones");
        assert_eq!((figures.accuracy, figures.sensitivity["b"], figures.sensitivity["a"]), (0.45, 1.0, 0.0));
    }
}
