//! The supervisor with pretend jobs: who runs, who waits, who is left alone.

use super::kit::{PretendHost, StillClock, spec};
use super::*;
use crate::daemon::{Doubt, Report, Tally};
use crate::ports::{Observer, Phase};
use journal_format::value::Side;
use sync_core::engine::Standing;

fn finished() -> End {
    End::Finished(Box::new(Report {
        standing: Standing::default(),
        tally: Tally::default(),
        problems: Vec::new(),
        held: Vec::new(),
        seq: Seq::ZERO,
        doubt: None,
    }))
}

fn failed(kind: TroubleKind, exit: u8) -> End {
    End::Failed(Trouble {
        kind,
        reason: format!("{kind:?}"),
        exit,
    })
}

fn state(supervisor: &Supervisor<'_>, id: &str) -> State {
    supervisor.find(id).expect("a job").state
}

fn auto(id: &str) -> Spec {
    spec(id, Frequency::Auto, "")
}

#[test]
fn trouble_decides_whether_and_when_a_job_is_tried_again() {
    let table = [
        (TroubleKind::Offline, State::Offline, Some(5_000)),
        (TroubleKind::Passing, State::Error, Some(5_000)),
        (TroubleKind::Credentials, State::Credentials, None),
        (TroubleKind::Lasting, State::Error, None),
    ];
    for (kind, expected, wait) in table {
        let (host, clock) = (PretendHost::default(), StillClock::default());
        let supervisor = Supervisor::new(&host, &clock, vec![auto("a"), auto("b")]);
        supervisor.turn();
        let other = host.take("b").expect("it runs");
        host.take("a").expect("it runs").line.ended(failed(kind, 6));
        supervisor.turn();
        let view = supervisor.find("a").expect("a job");
        assert_eq!(view.state, expected, "{kind:?}");
        assert_eq!(view.next_try, wait.map(Timestamp), "{kind:?}");
        clock.pass(5_000);
        supervisor.turn();
        assert_eq!(host.take("a").is_some(), wait.is_some(), "{kind:?}");
        assert_eq!(state(&supervisor, "b"), State::Starting, "{kind:?}");
        assert!(
            host.take("b").is_none(),
            "{kind:?} started the other one anew"
        );
        assert!(supervisor.is_over().is_none(), "{kind:?}");
        drop(other);
    }
}

#[test]
fn waits_grow_and_the_same_reason_is_told_once() {
    let (host, clock) = (PretendHost::default(), StillClock::default());
    let supervisor = Supervisor::new(&host, &clock, vec![auto("a")]);
    let mut waits = Vec::new();
    for _ in 0..8 {
        supervisor.turn();
        let run = host.take("a").expect("it is tried again");
        run.line.ended(failed(TroubleKind::Offline, 6));
        supervisor.turn();
        let view = supervisor.find("a").expect("a job");
        let next = view.next_try.expect("it is hopeful");
        waits.push((next.0 - clock.0.get()) / 1_000);
        clock.0.set(next.0);
    }
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 320]);
    assert_eq!(host.told.borrow().len(), 1);
}

#[test]
fn start_and_sync_now_resume_at_once_what_waits_for_something() {
    let kinds = [TroubleKind::Offline, TroubleKind::Credentials];
    for (kind, by_start) in kinds
        .into_iter()
        .flat_map(|kind| [(kind, true), (kind, false)])
    {
        let (host, clock) = (PretendHost::default(), StillClock::default());
        let supervisor = Supervisor::new(&host, &clock, vec![auto("a")]);
        supervisor.turn();
        host.take("a").expect("it runs").line.ended(failed(kind, 6));
        supervisor.turn();
        if by_start {
            let answer = supervisor.order("a", Order::Start, "test");
            assert!(matches!(answer, Ok(None)), "nothing is journaled");
        } else {
            supervisor.sync_now("a").expect("it is there");
        }
        supervisor.turn();
        assert!(host.take("a").is_some(), "{kind:?} {by_start}");
    }
}

#[test]
fn a_stopped_job_stays_stopped_until_it_is_started() {
    let (host, clock) = (PretendHost::default(), StillClock::default());
    let supervisor = Supervisor::new(&host, &clock, vec![auto("a"), auto("b")]);
    supervisor.turn();
    let mut run = host.take("a").expect("it runs");
    assert!(
        supervisor
            .order("a", Order::Stop, "test")
            .expect("told")
            .is_some()
    );
    let order = run.orders.try_recv().expect("an order");
    assert!(matches!(order, Control::Ask(order, _)
        if matches!(*order, Control::Order { order: Order::Stop, .. })));
    run.line.ended(finished());
    clock.pass(1_000_000);
    supervisor.turn();
    assert_eq!(state(&supervisor, "a"), State::Stopped);
    assert!(host.take("a").is_none());
    supervisor.order("a", Order::Start, "test").expect("told");
    supervisor.turn();
    assert!(host.take("a").is_some());
}

