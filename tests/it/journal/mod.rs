//! The journal as a file, and the commands that look at one.

mod file;
mod salvage;
mod source;
