//! The one place with `unsafe`: the matrix product, and a buffer that tasks fill side by side.

#![allow(unsafe_code, reason = "the matrix product takes pointers, and tasks write disjoint parts of one buffer")]

use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

/// A row-major matrix that is read.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    stride: usize,
}

impl<'a> Matrix<'a> {
    /// `rows` lines of `columns` values, the lines `stride` apart. `None` where the data is too short for that, or lines
    /// would overlap.
    pub fn new(data: &'a [f32], rows: usize, columns: usize, stride: usize) -> Option<Self> {
        let needed = rows.checked_sub(1).map_or(0, |last| last * stride + columns);
        (stride >= columns && data.len() >= needed).then_some(Self { data, rows, columns, stride })
    }
}

/// A part of a matrix, for one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Its lines.
    pub rows: Range<usize>,
    /// Its columns.
    pub columns: Range<usize>,
}

impl Tile {
    fn overlaps(&self, other: &Self) -> bool {
        let meet = |a: &Range<usize>, b: &Range<usize>| a.start < b.end && b.start < a.end;
        meet(&self.rows, &other.rows) && meet(&self.columns, &other.columns)
    }
}

/// Has tasks fill the tiles of a matrix with lines of `stride` values, on all cores; each gets the number of its tile,
/// its block, and a buffer that is handed from task to task. Does nothing, and says so with `false`, where two tiles
/// overlap or one reaches outside.
pub fn fill_tiles(
    data: &mut [f32],
    stride: usize,
    tiles: &[Tile],
    work: impl Fn(usize, Block<'_>, &mut Vec<f32>) + Sync,
) -> bool {
    let apart = tiles.iter().enumerate().all(|(at, tile)| !tiles.iter().skip(at + 1).any(|other| tile.overlaps(other)));
    let shared = Shared::new(data, stride);
    let within = tiles.iter().all(|tile| tile.rows.end <= shared.rows && tile.columns.end <= shared.stride);
    if apart && within {
        tiles.par_iter().enumerate().for_each_init(Vec::new, |buffer, (at, tile)| {
            // SAFETY: no two tiles overlap, as was just seen, and each is handed out once.
            if let Some(block) = unsafe { shared.block(tile.rows.clone(), tile.columns.clone()) } {
                work(at, block, buffer);
            }
        });
    }
    apart && within
}

/// A row-major matrix that many tasks may fill, each its own block.
#[derive(Debug)]
struct Shared<'a> {
    data: *mut f32,
    rows: usize,
    stride: usize,
    owner: PhantomData<&'a mut [f32]>,
}

// SAFETY: the pointer comes from a `&mut [f32]` that is borrowed for 'a, so nobody else reaches the values; whoever
// writes through it promises, in the contract of `block`, that no two tasks touch the same ones.
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    /// `data` as lines of `stride` values.
    fn new(data: &'a mut [f32], stride: usize) -> Self {
        let rows = data.len() / stride.max(1);
        Self { data: data.as_mut_ptr(), rows, stride, owner: PhantomData }
    }

    /// A block of it: `None` where it would reach outside.
    ///
    /// # Safety
    /// While a block lives, no other one may overlap it.
    unsafe fn block(&self, rows: Range<usize>, columns: Range<usize>) -> Option<Block<'a>> {
        let inside = rows.start <= rows.end && rows.end <= self.rows;
        let within = columns.start <= columns.end && columns.end <= self.stride;
        (inside && within).then(|| Block {
            // SAFETY: rows.start < = self.rows and columns.start <= self.stride, so this is inside or one past the end.
            data: unsafe { self.data.add((rows.start * self.stride + columns.start).min(self.rows * self.stride)) },
            rows: rows.len(),
            columns: columns.len(),
            stride: self.stride,
            owner: PhantomData,
        })
    }
}

/// A block of a matrix, for one task to fill.
#[derive(Debug)]
pub struct Block<'a> {
    data: *mut f32,
    rows: usize,
    columns: usize,
    stride: usize,
    owner: PhantomData<&'a mut [f32]>,
}

