//! Login flow version 2, and the app passwords that come out of it.
//!
//! In: somebody who wants to log in, a person who grants it. Out: an app password, told
//! once. Invariant: until it is granted, asking gives 404. Deliberately absent: pages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use crate::basic;

use super::super::answer::Answer;
use super::super::call::Call;
use super::super::server::Server;

/// Logins that go on, and app passwords.
#[derive(Default)]
pub(in super::super) struct Logins(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    count: u64,
    /// By token: the app password once it was granted.
    waiting: BTreeMap<String, Option<(String, String)>>,
    passwords: BTreeSet<(String, String)>,
}

impl Logins {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins: a URL for the person, a token to ask with.
    pub(super) fn begin(&self, server: &Server, call: &Call) -> Answer {
        let mut inner = self.lock();
        inner.count += 1;
        let token = format!("{:0128x}", inner.count);
        inner.waiting.insert(token.clone(), None);
        let web = web(server, call);
        let told = json!({
            "poll": {"token": token, "endpoint": format!("{web}/login/v2/poll")},
            "login": format!("{web}/login/v2/flow/{:0128x}", inner.count + (1 << 32)),
        });
        Answer::json(200, &told)
    }

    /// Tells the app password if it was granted, once.
    pub(super) fn poll(&self, server: &Server, call: &Call) -> Answer {
        let text = String::from_utf8_lossy(&call.body).into_owned();
        let token = text.split('&').find_map(|pair| pair.strip_prefix("token="));
        let mut inner = self.lock();
        let token = token.unwrap_or("");
        let Some(Some((user, password))) = inner.waiting.get(token).cloned() else {
            return Answer::json(404, &json!([]));
        };
        inner.waiting.remove(token);
        let told = json!({"server": web(server, call), "loginName": user,
                          "appPassword": password});
        Answer::json(200, &told)
    }

    /// Grants all that wait, for this user.
    pub(in super::super) fn grant(&self, user: &str) -> usize {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let mut granted = 0;
        for (token, answer) in &mut inner.waiting {
            if answer.is_none() {
                let password = format!("app-{}", &token[token.len() - 16..]);
                let pair = (user.to_owned(), password);
                inner.passwords.insert(pair.clone());
                *answer = Some(pair);
                granted += 1;
            }
        }
        granted
    }

    pub(in super::super) fn is_app_password(&self, user: &str, given: &str) -> bool {
        let pair = (user.to_owned(), given.to_owned());
        self.lock().passwords.contains(&pair)
    }

    pub(in super::super) fn revoke(&self) {
        self.lock().passwords.clear();
    }

    /// Answers the request to forget the app password that it came with.
    pub(super) fn forget(&self, call: &Call) -> Answer {
        let header = call.header("authorization").unwrap_or("");
        let pair = basic::credentials(header).unwrap_or_default();
        let gone = self.lock().passwords.remove(&pair);
        Answer::json(if gone { 200 } else { 403 }, &json!({"ocs": {"data": []}}))
    }
}

/// The address that the caller knows the server by.
fn web(server: &Server, call: &Call) -> String {
    let own = format!("127.0.0.1:{}", server.port);
    let host = call.header("host").unwrap_or(&own);
    format!("http://{host}{}", server.options.base)
}
