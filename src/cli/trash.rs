//! `trash list` and `trash restore`.
//!
//! In: a job, an entry's name. Out: a list, or the entry back in the local folder.
//! Invariants: nothing is replaced; the folder is the one the journal knows.
//! A restore is an event, and can be undone like others. CRASH: before the event, the
//! next run sees what came back as new.

use super::args::{Restore, Trash};
use super::desk::{Desk, who};
use super::exit::{Exit, Failure};
use super::journal::source;
use super::known::Known;
use super::offline::{Opened, shown};
use super::print;
use super::text::{plain, size, time};
use crate::adapters::clock::SystemClock;
use crate::adapters::local_fs::LocalFolder;
use crate::adapters::rooted::{Options, Trashed};
use crate::adapters::store::FolderLock;
use crate::daemon::RunError;
use crate::daemon::by_hand::Deeds;
use crate::daemon::offline::last_known;
use crate::executor::{Hand, NotRestored};
use crate::journal::explain::{self, Explanation, Fate};
use crate::ports::{History, LocalFs, PortError, RootState, Store};
use journal_format::event::{Event, OperationEvent, Record, SessionEvent};
use journal_format::value::{RelPath, Seq, Side};
use serde_json::json;
use std::path::Path;

/// Runs a command on the trash.
pub(super) async fn run(desk: &mut Desk<'_>, command: &Trash) -> Result<Exit, Failure> {
    match command {
        Trash::List(job) => list(desk, &desk.known(job.job.as_deref())?).await?,
        Trash::Restore(restored) => {
            let id = desk.known(restored.job.as_deref())?.id;
            let resting = desk.rest(&id).await?;
            let done = restore(desk, &resting.opened, restored).await;
            desk.end_rest(resting).await?;
            done?;
        }
    }
    Ok(Exit::InSync)
}

/// Lists what lies there, beside whoever has the job.
async fn list(desk: &Desk<'_>, known: &Known) -> Result<(), Failure> {
    let source = source::of_job(known)?;
    let reading = source.reading().expect("a job's journal is a store");
    let local = folder_of(known, reading).await?;
    for entry in local.trashed().await.map_err(side)? {
        let begun = trasher(&entry.name)
            .map(|id| source.record(id))
            .transpose()?;
        let origin = begun
            .flatten()
            .and_then(|record| origin(record, &entry.name));
        let path = origin.as_ref().map(RelPath::as_str);
        if desk.args.common.json {
            print::data(&json!({
                "type": "trashed", "job": known.id, "entry": entry.name, "path": path,
                "size": entry.bytes, "time": entry.since.0,
            }));
        } else {
            print::line(&format!(
                "{} {} {}, {}",
                id_text(&entry.name).map_or_else(|| plain(&entry.name), str::to_owned),
                time(entry.since),
                path.map_or_else(|| plain(&entry.name), plain),
                size(entry.bytes),
            ));
        }
    }
    Ok(())
}

/// Forgets in a path's story what the trash lost meanwhile, and says so. Where the job's
/// folder is not to be seen, the story stays as the journal tells it.
pub(super) async fn look_into(directory: &Path, told: &mut Explanation) {
    if told.trash.is_empty() {
        return;
    }
    let Ok(local) = LocalFolder::open(directory, Options::default()) else {
        return;
    };
    let is_ours = matches!(
        local.root().await,
        Ok(RootState::Present { marker: Some(_) })
    );
    let Ok(entries) = local.trashed().await else {
        return;
    };
    if is_ours {
        let is_there = |kept: &explain::Trashed| entries.iter().any(|it| it.name == kept.entry);
        told.trash.retain(is_there);
        if told.trash.is_empty() && told.state == Fate::Gone {
            let gone = "what was put into the trash is not there any more: the trash was emptied, \
                        or it lay there too long";
            told.advice.push(gone.to_owned());
        }
    }
}

async fn restore(desk: &Desk<'_>, opened: &Opened, wanted: &Restore) -> Result<(), Failure> {
    opened.writable()?;
    let _held = hold(desk, opened)?;
    let local = folder(opened).await?;
    let entry = pick(local.trashed().await.map_err(side)?, &wanted.entry)?;
    let origin = match &wanted.to {
        Some(path) => Some(path.below(Some(&opened.known.directory))?),
        None => begun(&opened.journal, &entry.name)
            .await?
            .and_then(|record| origin(record, &entry.name)),
    };
    let path = origin.ok_or_else(|| {
        Failure::usage(
            "the journal does not say where that came from",
            "name a place with `--to PATH`",
        )
    })?;
    let mut hand = Hand::new(&local).await.map_err(side)?;
    let restored = hand.restore(&entry.name, &path, trasher(&entry.name)).await;
    let changes = hand.take_changes();
    let mut seq = None;
    if !changes.is_empty() {
        let mut deeds = deeds(opened).await?;
        seq = deeds.tell(&local, changes, &who()).await?;
        deeds.end().await?;
    }
    restored.map_err(|why| not_restored(&why))?;
    if desk.args.common.json {
        print::data(&json!({
            "type": "restored", "job": opened.known.id, "seq": seq.map(|seq| seq.0),
            "entry": entry.name, "path": path.as_str(),
        }));
    }
    print::words(&format!(
        "restored: {}; the next run syncs it",
        plain(path.as_str())
    ));
    Ok(())
}