#[test]
fn a_stopped_job_claims_no_more_than_its_run_knew() {
    let doubts = [
        (None, None),
        (Some(Doubt::NotLooked), Some(4)),
        (
            Some(Doubt::OutOfReach {
                side: Side::Remote,
                reason: "gone".to_owned(),
            }),
            Some(6),
        ),
    ];
    for (doubt, exit) in doubts {
        let (host, clock) = (PretendHost::default(), StillClock::default());
        let supervisor = Supervisor::new(&host, &clock, vec![auto("a")]);
        supervisor.turn();
        let run = host.take("a").expect("it runs");
        supervisor.order("a", Order::Stop, "test").expect("told");
        let End::Finished(mut report) = finished() else {
            panic!("it finished");
        };
        report.doubt.clone_from(&doubt);
        run.line.ended(End::Finished(report));
        supervisor.turn();
        let view = supervisor.find("a").expect("a job");
        assert_eq!((view.state, view.exit), (State::Stopped, exit), "{doubt:?}");
        let says_synced = view.reason.as_deref() == Some("synced when it stopped");
        assert_eq!(says_synced, exit.is_none(), "{doubt:?}");
    }
}

#[test]
fn what_kept_a_job_from_running_stays_known_when_it_is_stopped() {
    let table = [
        (TroubleKind::Offline, 6),
        (TroubleKind::Credentials, 6),
        (TroubleKind::Passing, 8),
        (TroubleKind::Lasting, 7),
    ];
    for ((kind, code), order) in table
        .into_iter()
        .flat_map(|row| [(row, Order::Stop), (row, Order::Pause)])
    {
        let (host, clock) = (PretendHost::default(), StillClock::default());
        let supervisor = Supervisor::new(&host, &clock, vec![auto("a")]);
        supervisor.turn();
        let run = host.take("a").expect("it runs");
        run.line.ended(failed(kind, code));
        supervisor.turn();
        for _ in 0..2 {
            supervisor.order("a", order, "test").expect("told");
            let view = supervisor.find("a").expect("a job");
            assert_eq!(
                (view.state, view.exit),
                (State::Stopped, Some(code)),
                "{kind:?}"
            );
            assert_eq!(view.reason, Some(format!("{kind:?}")));
            assert_eq!(view.next_try, None);
        }
    }
    let (host, clock) = (PretendHost::default(), StillClock::default());
    let supervisor = Supervisor::new(&host, &clock, vec![auto("a")]);
    supervisor.order("a", Order::Stop, "test").expect("told");
    let view = supervisor.find("a").expect("a job");
    assert_eq!((view.state, view.exit), (State::Stopped, Some(4)));
}

#[test]
fn a_paused_job_says_what_it_cannot_look_at() {
    let offline = Phase::Offline {
        side: Side::Remote,
        reason: "gone".to_owned(),
        next_try: Timestamp(7),
    };
    let table = [
        (Phase::Synced, None, None),
        (Phase::Syncing, None, None),
        (
            Phase::Starting,
            Some(4),
            Some("it has not looked at both sides yet"),
        ),
        (offline, Some(6), Some("the remote side: gone")),
    ];
    for (otherwise, exit, reason) in table {
        let (host, clock) = (PretendHost::default(), StillClock::default());
        let supervisor = Supervisor::new(&host, &clock, vec![auto("a")]);
        supervisor.turn();
        let run = host.take("a").expect("it runs");
        run.line.stands(&Status {
            phase: Phase::Paused(Box::new(otherwise)),
            standing: Standing::default(),
            seq: Seq::ZERO,
            changed: None,
        });
        let view = supervisor.find("a").expect("a job");
        assert_eq!((view.state, view.exit), (State::Paused, exit));
        assert_eq!(view.reason.as_deref(), reason);
    }
}

#[test]
fn who_starts_a_job_at_rest_ends_its_pause() {
    let (host, clock) = (PretendHost::default(), StillClock::default());
    let supervisor = Supervisor::new(&host, &clock, vec![auto("a")]);
    supervisor.turn();
    let mut run = host.take("a").expect("it runs");
    assert!(run.orders.try_recv().is_err(), "nobody asked for it");
    supervisor.order("a", Order::Stop, "test").expect("told");
    run.line.ended(finished());
    supervisor.turn();
    supervisor.order("a", Order::Start, "ada").expect("told");
    // Until a run got so far that it could take it.
    for is_first in [true, false] {
        supervisor.turn();
        let mut run = host.take("a").expect("it runs");
        let order = run.orders.try_recv().expect("an order");
        assert!(
            matches!(&order, Control::Order { order: Order::Start, by } if by == "ada"),
            "{order:?}"
        );
        if !is_first {
            run.line.stands(&Status {
                phase: Phase::Synced,
                standing: Standing::default(),
                seq: Seq::ZERO,
                changed: None,
            });
            supervisor.turn();
        }
        run.line.ended(failed(TroubleKind::Offline, 6));
        supervisor.turn();
        clock.pass(1_000_000);
    }
    supervisor.turn();
    let mut run = host.take("a").expect("it runs");
    assert!(run.orders.try_recv().is_err(), "it was obeyed");
}

