//! A decoded picture: 8-bit sRGB, upright, without anything that came with it.

/// Three bytes a pixel, rows from the top.
#[derive(Clone, PartialEq)]
pub struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
    /// By how much it was made smaller while it was decoded: pixels of the file for one of these.
    pub shrunk: f32,
}

/// The quarter turns and mirrorings that EXIF knows, as what is to be done to the stored picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turn {
    /// Mirror left and right, first.
    pub mirror: bool,
    /// Quarter turns clockwise, after that.
    pub quarters: u8,
}

impl std::fmt::Debug for Picture {
    /// Pixels are a patient's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({} x {})", self.width, self.height)
    }
}

impl Turn {
    /// The turn of an EXIF orientation, 1 to 8; anything else is upright.
    pub fn of_exif(orientation: u8) -> Self {
        let turn = |mirror, quarters| Self { mirror, quarters };
        match orientation {
            2 => turn(true, 0),
            3 => turn(false, 2),
            4 => turn(true, 2),
            5 => turn(true, 3),
            6 => turn(false, 1),
            7 => turn(true, 1),
            8 => turn(false, 3),
            _ => turn(false, 0),
        }
    }
}

impl Picture {
    /// From rows of RGB; `None` where the bytes do not come to that size, or there are none.
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Option<Self> {
        let whole = width.checked_mul(height)?.checked_mul(3)? == pixels.len() && !pixels.is_empty();
        whole.then_some(Self { width, height, pixels, shrunk: 1.0 })
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The bytes of a row; empty below the last.
    pub fn row(&self, y: usize) -> &[u8] {
        self.pixels.get(y * self.width * 3..(y + 1) * self.width * 3).unwrap_or_default()
    }

    /// All pixels.
    pub fn pixels(&self) -> &[[u8; 3]] {
        self.pixels.as_chunks::<3>().0
    }

    /// The picture upright.
    pub fn turned(self, turn: Turn) -> Self {
        if turn == Turn::default() {
            return self;
        }
        let (width, height) = match turn.quarters % 2 {
            0 => (self.width, self.height),
            _ => (self.height, self.width),
        };
        let mut pixels = Vec::with_capacity(self.pixels.len());
        for y in 0..height {
            for x in 0..width {
                let (sx, sy) = match turn.quarters % 4 {
                    0 => (x, y),
                    1 => (y, self.height - 1 - x),
                    2 => (self.width - 1 - x, self.height - 1 - y),
                    _ => (self.width - 1 - y, x),
                };
                let sx = if turn.mirror { self.width - 1 - sx } else { sx };
                let at = (sy * self.width + sx) * 3;
                pixels.extend_from_slice(self.pixels.get(at..at + 3).unwrap_or(&[0; 3]));
            }
        }
        Self { width, height, pixels, shrunk: self.shrunk }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 3 x 2: a b c / d e f, as the reds of its pixels.
    fn letters() -> Picture {
        Picture::new(3, 2, b"abcdef".iter().flat_map(|letter| [*letter, 0, 0]).collect()).unwrap()
    }

    #[test]
    fn every_orientation_is_turned_upright() {
        for (orientation, wanted) in [
            (1, "abc/def"),
            (2, "cba/fed"),
            (3, "fed/cba"),
            (4, "def/abc"),
            (5, "ad/be/cf"),
            (6, "da/eb/fc"),
            (7, "fc/eb/da"),
            (8, "cf/be/ad"),
            (0, "abc/def"),
            (9, "abc/def"),
        ] {
            let turned = letters().turned(Turn::of_exif(orientation));
            let rows: Vec<String> = (0..turned.height())
                .map(|y| turned.row(y).chunks(3).map(|pixel| char::from(pixel[0])).collect())
                .collect();
            assert_eq!(rows.join("/"), wanted, "orientation {orientation}");
        }
    }

    #[test]
    fn a_picture_has_as_many_bytes_as_its_size_says() {
        assert!(Picture::new(2, 2, vec![0; 12]).is_some());
        assert!(Picture::new(2, 2, vec![0; 11]).is_none() && Picture::new(0, 0, Vec::new()).is_none());
        assert!(Picture::new(usize::MAX, 2, vec![0; 12]).is_none());
    }
}
