//! An app password by way of a browser: Nextcloud's login flow, version 2.
//!
//! In: a place on a server. Out: an address for a person, then the name and password that
//! the server made. Invariant: the token that fetches them goes to the server's own
//! origin only. Deliberately absent: waiting between questions, which is the caller's.

use super::auth::Auth;
use super::href::Base;
use super::http::{Ask, Http, strange};
use crate::adapters::http::unsupported;
use crate::adapters::remote::ServerPlace;
use crate::adapters::secret::Secret;
use crate::ports::PortResult;
use bytes::Bytes;
use journal_format::value::RelPath;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// A login that waits for a person.
pub struct Grant {
    http: Http,
    /// Where the person goes.
    pub page: String,
    endpoint: String,
    token: Secret,
}

/// What the server made.
pub struct Granted {
    /// The name to log in with.
    pub user: String,
    /// A password for this program only.
    pub password: Secret,
}

impl Grant {
    /// Asks a server for a login; no credentials are sent.
    ///
    /// # Errors
    /// `Unsupported` when the server has no such thing; else as the network fails.
    pub async fn begin(place: &ServerPlace) -> PortResult<Self> {
        let base = Base::new(&place.url, &RelPath::root())?;
        let http = Http::new(place, Auth::new("", None, false))?;
        let root = base.url("", true);
        let web = root.split("/remote.php").next().unwrap_or_default();
        let address = format!("{}/index.php/login/v2", web.trim_end_matches('/'));
        let ask = Ask {
            body: Some(Bytes::new()),
            ..Ask::write("POST", address)
        };
        let answer = http.fetch(&ask).await?;
        let none =
            || unsupported("the server has no login by browser (Nextcloud's flow, version 2)");
        if answer.status != 200 {
            return Err(none());
        }
        let told: Value = serde_json::from_slice(&answer.body).map_err(|_| none())?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let page = text(&told["login"]).ok_or_else(none)?;
        let endpoint = text(&told["poll"]["endpoint"]).ok_or_else(none)?;
        let token = text(&told["poll"]["token"]).ok_or_else(none)?;
        for address in [&page, &endpoint] {
            if !base.has_origin(address) {
                return Err(strange("the login leads to another server"));
            }
        }
        Ok(Self {
            http,
            page,
            endpoint,
            token: Secret::new(token),
        })
    }

    /// Asks whether the person has agreed; nothing when not yet.
    ///
    /// # Errors
    /// As the network fails; ask again.
    pub async fn ask(&self) -> PortResult<Option<Granted>> {
        let token = utf8_percent_encode(self.token.expose(), NON_ALPHANUMERIC);
        let ask = Ask {
            body: Some(Bytes::from(format!("token={token}"))),
            ..Ask::read("POST", self.endpoint.clone())
        };
        let ask = ask.with("Content-Type", "application/x-www-form-urlencoded");
        let answer = self.http.fetch(&ask).await?;
        match answer.status {
            404 => return Ok(None),
            200 => {}
            status => return Err(strange(&format!("the login: status {status}"))),
        }
        let told: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let text = |name: &str| told.as_ref()?[name].as_str().map(str::to_owned);
        match (text("loginName"), text("appPassword")) {
            (Some(user), Some(password)) => Ok(Some(Granted {
                user,
                password: Secret::new(password),
            })),
            _ => Err(strange("the login has no name and password")),
        }
    }
}
