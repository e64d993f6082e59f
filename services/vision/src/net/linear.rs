//! A linear layer: classes x features and a bias.

/// `y = W x + b`.
#[derive(Clone)]
pub struct Linear {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl std::fmt::Debug for Linear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Linear({} to {})", self.inputs(), self.outputs())
    }
}

impl Linear {
    /// From a row-major matrix with as many rows as the bias has values.
    pub fn new(weight: Vec<f32>, bias: Vec<f32>) -> Self {
        Self { weight, bias }
    }

    /// Values that it takes.
    pub fn inputs(&self) -> usize {
        self.weight.len() / self.bias.len().max(1)
    }

    /// Values that it gives.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// The outputs for one row of features.
    pub fn forward(&self, features: &[f32]) -> Vec<f32> {
        let rows = self.weight.chunks_exact(self.inputs().max(1)).zip(&self.bias);
        rows.map(|(row, bias)| bias + row.iter().zip(features).map(|(w, x)| w * x).sum::<f32>()).collect()
    }
}
