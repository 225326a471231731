//! The network: LSTM layers, then one linear output a row, as PyTorch's `nn.LSTM` and `nn.Linear` compute them.
//!
//! All weights are one vector, in the order of [`Architecture::tensors`]; each tensor is a view of it. Layers are run one
//! by one, so that dropout between them draws from our own generator.

use oculus_plugin_api::PluginError;
use oculus_plugin_support::Draws;
use tch::{Device, Kind, TchError, Tensor};

use crate::random::{self, Purpose};

/// Result of calls of libtorch.
pub(crate) type Torch<T> = Result<T, TchError>;

/// What libtorch says, without its backtrace, and what to do where memory is short.
pub(crate) fn refused(error: TchError) -> PluginError {
    let message = error.to_string();
    let end = ["\nException raised", "\nframe #"].iter().filter_map(|mark| message.find(mark)).min();
    let message = message[..end.unwrap_or(message.len())].trim();
    let is_short_of_memory = ["allocate memory", "out of memory"].iter().any(|words| message.contains(words));
    let hint = "; needs a lower hidden_size, num_layers, batch_size or sequence_length, or more memory";
    PluginError::engine(format!("{message}{}", if is_short_of_memory { hint } else { "" }))
}

/// Sizes of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Architecture {
    pub(crate) n_features: usize,
    pub(crate) hidden_size: usize,
    pub(crate) n_layers: usize,
}

impl Architecture {
    /// PyTorch's names of all tensors, and their sizes.
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

    /// Number of weights in all.
    pub(crate) fn n_weights(&self) -> usize {
        self.tensors().iter().map(|(_, size)| size.iter().product::<usize>()).sum()
    }

    /// Weights to start from: as PyTorch's, equally likely within `±1/√hidden_size`.
    pub(crate) fn initial_weights(&self, seed: u64) -> Vec<f32> {
        random::draws(seed, Purpose::Weights).uniform(self.n_weights(), (self.hidden_size as f32).sqrt().recip())
    }
}

/// What the layers remember: hidden and cell state, each `[n_layers, n_sequences, hidden_size]`.
pub(crate) struct LstmState {
    hidden: Tensor,
    cell: Tensor,
}

impl LstmState {
    /// The states of several runs, side by side.
    pub(crate) fn concat(states: &[Self]) -> Torch<Self> {
        let concat = |part: fn(&Self) -> &Tensor| Tensor::f_cat(&states.iter().map(part).collect::<Vec<_>>(), 1);
        Ok(Self { hidden: concat(|state| &state.hidden)?, cell: concat(|state| &state.cell)? })
    }

    /// The states of some neighbouring sequences.
    pub(crate) fn narrow(&self, start: usize, n_sequences: usize) -> Torch<Self> {
        let narrow = |tensor: &Tensor| tensor.f_narrow(1, start as i64, n_sequences as i64);
        Ok(Self { hidden: narrow(&self.hidden)?, cell: narrow(&self.cell)? })
    }

    fn layer(&self, layer: usize) -> Torch<[Tensor; 2]> {
        let part = |tensor: &Tensor| tensor.f_narrow(0, layer as i64, 1)?.f_contiguous();
        Ok([part(&self.hidden)?, part(&self.cell)?])
    }
}

/// Masks for outputs, drawn anew at each use.
pub(crate) struct Dropout {
    draws: Draws,
    dropped: f64,
}

impl Dropout {
    /// Drops a share of `dropped`.
    pub(crate) fn new(seed: u64, dropped: f64) -> Self {
        Self { draws: random::draws(seed, Purpose::Dropout), dropped }
    }

    fn apply(&mut self, outputs: Tensor) -> Torch<Tensor> {
        if self.dropped == 0.0 {
            return Ok(outputs);
        }
        let mask = Tensor::f_from_slice(&self.draws.dropout_mask_16(outputs.numel(), self.dropped))?;
        outputs.f_mul(&mask.f_to_device(outputs.device())?.f_view(outputs.size().as_slice())?)
    }
}

/// A network on a device.
pub(crate) struct Network {
    architecture: Architecture,
    /// All weights.
    pub(crate) flat: Tensor,
    /// Views of `flat`, whose gradients are asked for.
    pub(crate) tensors: Vec<Tensor>,
}

impl Network {
    /// A network of given weights, in the order of [`Architecture::tensors`].
    pub(crate) fn new(architecture: Architecture, weights: &[f32], device: Device) -> Torch<Self> {
        let flat = Tensor::f_from_slice(weights)?.f_to_device(device)?;
        let mut start = 0;
        let mut view = |size: &[usize]| {
            let n_values = size.iter().product::<usize>() as i64;
            let size: Vec<i64> = size.iter().map(|&n| n as i64).collect();
            let tensor = flat.f_narrow(0, start, n_values)?.f_view(size.as_slice())?.f_detach()?;
            start += n_values;
            tensor.f_set_requires_grad(true)
        };
        let tensors = architecture.tensors().iter().map(|(_, size)| view(size)).collect::<Torch<_>>()?;
        Ok(Self { architecture, flat, tensors })
    }

    /// All weights, copied.
    pub(crate) fn weights(&self) -> Torch<Vec<f32>> {
        let mut weights = vec![0.0; self.flat.numel()];
        self.flat.f_to_device(Device::Cpu)?.f_copy_data(&mut weights, self.flat.numel())?;
        Ok(weights)
    }

    /// Runs the layers over `inputs`, `[n_steps, n_sequences, n_features]`: the outputs of the last,
    /// `[n_steps, n_sequences, hidden_size]`, and what all remember.
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
            let own_start = start.map(|state| state.layer(layer)).transpose()?;
            let start: Vec<&Tensor> = own_start.as_ref().unwrap_or(&zeros).iter().collect();
            let weights: Vec<&Tensor> = self.tensors[4 * layer..4 * layer + 4].iter().collect();
            let (of_layer, last_hidden, last_cell) =
                outputs.f_lstm(&start, &weights, true, 1, 0.0, true, false, false)?;
            outputs = of_layer;
            hidden.push(last_hidden);
            cell.push(last_cell);
        }
        Ok((outputs, LstmState { hidden: Tensor::f_cat(&hidden, 0)?, cell: Tensor::f_cat(&cell, 0)? }))
    }

    /// Log-odds of class 1 for outputs of the layers, `[n, hidden_size]`.
    pub(crate) fn logits(&self, outputs: Tensor, dropout: Option<&mut Dropout>) -> Torch<Tensor> {
        let outputs = match dropout {
            Some(dropout) => dropout.apply(outputs)?,
            None => outputs,
        };
        let head = &self.tensors[4 * self.architecture.n_layers..];
        outputs.f_linear(&head[0], Some(&head[1]))?.f_view(-1)
    }
}
