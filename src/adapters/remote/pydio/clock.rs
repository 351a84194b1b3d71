//! The server's clock, as its answers tell it.
//!
//! In: a place. Out: the time there, in whole seconds. No credentials are sent.
//! Deliberately absent: what a difference means.

use super::http::USER_AGENT;
use crate::adapters::http::build;
use crate::adapters::remote::ServerPlace;
use crate::ports::{PortError, PortResult};
use journal_format::event::FailureClass;
use journal_format::value::Timestamp;
use reqwest::header::DATE;

/// Asks a server what time it is; nothing when its answer does not say it.
///
/// # Errors
/// `Unsupported` for a place that is none, `Retry` when it cannot be reached.
pub async fn server_time(place: &ServerPlace) -> PortResult<Option<Timestamp>> {
    let client = build(&place.link, USER_AGENT)?;
    let question = client.head(format!("{}/", place.url));
    let answer = question.timeout(place.link.timeout).send().await;
    let answer = answer.map_err(|error| {
        let text = format!("the server's clock: {}", error.without_url());
        PortError::new(FailureClass::Retry, text)
    })?;
    let date = answer.headers().get(DATE);
    Ok(date.and_then(|date| parsed(date.to_str().ok()?)))
}

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`.
fn parsed(text: &str) -> Option<Timestamp> {
    let words: Vec<&str> = text.split([' ', ':']).collect();
    let [_, day, month, year, hour, minute, second, "GMT"] = words.as_slice() else {
        return None;
    };
    let number = |text: &str, max: i64| {
        let number: i64 = text.parse().ok()?;
        (0..=max).contains(&number).then_some(number)
    };
    let month = MONTHS.iter().position(|name| name == month)? + 1;
    let days = days(
        number(year, 9999)?,
        i64::try_from(month).ok()?,
        number(day, 31)?,
    );
    let seconds = (days * 24 + number(hour, 23)?) * 3600 + number(minute, 59)? * 60;
    Some(Timestamp((seconds + number(second, 60)?) * 1000))
}

/// The days from 1970 to a day of the Gregorian calendar; years begin in March here,
/// so that the leap day is the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - DAYS_TO_1970
}

/// From the first of March of the year 0.
const DAYS_TO_1970: i64 = 719_468;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_http_is_read_and_nothing_else() {
        let table = [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 29 Feb 2024 23:59:59 GMT", Some(1_709_251_199)),
            ("Fri, 01 Mar 2024 00:00:00 GMT", Some(1_709_251_200)),
            ("Sun, 06 Nov 1994 25:49:37 GMT", None),
            ("Sun, 06 Foo 1994 08:49:37 GMT", None),
            ("784111777", None),
            ("", None),
        ];
        for (text, seconds) in table {
            let wanted = seconds.map(|seconds: i64| Timestamp(seconds * 1000));
            assert_eq!(parsed(text), wanted, "{text}");
        }
    }
}
