//! The network: LSTM layers, followed by a linear layer with one output. The formulas are those of
//! PyTorch's `nn.LSTM` and `nn.Linear`.
//!
//! All weights form one vector, in the order of [`Architecture::tensors`]. Each tensor is a view of
//! this vector. Each layer is a separate call of libtorch, so that dropout between layers uses this
//! plugin's random stream.

use oculus_plugin_api::PluginError;
use oculus_plugin_support::Draws;
use tch::{Device, Kind, TchError, Tensor};

use crate::random::{self, Purpose};

/// The result of a call of libtorch.
pub(crate) type Torch<T> = Result<T, TchError>;

/// Converts an error of libtorch: removes its backtrace, and adds a remedy if memory was exhausted.
pub(crate) fn engine_error(error: TchError) -> PluginError {
    let message = error.to_string();
    // libtorch appends its C++ backtrace to the message.
    let end = ["\nException raised", "\nframe #"].iter().filter_map(|mark| message.find(mark)).min();
    let message = message[..end.unwrap_or(message.len())].trim();
    let is_out_of_memory = ["allocate memory", "out of memory"].iter().any(|part| message.contains(part));
    let hint = "; use a lower hidden_size, num_layers, batch_size or sequence_length, or more memory";
    PluginError::engine(format!("{message}{}", if is_out_of_memory { hint } else { "" }))
}

/// The sizes of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Architecture {
    pub(crate) n_features: usize,
    pub(crate) hidden_size: usize,
    pub(crate) n_layers: usize,
}

impl Architecture {
    /// Returns, for each tensor, its name in PyTorch and its shape.
    pub(crate) fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let hidden = self.hidden_size;
        let gates = 4 * self.hidden_size;
        let layer = |layer: usize| {
            let n_inputs = if layer == 0 { self.n_features } else { hidden };
            [
                (format!("lstm.weight_ih_l{layer}"), vec![gates, n_inputs]),
                (format!("lstm.weight_hh_l{layer}"), vec![gates, hidden]),
                (format!("lstm.bias_ih_l{layer}"), vec![gates]),
                (format!("lstm.bias_hh_l{layer}"), vec![gates]),
            ]
        };
        let head = [("head.weight".to_owned(), vec![1, hidden]), ("head.bias".to_owned(), vec![1])];
        (0..self.n_layers).flat_map(layer).chain(head).collect()
    }

    /// Returns the total number of weights.
    pub(crate) fn n_weights(&self) -> usize {
        self.tensors().iter().map(|(_, size)| size.iter().product::<usize>()).sum()
    }

    /// Draws the initial weights with PyTorch's distribution, uniform within `±1/√hidden_size`.
    pub(crate) fn initial_weights(&self, seed: u64) -> Vec<f32> {
        random::draws(seed, Purpose::Weights).uniform(self.n_weights(), (self.hidden_size as f32).sqrt().recip())
    }
}

/// The hidden and the cell state of all layers, each `[n_layers, n_sequences, hidden_size]`.
pub(crate) struct LstmState {
    hidden: Tensor,
    cell: Tensor,
}

impl LstmState {
    /// Concatenates the states of several runs along the dimension of the sequences.
    pub(crate) fn concat(states: &[Self]) -> Torch<Self> {
        let concat = |part: fn(&Self) -> &Tensor| Tensor::f_cat(&states.iter().map(part).collect::<Vec<_>>(), 1);
        Ok(Self { hidden: concat(|state| &state.hidden)?, cell: concat(|state| &state.cell)? })
    }

    /// Returns the states of `n_sequences` consecutive sequences, beginning at index `start`.
    pub(crate) fn narrow(&self, start: usize, n_sequences: usize) -> Torch<Self> {
        let narrow = |tensor: &Tensor| tensor.f_narrow(1, start as i64, n_sequences as i64);
        Ok(Self { hidden: narrow(&self.hidden)?, cell: narrow(&self.cell)? })
    }

    fn layer(&self, layer: usize) -> Torch<[Tensor; 2]> {
        let part = |tensor: &Tensor| tensor.f_narrow(0, layer as i64, 1)?.f_contiguous();
        Ok([part(&self.hidden)?, part(&self.cell)?])
    }
}

/// Dropout of layer outputs. Each use draws a new mask.
pub(crate) struct Dropout {
    draws: Draws,
    /// Probability that an output is dropped.
    probability: f64,
}

impl Dropout {
    /// Creates a dropout that drops each output with the given probability.
    pub(crate) fn new(seed: u64, probability: f64) -> Self {
        Self { draws: random::draws(seed, Purpose::Dropout), probability }
    }

