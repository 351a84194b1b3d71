//! What must hold in every world, one promise a file.
//!
//! In: the state of a world, at each step or at the end. Out: a text that names
//! the promise and what broke it, or nothing. Invariant: no false alarm: what a
//! checker reports is the program's doing. Deliberately absent: repairs. A new
//! promise is a file here and a line in `run`; promises that can only be judged
//! at the moment (`stream_gapless`, `inside_root`,
//! `absence_proven`) are judged in the world and
//! collected by the file of their name.

pub mod absence_proven;
pub mod converged;
pub mod history_guarded;
pub mod inside_root;
pub mod kept_in_sight;
pub mod no_half_file;
pub mod nothing_lost;
pub mod replay_equal;
pub mod second_run_idle;
pub mod stream_gapless;
pub mod synced_is_true;
#[cfg(test)]
mod tests;

/// What a checker says: the promise is kept, or how it was broken.
pub type Verdict = Result<(), String>;
