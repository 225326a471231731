//! A library whose behaviour is written in its bytes, because it misbehaves before a host can pass a parameter.
//!
//! In: the `fields`, which tests overwrite in copies of the file. Out: a well-behaved family, or the act that the
//! field `act` names. Its score is the share of positives plus the weighted value of the first feature for models.

mod acts;
mod family;
mod fields;
mod header;
mod opening;
