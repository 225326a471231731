//! A library whose behaviour is written in its bytes: what a host meets happens before anybody could ask for it by a
//! parameter.
//!
//! In: the `fields`, which tests overwrite in copies of the file. Out: a well-behaved family, or what the field `act`
//! says. Its score is the share of positives plus the weighted value of the first feature for models.

mod acts;
mod family;
mod fields;
mod header;
mod opening;
