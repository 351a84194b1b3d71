//! Rings 1 and 2 of the tests: what they pretend, and what must hold.

pub mod ring1;