impl Block<'_> {
    /// The line at `row`; empty outside.
    pub fn line(&mut self, row: usize) -> &mut [f32] {
        if row >= self.rows {
            return &mut [];
        }
        // SAFETY: `Shared::block` has checked that all lines lie inside the buffer, and that nobody else has them is in
        // its contract; `&mut self` keeps two lines from being held at once.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(row * self.stride), self.columns) }
    }

    /// Adds `left * right`. Does nothing, and says so with `false`, where the sizes do not fit.
    pub fn add_product(&mut self, left: Matrix<'_>, right: Matrix<'_>) -> bool {
        let fits = left.rows == self.rows && right.columns == self.columns && left.columns == right.rows;
        if !fits || self.rows == 0 || self.columns == 0 || left.columns == 0 {
            return fits;
        }
        // SAFETY: `gemm` reads rows x inner of `left` and inner x columns of `right`, and reads and writes rows x
        // columns of this block, with the strides given; `Matrix::new` and `Shared::block` have checked that these lie
        // inside their buffers, and the borrows say that they do not overlap. Strides fit isize: buffers do.
        unsafe {
            gemm::gemm(
                self.rows,
                self.columns,
                left.columns, // m, n, k
                self.data,
                1,
                self.stride as isize,
                true,
                left.data.as_ptr(),
                1,
                left.stride as isize,
                right.data.as_ptr(),
                1,
                right.stride as isize,
                1.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(left: &[f32], right: &[f32], (rows, inner, columns): (usize, usize, usize), into: &mut [f32]) {
        for r in 0..rows {
            for c in 0..columns {
                into[r * columns + c] += (0..inner).map(|k| left[r * inner + k] * right[k * columns + c]).sum::<f32>();
            }
        }
    }

    fn values(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + seed * 104_729) % 1000) as f32 / 500.0 - 1.0).collect()
    }

    #[test]
    fn the_product_is_the_scalar_one_at_all_sizes() {
        for (rows, inner, columns) in [(1, 1, 1), (3, 5, 7), (16, 27, 33), (64, 147, 50), (33, 288, 129)] {
            let (left, right) = (values(rows * inner, 1), values(inner * columns, 2));
            let mut wanted = values(rows * columns, 3);
            let mut got = wanted.clone();
            scalar(&left, &right, (rows, inner, columns), &mut wanted);
            // SAFETY: the two blocks are different columns.
            unsafe {
                let shared = Shared::new(&mut got, columns);
                let half = columns / 2;
                for part in [0..half, half..columns] {
                    let right = Matrix::new(&right[part.start..], inner, part.len(), columns).unwrap();
                    let left = Matrix::new(&left, rows, inner, inner).unwrap();
                    assert!(shared.block(0..rows, part).unwrap().add_product(left, right));
                }
            }
            for (got, wanted) in got.iter().zip(&wanted) {
                assert!((got - wanted).abs() < 1e-3, "{rows} x {inner} x {columns}: {got} {wanted}");
            }
        }
    }

    #[test]
    fn tiles_are_filled_once_and_never_where_they_overlap() {
        let tile = |rows, columns| Tile { rows, columns };
        let mut data = vec![0.0; 12];
        let apart = [tile(0..2, 0..2), tile(0..2, 2..4), tile(2..3, 0..4)];
        let number = |at: usize, mut block: Block<'_>, _: &mut Vec<f32>| {
            (0..2).for_each(|row| block.line(row).iter_mut().for_each(|value| *value += at as f32 + 1.0));
        };
        assert!(fill_tiles(&mut data, 4, &apart, number));
        assert_eq!(data, [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 3.0]);
        for bad in [[tile(0..2, 0..2), tile(1..3, 1..3)], [tile(0..2, 0..2), tile(2..4, 0..2)]] {
            assert!(!fill_tiles(&mut data, 4, &bad, number));
        }
        assert_eq!(data[0], 1.0, "nothing was touched");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut data = vec![0.0; 12];
        assert!(Matrix::new(&data, 3, 4, 4).is_some() && Matrix::new(&data, 3, 5, 5).is_none());
        assert!(Matrix::new(&data, 2, 5, 4).is_none(), "lines overlap");
        let shared = Shared::new(&mut data, 4);
        // SAFETY: none of them is used at the same time as another.
        unsafe {
            assert!(shared.block(0..4, 0..4).is_none() && shared.block(0..3, 0..5).is_none());
            let mut block = shared.block(1..3, 1..3).unwrap();
            assert_eq!((block.line(1).len(), block.line(2).len()), (2, 0));
            let two = Matrix::new(&[1.0; 6], 2, 3, 3).unwrap();
            assert!(!block.add_product(two, two), "2 x 3 times 2 x 3");
        }
    }
}