/// Only a name that is taken is something that whoever asked can choose otherwise.
fn not_restored(why: &NotRestored) -> Failure {
    let message = format!("not restored: {why}");
    match why {
        NotRestored::Taken(_) => Failure::usage(
            message,
            "nothing was replaced; name another place with `--to PATH`",
        ),
        NotRestored::Failed(_) => Failure::new(Exit::ItemsFailed, message),
    }
}

/// Begins to tell a job's journal what is done by hand.
pub(super) async fn deeds(opened: &Opened) -> Result<Deeds<'_>, Failure> {
    let release = env!("CARGO_PKG_VERSION");
    Ok(Deeds::begin(&opened.journal, &SystemClock, release).await?)
}

/// Finds the entry that a person means: by its whole name, or by its id.
fn pick(entries: Vec<Trashed>, wanted: &str) -> Result<Trashed, Failure> {
    let fits = |entry: &Trashed| {
        entry.name == wanted
            || id_text(&entry.name).is_some_and(|id| {
                id == wanted || id.trim_start_matches('0') == wanted.trim_start_matches('0')
            })
    };
    let mut fitting = entries.into_iter().filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some(entry), None) => Ok(entry),
        (None, _) => Err(Failure::usage(
            format!("nothing in the trash is `{wanted}`"),
            "`pydio-sync trash list` shows what is there",
        )),
        (Some(_), Some(_)) => Err(Failure::usage(
            format!("`{wanted}` is more than one entry"),
            "give the whole name, as `trash list --json` shows it",
        )),
    }
}

/// Keeps other jobs away from the local folder while it is changed by hand.
///
/// # Errors
/// Another process works in it.
pub(super) fn hold(desk: &Desk<'_>, opened: &Opened) -> Result<FolderLock, Failure> {
    Ok(FolderLock::acquire(
        &desk.state_dir,
        &opened.known.directory,
    )?)
}

/// The local folder, if it is the one that the journal knows.
pub(super) async fn folder(opened: &Opened) -> Result<LocalFolder, Failure> {
    folder_of(&opened.known, &opened.journal).await
}

async fn folder_of(job: &Known, journal: &dyn History) -> Result<LocalFolder, Failure> {
    let path = &job.directory;
    let local = LocalFolder::open(path, Options::default()).map_err(side)?;
    let known = last_known(journal, &SystemClock).await?.markers[0].clone();
    match local.root().await.map_err(side)? {
        RootState::Present { marker } if marker.is_some() && marker == known => Ok(local),
        _ => Err(Failure::new(
            Exit::Halted,
            format!(
                "`{}` is not the folder of this job at this moment",
                shown(path)
            ),
        )
        .hint("put the folder back, then try again")),
    }
}

/// Reads the event in an entry's name, if it is still kept.
async fn begun(store: &dyn Store, name: &str) -> Result<Option<Record>, Failure> {
    let Some(id) = trasher(name).filter(|id| (store.first()..=store.head()).contains(id)) else {
        return Ok(None);
    };
    let records = store.read(id, 1).await.map_err(RunError::Read)?;
    Ok(records.into_iter().next())
}

/// Where an entry came from, by the event in its name.
fn origin(record: Record, name: &str) -> Option<RelPath> {
    match record.event {
        Event::Operation(OperationEvent::Started { operation }) => {
            Some(operation.action.path().clone())
        }
        Event::Session(SessionEvent::Undone { changes, .. }) => {
            let is_it = |it: &RelPath| it.as_str() == name;
            let mut changes = changes.into_iter();
            let found = changes.find(|change| change.trashed.as_ref().is_some_and(is_it));
            found.map(|change| change.path)
        }
        _ => None,
    }
}

/// The event that put an entry into the trash, by its name.
fn trasher(name: &str) -> Option<Seq> {
    let id = id_text(name).and_then(|id| u64::from_str_radix(id, 16).ok());
    id.map(Seq).filter(|id| *id > Seq::ZERO)
}

/// The id in an entry's name.
fn id_text(name: &str) -> Option<&str> {
    let (id, _) = name.split_once('-')?;
    (id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

fn side(error: PortError) -> Failure {
    let side = Side::Local;
    RunError::Side { side, error }.into()
}
