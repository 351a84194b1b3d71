//! What status and headers say of a server, whatever was asked for.
//!
//! In: statuses, headers. Out: errors, times, addresses. Invariant: a status that may be
//! about a path is none of these. Deliberately absent: what a request meant (`verdict`).
//! Leaves nothing behind.

use super::multistatus::seconds;
use crate::adapters::http::{Effect, doubt, unsupported};
use crate::ports::PortError;
use journal_format::event::FailureClass;
use reqwest::Url;
use reqwest::header::{DATE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use tokio::time::Instant;

/// Returns the server's time: it may have looked first and waited then.
pub(super) fn time(headers: &HeaderMap, begun: Instant) -> Option<i64> {
    let waited_s = i64::try_from(begun.elapsed().as_secs()).unwrap_or(i64::MAX);
    Some(date(headers)?.saturating_sub(waited_s))
}

/// Returns the server's time when it answered.
pub(super) fn date(headers: &HeaderMap) -> Option<i64> {
    seconds(headers.get(DATE)?.to_str().ok()?)
}

/// Sorts out statuses that never say anything about a path.
pub(super) fn fault(status: u16, headers: &HeaderMap, effect: Effect) -> Option<PortError> {
    let is_maintained = header_is(headers, "x-nextcloud-maintenance-mode", "1");
    let (class, text) = match status {
        503 if is_maintained => (FailureClass::Retry, "the server is in maintenance mode"),
        429 | 503 => (FailureClass::Retry, "the server asks to come back later"),
        423 => (FailureClass::Retry, "it is locked on the server"),
        // The request did not come whole, so nothing was done.
        408 => (
            FailureClass::Retry,
            "the server did not wait for all of a request",
        ),
        507 => (FailureClass::NoSpace, NO_ROOM),
        407 => (FailureClass::Denied, "the proxy asks who we are"),
        500 | 502 | 504 | 508..=599 => (doubt(effect), "the server failed"),
        _ => return None,
    };
    Some(PortError {
        retry_after_ms: wait_ms(headers),
        ..PortError::new(class, format!("{text} (status {status})"))
    })
}

/// Reads `Retry-After`, which is seconds or a date by the server's clock.
fn wait_ms(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    let seconds_left = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => u64::try_from(seconds(text)?.saturating_sub(date(headers)?)).ok()?,
    };
    Some(seconds_left.min(WAIT_S_MAX) * 1000)
}

fn header_is(headers: &HeaderMap, name: &str, value: &str) -> bool {
    headers
        .get(name)
        .is_some_and(|found| found.as_bytes() == value.as_bytes())
}

/// Returns where a redirect leads, if that is the same address with or without a slash.
pub(super) fn slashed(from: &str, headers: &HeaderMap) -> Option<String> {
    let to = headers.get(LOCATION)?.to_str().ok()?;
    let from = Url::parse(from).ok()?;
    let to = from.join(to).ok()?;
    let path = |url: &Url| url.path().trim_end_matches('/').to_owned();
    let is_same = to.origin() == from.origin()
        && path(&to) == path(&from)
        && to.query() == from.query()
        && to.path() != from.path();
    is_same.then(|| to.into())
}

pub(super) fn redirected(headers: &HeaderMap) -> PortError {
    let to = headers.get(LOCATION).map(HeaderValue::as_bytes);
    let to = String::from_utf8_lossy(to.unwrap_or_default()).into_owned();
    let to = to.split(['?', '#']).next().unwrap_or_default();
    unsupported(format!(
        "the server redirects to `{to:.200}`: name that address in the job"
    ))
}

const NO_ROOM: &str = "the server has no room left: make some there or ask for a larger quota";
const WAIT_S_MAX: u64 = 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_read_in_seconds_or_as_a_date_by_the_servers_clock() {
        let now = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (date, wait, expected) in [
            (Some(now), "7", Some(7_000)),
            (None, "7", Some(7_000)),
            (Some(now), "Sun, 06 Nov 1994 08:49:44 GMT", Some(7_000)),
            // Of another form, as the standard has it.
            (Some(now), "Sunday, 06-Nov-94 08:49:44 GMT", Some(7_000)),
            (Some(now), "Sun Nov  6 08:49:44 1994", Some(7_000)),
            (Some(now), now, Some(0)),
            (Some(now), "Sun, 06 Nov 1994 08:49:00 GMT", None),
            // Nobody knows what its clock shows.
            (None, "Sun, 06 Nov 1994 08:49:44 GMT", None),
            (Some(now), "999999999999", Some(WAIT_S_MAX * 1000)),
            (
                Some(now),
                "Fri, 31 Dec 9999 23:59:59 GMT",
                Some(WAIT_S_MAX * 1000),
            ),
            (Some(now), "-7", None),
            (Some(now), "soon", None),
        ] {
            let mut headers = HeaderMap::new();
            let value = |text| HeaderValue::from_str(text).expect("a value");
            headers.insert(RETRY_AFTER, value(wait));
            if let Some(date) = date {
                headers.insert(DATE, value(date));
            }
            let error = fault(429, &headers, Effect::Writes).expect("an error");
            assert_eq!(error.retry_after_ms, expected, "{date:?} {wait}");
            assert_eq!(error.class, FailureClass::Retry);
        }
    }
}
