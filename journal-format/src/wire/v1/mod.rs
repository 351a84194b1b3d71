//! Generation 1: frozen. Texts borrow from the payload.
//!
//! Every field counts, in this order: no skipping, defaulting, flattening or
//! tagging attributes, no maps, no types from outside this folder.

mod conflict;
mod observation;
mod operation;
mod session;
mod value;

pub(crate) use conflict::*;
pub(crate) use observation::*;
pub(crate) use operation::*;
pub(crate) use session::*;
pub(crate) use value::*;
