//! The command `tools tidy`, on the workspace and on a tree that breaks a rule.

use std::process::{Command, Output};

fn tidy(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tools"));
    command.arg("tidy").args(args);
    command.output().expect("the binary starts")
}

#[test]
fn the_workspace_is_tidy() {
    let output = tidy(&[]);
    let findings = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "\n{findings}");
}

#[test]
fn a_finding_is_printed_and_fails() {
    let root = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(root.path().join("CHANGELOG.md"), "### Safety\n").expect("a file");
    let path = root.path().to_str().expect("a readable name");
    let output = tidy(&["--root", path]);
    let findings = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        findings.contains("CHANGELOG.md:1: changelog: add the section `### Format`"),
        "{findings}"
    );
}
