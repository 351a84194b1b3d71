//! Writes the golden vectors again: `cargo run -p journal-format --features bless
//! --example bless`. Look at the difference: a released vector must not change.

use std::path::Path;

fn main() -> std::io::Result<()> {
    journal_format::vectors::bless(&Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors"))
}
