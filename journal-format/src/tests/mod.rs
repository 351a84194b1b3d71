//! Tests of the format as a whole. Each rule of `FORMAT.md` has one here.

mod conformance;
mod envelope;
mod portable;
mod round_trip;
mod strategies;
mod values;
mod variant_order;
mod vectors;