#[test]
fn frequencies_say_how_and_when_a_job_runs() {
    let daily = Frequency::Daily { hour: 2, minute: 0 };
    let table = [
        (Frequency::Auto, Mode::Continuous, State::Stopped, None),
        (Frequency::Manual, Mode::Once, State::Waiting, None),
        (daily, Mode::Once, State::Waiting, Some(7_200_000)),
    ];
    for (frequency, mode, expected, next) in table {
        let (host, clock) = (PretendHost::default(), StillClock::default());
        let supervisor = Supervisor::new(&host, &clock, vec![spec("a", frequency, "")]);
        supervisor.turn();
        let run = host.take("a").expect("it runs at first");
        assert_eq!(run.mode, mode);
        run.line.ended(finished());
        supervisor.turn();
        let view = supervisor.find("a").expect("a job");
        assert_eq!((view.state, view.next_try), (expected, next.map(Timestamp)));
        clock.pass(7_200_000);
        supervisor.turn();
        assert_eq!(host.take("a").is_some(), next.is_some(), "{frequency:?}");
    }
}

#[test]
fn a_reload_touches_only_what_changed() {
    let (host, clock) = (PretendHost::default(), StillClock::default());
    let old = vec![auto("same"), auto("other"), auto("gone")];
    let supervisor = Supervisor::new(&host, &clock, old);
    supervisor.turn();
    *host.file.borrow_mut() = Some(Err("line 3: no".to_owned()));
    assert_eq!(supervisor.reload(None), Err("line 3: no".to_owned()));
    assert_eq!(supervisor.views().len(), 3);

    let new = vec![
        auto("same"),
        spec("other", Frequency::Auto, "changed"),
        auto("new"),
    ];
    *host.file.borrow_mut() = Some(Ok(new));
    let reloaded = supervisor.reload(None).expect("a right file");
    let ids = |ids: &[&str]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected = Reloaded {
        added: ids(&["new"]),
        removed: ids(&["gone"]),
        changed: ids(&["other"]),
        kept: ids(&["same"]),
    };
    assert_eq!(reloaded, expected);
    let listed: Vec<_> = supervisor
        .views()
        .iter()
        .map(|view| view.spec.id.clone())
        .collect();
    assert_eq!(listed, ["same", "other", "new"]);

    let mut same = host.take("same").expect("it runs");
    assert!(same.orders.try_recv().is_err(), "it was told something");
    for id in ["other", "gone"] {
        let mut run = host.take(id).expect("it ran");
        let order = run.orders.try_recv().expect("an order");
        assert!(matches!(order, Control::Stop), "{id}: {order:?}");
        run.line.ended(finished());
    }
    supervisor.turn();
    supervisor.turn();
    assert!(host.take("other").is_some(), "it starts anew");
    assert!(host.take("new").is_some() && host.take("gone").is_none());
}

#[test]
fn a_full_queue_of_orders_refuses_more_but_not_the_stop() {
    let (host, clock) = (PretendHost::default(), StillClock::default());
    let supervisor = Supervisor::new(&host, &clock, vec![auto("a")]);
    supervisor.turn();
    let mut run = host.take("a").expect("it runs");
    let refused = (0..1_000).find_map(|_| supervisor.sync_now("a").err());
    assert_eq!(refused, Some(Refusal::Busy));
    supervisor.stop_all();
    let mut orders = std::iter::from_fn(|| run.orders.try_recv().ok());
    assert!(orders.any(|order| matches!(order, Control::Stop)));
    assert!(supervisor.is_over().is_none(), "it still runs");
    run.line.ended(finished());
    supervisor.turn();
    assert_eq!(supervisor.is_over(), Some(None));
}

#[test]
fn jobs_that_could_never_run_end_the_program_with_the_worst_code() {
    let (host, clock) = (PretendHost::default(), StillClock::default());
    let supervisor = Supervisor::new(&host, &clock, vec![auto("a"), auto("b")]);
    supervisor.turn();
    let hopeless = |id: &str, exit| {
        let run = host.take(id).expect("it runs");
        run.line.ended(failed(TroubleKind::Lasting, exit));
        supervisor.turn();
    };
    hopeless("a", 2);
    assert!(supervisor.is_over().is_none(), "the other one runs");
    hopeless("b", 7);
    assert_eq!(supervisor.is_over(), Some(Some(7)));
}

#[test]
fn a_name_is_an_id_or_a_label_that_one_job_has() {
    let (host, clock) = (PretendHost::default(), StillClock::default());
    let mut twin = auto("b");
    twin.label = "The a".to_owned();
    let supervisor = Supervisor::new(&host, &clock, vec![auto("a"), twin, auto("c")]);
    let table = [
        ("a", Some(0)),
        ("b", Some(1)),
        ("The c", Some(2)),
        ("The a", None),
        ("d", None),
    ];
    for (name, index) in table {
        let found = supervisor.find(name).ok().map(|view| view.index);
        assert_eq!(found, index, "{name}");
    }
}
