//! The file in a temporary folder; the entry's handling on a store in memory.

use super::*;
use keyring_core::api::CredentialStoreApi;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn account(user: &str) -> Account {
    Account {
        server: "https://h/p".to_owned(),
        user: user.to_owned(),
    }
}

fn kept(path: &Path, user: &str) -> Option<String> {
    let found = file::find(path, &account(user)).expect("readable");
    found.map(|secret| secret.expose().to_owned())
}

#[test]
fn the_file_keeps_each_account_its_password_and_is_its_owners_alone() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("state/credentials.json");
    assert_eq!(kept(&path, "ada"), None);
    for (user, password) in [("ada", "one"), ("bob", "two"), ("ada", "three")] {
        file::save(&path, &account(user), &Secret::new(password)).expect("saved");
    }
    assert_eq!(kept(&path, "ada").as_deref(), Some("three"));
    assert_eq!(kept(&path, "bob").as_deref(), Some("two"));
    let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().expect("a folder")), 0o700);
    assert_eq!(file::remove(&path, &account("ada")), Ok(true));
    assert_eq!(file::remove(&path, &account("ada")), Ok(false));
    assert_eq!(kept(&path, "ada"), None);
    assert_eq!(kept(&path, "bob").as_deref(), Some("two"));
}

#[test]
fn a_file_that_others_may_read_or_that_is_damaged_is_refused_without_its_content() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("credentials.json");
    file::save(&path, &account("ada"), &Secret::new("hunter2")).expect("saved");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("chmod");
    let open = file::find(&path, &account("ada")).expect_err("refused");
    assert!(open.to_string().contains("chmod 600"), "{open}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
    for damage in [
        r#"{"version":1,"entries":["hunter2"]}"#,
        r#"{"version":"hunter2"}"#,
        "",
    ] {
        fs::write(&path, damage).expect("damaged");
        let error = file::check(&path).expect_err("refused").to_string();
        assert!(error.contains("damaged at line"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    fs::write(&path, r#"{"version":9,"entries":[]}"#).expect("newer");
    let newer = file::save(&path, &account("ada"), &Secret::new("x")).expect_err("refused");
    assert!(newer.to_string().contains("newer release"), "{newer}");
}

#[test]
fn an_entry_of_a_service_is_found_and_forgotten() {
    let store = keyring_core::mock::Store::new().expect("in memory");
    let entry = store.build("https://h/p", "ada", None).expect("an entry");
    assert!(service::find_in(&entry).expect("asked").is_none());
    assert!(!service::remove_in(&entry).expect("asked"));
    entry.set_password("hunter2").expect("kept");
    let found = service::find_in(&entry).expect("asked");
    assert_eq!(found.expect("kept").expose(), "hunter2");
    assert!(service::remove_in(&entry).expect("asked"));
    assert!(service::find_in(&entry).expect("asked").is_none());
}

#[test]
fn what_was_kept_last_is_found_whichever_store_took_it() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let stores = Credentials::new(dir.path());
    let ada = account("ada");
    let old = |_: &Account| Ok(Some(Secret::new("old")));
    let found = |service: fn(&Account) -> Result<Option<Secret>, CredentialError>| {
        let found = stores.find_with(&ada, service);
        found.secret.map(|(secret, _)| secret.expose().to_owned())
    };
    assert_eq!(found(old).as_deref(), Some("old"));
    // Kept while no service answered, such as over a plain connection.
    file::save(&stores.file, &ada, &Secret::new("new")).expect("saved");
    assert_eq!(found(old).as_deref(), Some("new"));
    assert_eq!(found(|_| Ok(None)).as_deref(), Some("new"));
    file::remove(&stores.file, &ada).expect("removed");
    assert_eq!(found(old).as_deref(), Some("old"));
    let refused = |_: &Account| Err(CredentialError::Refused("locked".to_owned()));
    assert_eq!(stores.find_with(&ada, refused).troubles.len(), 1);
}

#[test]
fn a_replaced_file_is_whole_has_its_bits_and_may_be_behind_a_link() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (real, link) = (dir.path().join("real"), dir.path().join("link"));
    fs::write(&real, "old").expect("a file");
    std::os::unix::fs::symlink(&real, &link).expect("a link");
    fs::write(dir.path().join(".real.new"), "left by a crash").expect("a file");
    replace(&link, b"new", 0o644).expect("replaced");
    assert_eq!(fs::read(&real).expect("there"), b"new");
    assert!(link.is_symlink());
    assert_eq!(
        real.metadata().expect("there").permissions().mode() & 0o777,
        0o644
    );
    assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 2);
}
