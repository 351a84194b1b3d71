//! The journal as a file, and the commands that look at one.

mod choices;
mod file;
mod hints;
mod missing;
mod partial;
mod salvage;
mod source;

use crate::program::Lab;
use std::path::PathBuf;

/// The folder of the only job.
fn job_of(lab: &Lab) -> PathBuf {
    let mut jobs = std::fs::read_dir(lab.state.join("jobs")).expect("jobs");
    jobs.next().expect("a job").expect("entry").path()
}
