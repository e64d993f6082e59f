//! Pooling and enlarging by whole factors.

use super::Planes;

/// The largest value of each `size` x `size` window, every `stride` pixels; what lies outside never wins.
pub fn max_pool(input: &Planes, size: usize, stride: usize, pad: usize) -> Planes {
    let out = |side: usize| (side + 2 * pad).saturating_sub(size) / stride + 1;
    let mut output = Planes::zeros(input.count, input.channels, out(input.height), out(input.width));
    let (plane, width) = (output.plane(), output.width);
    for (from, to) in input.data.chunks_exact(input.plane().max(1)).zip(output.data.chunks_exact_mut(plane.max(1))) {
        for (y, row) in to.chunks_exact_mut(width.max(1)).enumerate() {
            let rows = window(y, (size, stride, pad), input.height);
            for (x, value) in row.iter_mut().enumerate() {
                let columns = window(x, (size, stride, pad), input.width);
                let lines = rows.clone().filter_map(|y| from.get(y * input.width..)?.get(columns.clone()));
                *value = lines.flatten().copied().fold(f32::NEG_INFINITY, f32::max);
            }
        }
    }
    output
}

/// Positions that the window of an output position covers.
fn window(at: usize, (size, stride, pad): (usize, usize, usize), side: usize) -> std::ops::Range<usize> {
    let start = (at * stride).saturating_sub(pad);
    start..(at * stride + size).saturating_sub(pad).min(side)
}

/// Every pixel twice in both directions, then the channels of `skip` behind.
pub fn twice_beside(input: &Planes, skip: &Planes) -> Planes {
    let mut output = Planes::zeros(input.count, input.channels + skip.channels, skip.height, skip.width);
    let image = output.image();
    for (at, to) in output.data.chunks_exact_mut(image.max(1)).enumerate() {
        let (upper, rest) = to.split_at_mut(input.channels * skip.plane());
        let from = input.data.get(at * input.image()..).unwrap_or_default();
        for (from, to) in from.chunks_exact(input.plane().max(1)).zip(upper.chunks_exact_mut(skip.plane().max(1))) {
            for (y, row) in to.chunks_exact_mut(skip.width.max(1)).enumerate() {
                let line = from.get(y / 2 * input.width..).unwrap_or_default();
                for (pair, value) in row.chunks_mut(2).zip(line) {
                    pair.fill(*value);
                }
            }
        }
        if let Some(skip) = skip.data.get(at * skip.image()..(at + 1) * skip.image()) {
            rest.copy_from_slice(skip);
        }
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planes(height: usize, width: usize, data: Vec<f32>) -> Planes {
        Planes { count: 1, channels: 1, height, width, data }
    }

    #[test]
    fn padding_never_wins() {
        let pooled = max_pool(&planes(3, 3, (1..=9).map(|v| -(v as f32)).collect()), 3, 2, 1);
        assert_eq!((pooled.height, pooled.width, pooled.data), (2, 2, vec![-1.0, -2.0, -4.0, -5.0]));
        let halved = max_pool(&planes(2, 4, (0..8).map(|v| v as f32).collect()), 2, 2, 0);
        assert_eq!(halved.data, [5.0, 7.0]);
    }

    #[test]
    fn pixels_are_doubled_and_the_skip_follows() {
        let skip = planes(2, 4, vec![9.0; 8]);
        let both = twice_beside(&planes(1, 2, vec![1.0, 2.0]), &skip);
        assert_eq!(both.channels, 2);
        assert_eq!(both.data[..8], [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
        assert_eq!(both.data[8..], [9.0; 8]);
    }
}