    fn apply(&mut self, outputs: Tensor) -> Torch<Tensor> {
        if self.probability == 0.0 {
            return Ok(outputs);
        }
        // The mask is drawn on the CPU, so that it is equal on every device.
        let mask = Tensor::f_from_slice(&self.draws.dropout_mask_16(outputs.numel(), self.probability))?;
        outputs.f_mul(&mask.f_to_device(outputs.device())?.f_view(outputs.size().as_slice())?)
    }
}

/// A network on a device.
pub(crate) struct Network {
    architecture: Architecture,
    /// All weights in one vector.
    pub(crate) flat: Tensor,
    /// Views of `flat`, one per tensor. Gradients are computed for these views.
    pub(crate) tensors: Vec<Tensor>,
}

impl Network {
    /// Creates a network with the given weights, in the order of [`Architecture::tensors`].
    pub(crate) fn new(architecture: Architecture, weights: &[f32], device: Device) -> Torch<Self> {
        let flat = Tensor::f_from_slice(weights)?.f_to_device(device)?;
        let mut start = 0;
        let mut view = |size: &[usize]| {
            let n_values = size.iter().product::<usize>() as i64;
            let size: Vec<i64> = size.iter().map(|&n| n as i64).collect();
            // Detached views share the memory of `flat` but are leaves of autograd, so the
            // optimizer can update `flat` in place.
            let tensor = flat.f_narrow(0, start, n_values)?.f_view(size.as_slice())?.f_detach()?;
            start += n_values;
            tensor.f_set_requires_grad(true)
        };
        let tensors = architecture.tensors().iter().map(|(_, size)| view(size)).collect::<Torch<_>>()?;
        Ok(Self { architecture, flat, tensors })
    }

    /// Copies all weights to the CPU.
    pub(crate) fn weights(&self) -> Torch<Vec<f32>> {
        let mut weights = vec![0.0; self.flat.numel()];
        self.flat.f_to_device(Device::Cpu)?.f_copy_data(&mut weights, self.flat.numel())?;
        Ok(weights)
    }

    /// Runs the layers over `inputs`, `[n_steps, n_sequences, n_features]`. The initial state is
    /// `start`, or zeros if `start` is `None`.
    ///
    /// Returns the outputs of the last layer, `[n_steps, n_sequences, hidden_size]`, and the final
    /// state of all layers.
    pub(crate) fn run(
        &self,
        inputs: Tensor,
        start: Option<&LstmState>,
        mut dropout: Option<&mut Dropout>,
    ) -> Torch<(Tensor, LstmState)> {
        let zeros = || {
            let size = [1, inputs.size()[1], self.architecture.hidden_size as i64];
            Tensor::f_zeros(size, (Kind::Float, inputs.device()))
        };
        let zeros = [zeros()?, zeros()?];
        let mut outputs = inputs;
        let mut hidden = Vec::new();
        let mut cell = Vec::new();
        for layer in 0..self.architecture.n_layers {
            if let Some(dropout) = dropout.as_deref_mut().filter(|_| layer > 0) {
                outputs = dropout.apply(outputs)?;
            }
            let layer_start = start.map(|state| state.layer(layer)).transpose()?;
            let start: Vec<&Tensor> = layer_start.as_ref().unwrap_or(&zeros).iter().collect();
            let weights: Vec<&Tensor> = self.tensors[4 * layer..4 * layer + 4].iter().collect();
            // The arguments are: with biases, one layer, no dropout, training mode, one direction,
            // inputs by step.
            let (layer_outputs, last_hidden, last_cell) =
                outputs.f_lstm(&start, &weights, true, 1, 0.0, true, false, false)?;
            outputs = layer_outputs;
            hidden.push(last_hidden);
            cell.push(last_cell);
        }
        Ok((outputs, LstmState { hidden: Tensor::f_cat(&hidden, 0)?, cell: Tensor::f_cat(&cell, 0)? }))
    }

    /// Computes the log-odds of class 1 from outputs of the last layer, `[n, hidden_size]`.
    pub(crate) fn logits(&self, outputs: Tensor, dropout: Option<&mut Dropout>) -> Torch<Tensor> {
        let outputs = match dropout {
            Some(dropout) => dropout.apply(outputs)?,
            None => outputs,
        };
        let head = &self.tensors[4 * self.architecture.n_layers..];
        outputs.f_linear(&head[0], Some(&head[1]))?.f_view(-1)
    }
}
