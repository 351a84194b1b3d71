//! Which ports are taken, and what is said when they cannot be.

use super::lab::{self, run};
use pydio_sync::adapters::zmtp::{BindError, Options, Port, Request, Sockets};
use std::net::{Ipv4Addr, TcpListener};

fn bind(options: Options) -> Result<u16, BindError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .expect("a runtime")
        .block_on(async { Sockets::bind(options).map(|sockets| sockets.port) })
}

fn fixed(port: u16) -> Options {
    Options {
        port: Port::Fixed(port),
        ..Options::default()
    }
}

#[test]
fn a_port_that_is_taken_is_named_with_its_holder() {
    run(lab::options(), async |lab: &lab::Lab| {
        // The port below is nobody's to give: another program may have it.
        let below = TcpListener::bind((Ipv4Addr::LOCALHOST, lab.port - 1)).map(drop);
        let below = below.is_ok().then_some(lab.port - 1);
        for port in [lab.port, lab.port + 1].into_iter().chain(below) {
            let words = Sockets::bind(fixed(port)).expect_err("taken").to_string();
            let process = format!("(process {})", std::process::id());
            assert!(words.contains(&process), "{words}");
            let taken = port.max(lab.port);
            assert!(
                words.starts_with(&format!("port {taken} is in use, by ")),
                "{words}"
            );
        }
        // A failed attempt leaves its first port free.
        if let Some(port) = below {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
            assert!(free.is_ok(), "{free:?}");
        }
    });
}

#[test]
fn ports_without_a_neighbour_are_refused() {
    for port in [0, u16::MAX] {
        let error = bind(fixed(port)).expect_err("no pair");
        assert!(matches!(error, BindError::NoPair(_)), "{error}");
    }
}

#[test]
fn only_this_machine_is_served_unless_asked_for() {
    let mut options = Options {
        address: Ipv4Addr::UNSPECIFIED.into(),
        ..Options::default()
    };
    let error = bind(options.clone()).expect_err("exposed");
    assert!(matches!(error, BindError::Exposed(_)), "{error}");
    options.expose = true;
    assert!(bind(options).is_ok());
}

#[test]
fn a_port_can_be_taken_again_at_once() {
    let port = run(lab::options(), async |lab: &lab::Lab| {
        lab.serves_newcomers().await;
        lab.port
    });
    assert_eq!(bind(fixed(port)).expect("free again"), port);
}

#[test]
fn a_client_says_that_nobody_listens() {
    let port = bind(Options::default()).expect("two free ports");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let address = (Ipv4Addr::LOCALHOST, port).into();
        let error = Request::connect(address, lab::GUARD)
            .await
            .expect_err("closed");
        assert!(
            error
                .to_string()
                .starts_with("cannot connect to 127.0.0.1:"),
            "{error}"
        );
    });
}
