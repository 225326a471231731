//! The solution of symmetric positive definite equations by Cholesky's decomposition.

/// A symmetric matrix of `n × n` numbers in row-major order. Only the lower triangle is used.
#[derive(Clone, Debug)]
pub(crate) struct Symmetric {
    n: usize,
    values: Vec<f64>,
}

impl Symmetric {
    /// Creates a matrix of zeros.
    pub(crate) fn zeros(n: usize) -> Self {
        Self { n, values: vec![0.0; n * n] }
    }

    /// Adds a number to an element with `column <= row`.
    pub(crate) fn add(&mut self, row: usize, column: usize, value: f64) {
        self.values[row * self.n + column] += value;
    }

    /// Computes the lower triangle `L` with `L Lᵀ = A`. Returns `None` if the matrix is not positive
    /// definite.
    pub(crate) fn decompose(mut self) -> Option<Triangle> {
        let n = self.n;
        for row in 0..n {
            for column in 0..=row {
                let (above, own) = self.values.split_at_mut(row * n);
                let other = if column == row { &own[..column] } else { &above[column * n..column * n + column] };
                let sum: f64 = own[..column].iter().zip(other).map(|(a, b)| a * b).sum();
                let rest = own[column] - sum;
                if column < row {
                    own[column] = rest / above[column * n + column];
                } else if rest > 0.0 && rest.is_finite() {
                    own[column] = rest.sqrt();
                } else {
                    return None;
                }
            }
        }
        Some(Triangle(self))
    }
}

/// The lower triangle of a decomposed matrix.
pub(crate) struct Triangle(Symmetric);

impl Triangle {
    /// Returns `x` with `A x = b`.
    pub(crate) fn solve(&self, b: &[f64]) -> Vec<f64> {
        let Symmetric { n, values } = &self.0;
        let n = *n;
        let mut x = b.to_vec();
        for row in 0..n {
            let known: f64 = values[row * n..row * n + row].iter().zip(&x).map(|(l, x)| l * x).sum();
            x[row] = (x[row] - known) / values[row * n + row];
        }
        for row in (0..n).rev() {
            let known: f64 = (row + 1..n).map(|below| values[below * n + row] * x[below]).sum();
            x[row] = (x[row] - known) / values[row * n + row];
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: [[f64; 3]; 3]) -> Symmetric {
        let mut matrix = Symmetric::zeros(3);
        for (row, values) in rows.iter().enumerate() {
            (0..=row).for_each(|column| matrix.add(row, column, values[column]));
        }
        matrix
    }

    #[test]
    fn the_solution_satisfies_the_equations() {
        let rows = [[4.0, 1.0, -1.0], [1.0, 5.0, 2.0], [-1.0, 2.0, 6.0]];
        let x = matrix(rows).decompose().unwrap().solve(&[1.0, -2.0, 3.0]);
        for (row, b) in rows.iter().zip([1.0, -2.0, 3.0]) {
            let found: f64 = row.iter().zip(&x).map(|(a, x)| a * x).sum();
            assert!((found - b).abs() < 1e-12, "{found} instead of {b}");
        }
    }

    #[test]
    fn a_matrix_that_is_not_positive_definite_is_not_decomposed() {
        assert!(matrix([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]]).decompose().is_none());
        assert!(matrix([[f64::NAN, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]).decompose().is_none());
    }
}
