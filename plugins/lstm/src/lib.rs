//! An LSTM network (libtorch) as a plugin.
