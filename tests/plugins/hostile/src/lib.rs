//! A library that misbehaves. Bytes in its file select the behaviour, because some of it must
//! happen before a host passes a parameter.
//!
//! In: the module `fields`, whose texts tests overwrite in copies of the file. Out: a correct
//! family, or the misbehaviour that the field `act` names. The score is the share of positives plus
//! the weighted value of the first model feature.

mod acts;
mod family;
mod fields;
mod header;
mod opening;
