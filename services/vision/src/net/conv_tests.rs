//! The convolution against one that is written down as in a textbook.

use super::*;

fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 500.0 - 1.0).collect()
}

fn textbook(conv: &Conv, input: &Planes, after: After<'_>) -> Planes {
    let out = |side: usize| (side + 2 * conv.pad - conv.size) / conv.stride + 1;
    let mut output = Planes::zeros(input.count, conv.outputs(), out(input.height), out(input.width));
    let size = conv.size;
    for (at, value) in output.data.iter_mut().enumerate() {
        let (x, y) = (at % output.width, at / output.width % output.height);
        let channel = at / (output.width * output.height);
        let (image, o) = (channel / conv.outputs(), channel % conv.outputs());
        let mut sum = conv.bias[o] + after.plus.map_or(0.0, |plus| plus.data[at]);
        for c in 0..input.channels {
            for ky in 0..size {
                for kx in 0..size {
                    let (sy, sx) = (y * conv.stride + ky, x * conv.stride + kx);
                    let inside = (conv.pad..input.height + conv.pad).contains(&sy)
                        && (conv.pad..input.width + conv.pad).contains(&sx);
                    if inside {
                        let plane = (image * input.channels + c) * input.height;
                        let from = (plane + sy - conv.pad) * input.width + sx - conv.pad;
                        sum += conv.weight[((o * input.channels + c) * size + ky) * size + kx] * input.data[from];
                    }
                }
            }
        }
        *value = if after.relu { sum.max(0.0) } else { sum };
    }
    output
}

#[test]
fn it_is_the_textbook_one_at_all_sizes_strides_and_paddings() {
    for (count, (inputs, outputs), (height, width), (size, stride, pad)) in [
        (1, (3, 8), (17, 23), (7, 2, 3)),
        (2, (5, 33), (9, 9), (3, 1, 1)),
        (3, (4, 6), (8, 10), (3, 2, 1)),
        (1, (16, 20), (5, 5), (1, 1, 0)),
        (2, (6, 7), (7, 6), (1, 2, 0)),
        (1, (1, 1), (1, 1), (3, 1, 1)),
        (1, (64, 70), (3, 3), (3, 1, 1)),
        (1, (2, 3), (60, 61), (3, 1, 1)),
    ] {
        let conv = Conv::new(values(outputs * inputs * size * size, 1), values(outputs, 2), size, stride, pad);
        let data = values(count * inputs * height * width, 3);
        let input = Planes { count, channels: inputs, height, width, data };
        let plain = textbook(&conv, &input, After::default());
        let plus = Planes { data: values(plain.data.len(), 4), ..plain.clone() };
        for after in [After::default(), After { plus: Some(&plus), relu: true }, After { plus: None, relu: true }] {
            let (wanted, got) = (textbook(&conv, &input, after), conv.forward(&input, after));
            assert_eq!((got.height, got.width, got.channels), (wanted.height, wanted.width, wanted.channels));
            let worst = got.data.iter().zip(&wanted.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-3, "{inputs}x{height}x{width}, window {size}, stride {stride}: off by {worst}");
        }
    }
}

#[test]
fn a_batch_gives_what_its_images_give_alone() {
    let conv = Conv::new(values(8 * 3 * 9, 1), values(8, 2), 3, 1, 1);
    let batch = Planes { count: 3, channels: 3, height: 6, width: 5, data: values(3 * 3 * 30, 5) };
    let all = conv.relu(&batch);
    for (at, image) in batch.images().enumerate() {
        let one = conv.relu(&Planes { count: 1, channels: 3, height: 6, width: 5, data: image.to_vec() });
        assert_eq!(one.data, all.data[at * one.data.len()..(at + 1) * one.data.len()]);
    }
}
