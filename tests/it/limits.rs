//! What the system lets a process have: running short of it is told as that, and passes.

use crate::program::{Done, Lab, done, tree, write_long_ago};

/// A run with a limit of open files, and another one up to which it may raise that.
fn limited(lab: &Lab, soft_and_hard: &str) -> Done {
    let limit = format!("--nofile={soft_and_hard}");
    let mut command = lab.wrapped(&["prlimit", &limit]);
    command.args(["-z", "0", "--once", "--json", "-s"]);
    done(command.arg(&lab.remote).arg("-d").arg(&lab.local))
}

#[test]
fn a_want_of_file_descriptors_is_no_folder_that_is_gone() {
    let lab = Lab::new();
    for number in 0..600 {
        let name = format!("d{}/{number}", number % 30);
        write_long_ago(&lab.local.join(name), "x");
    }
    let short = limited(&lab, "100:100");
    assert_ne!(short.code, 5, "{}", short.err);
    assert!(!short.err.contains("is missing"), "{}", short.err);
    let raised = limited(&lab, "100:4096");
    assert_eq!(raised.code, 0, "{}", raised.err);
    assert_eq!(tree(&lab.remote), tree(&lab.local));
}
