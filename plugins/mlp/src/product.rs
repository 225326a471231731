//! Computes a differentiable product of two matrices, on one thread of the CPU or on another
//! device.
//!
//! candle's own product on the CPU uses all cores and counts them on every call by reading
//! `/proc/cpuinfo`. Counting takes several times as long as one product of this family's sizes.
//! This module calls the same kernels directly.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use gemm::Parallelism;

/// Computes `left · right`, for shapes `[m, k]` and `[k, n]`.
///
/// # Errors
/// Returns an error of candle's type if the shapes do not match.
pub(crate) fn product(left: &Tensor, right: &Tensor) -> Result<Tensor> {
    if left.device().is_cpu() { left.apply_op2(right, Product) } else { left.matmul(right) }
}

struct Product;

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(
        &self,
        left: &CpuStorage,
        left_layout: &Layout,
        right: &CpuStorage,
        right_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let left = Matrix::new(left.as_slice()?, left_layout)?;
        let right = Matrix::new(right.as_slice()?, right_layout)?;
        Ok((CpuStorage::F32(left.times(&right)?), (left.n_rows, right.n_columns).into()))
    }

    fn bwd(
        &self,
        left: &Tensor,
        right: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        // The gradients use this product as well, so that a training step never starts threads.
        Ok((Some(product(gradient, &right.t()?)?), Some(product(&left.t()?, gradient)?)))
    }
}

/// A strided view of a matrix in a slice. Invariant: every element of the matrix is inside the
/// slice.
struct Matrix<'a> {
    values: &'a [f32],
    n_rows: usize,
    n_columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    fn new(values: &'a [f32], layout: &Layout) -> Result<Self> {
        let (n_rows, n_columns) = layout.shape().dims2()?;
        let row_stride = layout.stride()[0];
        let column_stride = layout.stride()[1];
        let values = values.get(layout.start_offset()..).unwrap_or_default();
        let last = n_rows.saturating_sub(1) * row_stride + n_columns.saturating_sub(1) * column_stride;
        if n_rows > 0 && n_columns > 0 && last >= values.len() {
            bail!("found {} values, expected a matrix of {n_rows} × {n_columns}", values.len());
        }
        Ok(Self { values, n_rows, n_columns, row_stride, column_stride })
    }

    /// Computes the product, row-major.
    fn times(&self, right: &Matrix<'_>) -> Result<Vec<f32>> {
        if self.n_columns != right.n_rows {
            bail!(
                "shapes do not match: {} × {} times {} × {}",
                self.n_rows,
                self.n_columns,
                right.n_rows,
                right.n_columns
            );
        }
        let mut out = vec![0.0f32; self.n_rows * right.n_columns];
        // SAFETY: `out` has `n_rows × n_columns` values, row-major, and is not shared. Every
        // element of `self` and `right` is inside its slice by the invariant of `Matrix`. The
        // strides fit an `isize`, as offsets in any slice of `f32` do. The inner sizes are equal,
        // as checked above.
        unsafe {
            // Each matrix is passed with its column stride before its row stride. `out` is
            // overwritten, not added to.
            gemm::gemm(
                self.n_rows,
                right.n_columns,
                self.n_columns,
                out.as_mut_ptr(),
                1,
                right.n_columns as isize,
                false,
                self.values.as_ptr(),
                self.column_stride as isize,
                self.row_stride as isize,
                right.values.as_ptr(),
                right.column_stride as isize,
                right.row_stride as isize,
                0.0,
                1.0,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    fn matrix(n_rows: usize, n_columns: usize) -> Var {
        let values: Vec<f32> = (0..n_rows * n_columns).map(|idx| (idx * 37 % 17) as f32 - 8.0).collect();
        Var::from_vec(values, (n_rows, n_columns), &Device::Cpu).unwrap()
    }

    fn values(tensor: &Tensor) -> Vec<Vec<f32>> {
        tensor.to_vec2().unwrap()
    }

    #[test]
    fn products_and_gradients_equal_those_of_candle() {
        // With small integers, sums are exact in any order.
        for (m, k, n) in [(1, 1, 1), (5, 3, 7), (64, 47, 64), (13, 64, 1), (1, 9, 4)] {
            let left = matrix(m, k);
            let right = matrix(k, n);
            let weight = matrix(m, n);
            let [ours, candles] = [product(&left, &right), left.matmul(&right)].map(|result| {
                let result = result.unwrap();
                let gradients = (&result * weight.as_tensor()).unwrap().sum_all().unwrap().backward().unwrap();
                [&result, gradients.get(&left).unwrap(), gradients.get(&right).unwrap()].map(values)
            });
            assert_eq!(ours, candles);
        }
    }

    #[test]
    fn products_of_strided_views_are_correct() {
        let left = matrix(9, 6);
        let right = matrix(8, 5);
        let left = left.narrow(0, 2, 5).unwrap().t().unwrap();
        let right = right.narrow(0, 3, 5).unwrap();
        assert_eq!(values(&product(&left, &right).unwrap()), values(&left.matmul(&right).unwrap()));
    }

    #[test]
    fn shapes_that_do_not_match_are_rejected() {
        let error = product(&matrix(2, 3), &matrix(2, 3)).unwrap_err().to_string();
        assert!(error.contains("2 × 3 times 2 × 3"), "{error}");
    }
}
