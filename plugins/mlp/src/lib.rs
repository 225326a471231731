//! A multi-layer perceptron (candle) as a plugin.
